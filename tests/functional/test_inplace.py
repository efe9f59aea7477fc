"""Hard CoLU in place: the same values and gradients, and a refusal of what it would spoil."""

import pytest
import torch

from colu.functional import colu, colu_


def test_the_input_is_written_over_and_has_the_same_gradient():
    torch.manual_seed(0)
    x, g = torch.randn(2, 3000, 128, dtype=torch.float64)

    def inplace(z):
        middle = 2 * z
        y = colu_(middle, dim=4)
        assert y is middle and y.grad_fn is not None
        return y

    results = []
    for f in (inplace, lambda z: colu(2 * z, dim=4, backend="reference")):
        z = x.clone().requires_grad_()
        y = f(z)
        results.append((y.detach(), torch.autograd.grad(y, z, g)[0]))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want)


def test_views_are_written_through():
    x = torch.randn(4, 10)
    want = colu(x[:, 1:9], dim=4)
    before = x.clone()
    colu_(x[:, 1:9], dim=4)
    torch.testing.assert_close(x[:, 1:9], want)
    torch.testing.assert_close(x[:, ::9], before[:, ::9])


def test_leaves_and_inputs_that_others_need_are_refused():
    leaf = torch.randn(2, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        colu_(leaf, dim=4)
    squashed = torch.sigmoid(torch.randn(2, 4, requires_grad=True))
    y = colu_(squashed, dim=4)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
