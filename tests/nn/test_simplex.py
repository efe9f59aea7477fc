"""Softmax and sparsemax: points of the simplex, and the nearest of them."""

import pytest
import torch
from torch import nn

from colu.nn import Softmax, Sparsemax, replace_activations


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_outputs_are_points_of_the_simplex(dtype, size):
    x = (size * torch.randn(7, 6, 3, generator=torch.Generator().manual_seed(0))).to(dtype)
    for module in (Softmax(), Sparsemax()):
        y = module(x)
        assert y.dtype == dtype and (y >= 0).all()
        assert torch.allclose(y.sum(1), torch.ones(7, 3, dtype=dtype), atol=2e-2 if dtype == torch.bfloat16 else 1e-5)


def test_sparsemax_is_the_nearest_point():
    x = torch.randn(50, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = Sparsemax()(x)
    assert torch.allclose(Sparsemax()(x + 3), y) and torch.allclose(Sparsemax()(y), y)
    # The condition of Moreau: no corner of the simplex is on the far side.
    assert (((x - y)[:, None] * (torch.eye(5, dtype=x.dtype) - y[:, None])).sum(-1) <= 1e-12).all()
    assert (y == 0).any() and Softmax()(x).min() > 0


def test_softmax_is_torchs_over_the_channels():
    x = torch.randn(2, 3, 4)
    assert torch.equal(Softmax()(x), x.softmax(1)) and torch.equal(Softmax(-1)(x), x.softmax(-1))
    assert repr(Softmax(-1)) == "Softmax(channel_dim=-1)" and isinstance(Softmax(), nn.Softmax)
    report = replace_activations(nn.Sequential(nn.Softmax(1)), "softmax", "sparsemax", policies=())
    assert isinstance(report.model[0], Sparsemax)
