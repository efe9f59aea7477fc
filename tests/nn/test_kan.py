"""Moments of GR-KAN, and what AF-KAN as published mixes up."""

import pytest
import torch

from colu.nn import AFKANLinear, GRKANLinear, GroupRational


@pytest.mark.parametrize("init", ["silu", "gelu", "relu"])
def test_gr_kan_keeps_the_second_moment(init):
    torch.manual_seed(0)
    layer = GRKANLinear(256, 256, init=init)
    second = layer(torch.randn(4000, 256)).square().mean().item()
    assert abs(second - 1) < 0.05
    plain = torch.nn.Sequential(GroupRational(256, init=init), torch.nn.Linear(256, 256))
    assert plain(torch.randn(4000, 256)).square().mean() < 0.5


def test_af_kan_as_published_leaks_between_samples():
    torch.manual_seed(0)
    x, others = torch.randn(3, 8), 5 * torch.randn(3, 8)
    for normalisation, leaks in (("sample", False), ("batch", True)):
        layer = AFKANLinear(8, normalisation=normalisation)
        torch.nn.init.normal_(layer.attention)
        alone, together = layer(x), layer(torch.cat([x, others]))[:3]
        assert torch.allclose(alone, together, atol=1e-5) == (not leaks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", [GRKANLinear, AFKANLinear])
def test_layers_take_every_token_by_itself(kind, dtype):
    torch.manual_seed(0)
    layer, x = kind(8, 4).to(dtype), torch.randn(2, 5, 8).to(dtype)
    y = layer(x)
    assert y.shape == (2, 5, 4) and y.dtype == dtype
    assert torch.allclose(y.flatten(0, 1), layer(x.flatten(0, 1)), atol=0.05 if dtype == torch.bfloat16 else 1e-5)
    assert layer(x[:0]).shape == (0, 5, 4)
