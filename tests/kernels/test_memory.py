"""The two orders of memory: nothing is copied that lies in one of them, and the output lies as the input does."""

import pytest
import torch

from colu.functional import colu
from colu.kernels.memory import alike, fit


def test_what_lies_in_a_known_order_is_not_copied_and_anything_else_is():
    plain, image, wide = torch.randn(5, 8), torch.randn(2, 8, 3, 5), torch.randn(5, 16)
    last = image.to(memory_format=torch.channels_last)
    for x, channel, innermost in ((plain, 1, True), (image, 1, False), (last, 1, True), (plain.t(), 0, True)):
        found = fit(x, channel)
        assert found[0] is x and found[1] == innermost
    for x, innermost in ((wide[:, ::2], True), (image.transpose(2, 3), False)):
        fitted, found = fit(x, 1)
        assert torch.equal(fitted, x) and fitted.is_contiguous() and not x.is_contiguous()
        assert found == innermost


def test_a_gradient_is_brought_into_the_order_of_its_input():
    x = torch.randn(2, 8, 3, 5).to(memory_format=torch.channels_last)
    g = torch.randn(2, 8, 3, 5)
    assert alike(g, g) is g
    assert alike(g, x).stride() == x.stride() and torch.equal(alike(g, x), g)


@pytest.mark.parametrize("backend", [None, "fused", "blocked"])
def test_memory_order_is_kept(backend):
    x = torch.randn(2, 8, 3, 5, generator=torch.Generator().manual_seed(0))
    assert colu(x, backend=backend).is_contiguous()
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    y = colu(x, backend=backend)
    assert y.is_contiguous(memory_format=torch.channels_last)
    # A gradient in another order than the input.
    y.backward(torch.ones(2, 8, 3, 5))
    want = torch.autograd.grad(colu(x, backend="reference").sum(), x)[0]
    torch.testing.assert_close(x.grad, want)
