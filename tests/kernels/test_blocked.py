"""Values and gradients of the pieces that stay in cache against the reference."""

import pytest
import torch

from colu.functional import colu
from colu.kernels import blocked


def test_blocked_is_the_reference(paths, request_of_blocked, dtype):
    name, options = request_of_blocked
    for _, x in paths.inputs(paths.channels_of(**options)):
        paths.assert_agrees(name, x, dtype, "blocked", **options)


def test_blocked_joins_its_pieces(paths, monkeypatch):
    monkeypatch.setattr(blocked, "PIECE", 1000)
    for _, x in paths.inputs(12):
        paths.assert_agrees("colu", x, torch.float32, "blocked", dim=3)


@pytest.mark.parametrize("scaling", ["hard", "soft"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_zeros_infinities_and_nan_are_those_of_the_reference(paths, size, scaling, dtype):
    x = paths.special_cones(size, paths.not_finite)
    paths.assert_same_specials("colu", x, dtype, "blocked", dim=size, scaling=scaling)
    paths.assert_same_specials("rcolu", x, dtype, "blocked", dim=size, scaling=scaling)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_tiny_and_huge_entries_are_those_of_the_reference(paths, scaling, dtype):
    for values in paths.tiny_and_huge:
        x = paths.special_cones(3, values)
        paths.assert_same_specials("colu", x, dtype, "blocked", dim=3, scaling=scaling)


def test_gradient_at_ties_is_that_of_the_reference(paths, dtype):
    paths.assert_same_specials("colu", paths.ties, dtype, "blocked", dim=4)
    wide = torch.cat([torch.cat([paths.ties, torch.zeros(6, 13)], 1), torch.randn(6, 17)], 0)
    paths.assert_same_specials("colu", wide, dtype, "blocked", dim=17)


@pytest.mark.parametrize("shape", [(0, 8), (3, 8, 0), (0, 8, 2, 2), (2, 0)])
def test_empty_tensors(shape):
    x = torch.zeros(shape, requires_grad=True)
    y = colu(x, dim=4, backend="blocked")
    y.sum().backward()
    assert y.shape == x.shape and x.grad.shape == x.shape


def test_one_allocation_forward(paths):
    x = torch.randn(4096, 8)
    assert "aten::cat" in paths.operations(x, lambda v: colu(v, backend="reference"))
    assert "aten::cat" not in paths.operations(x, lambda v: colu(v, backend="blocked"))
