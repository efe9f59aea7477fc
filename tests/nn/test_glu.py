"""Gated linear units: against torch, and what they cost."""

import pytest
import torch
from torch import nn

from colu.nn import GLU, create, glu_width


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_glu_is_torchs_wherever_the_channels_are():
    x = torch.randn(2, 6, 8)
    assert torch.equal(GLU()(x), nn.GLU(1)(x)) and torch.equal(GLU(channel_dim=-1)(x), nn.GLU()(x))
    a, b = x.chunk(2, 1)
    assert torch.equal(GLU("silu", gate_last=False)(x), b * nn.functional.silu(a))
    assert repr(create("swiglu", channel_dim=-1)) == "GLU('silu', channel_dim=-1)"
    with pytest.raises(ValueError, match=r"7 channels do not make halves.*Dimension 1 of \(2, 7, 8\).*channel_dim=-1"):
        GLU()(torch.zeros(2, 7, 8))
    with pytest.raises(ValueError, match="gate='swish' is unknown"):
        GLU("swish")


@pytest.mark.parametrize("hidden, multiple", [(256, 1), (300, 1), (3072, 64), (1, 1)])
def test_blocks_of_this_width_have_the_weights_of_a_plain_one(hidden, multiple):
    width = glu_width(hidden, multiple)
    assert width % multiple == 0
    plain = nn.Sequential(nn.Linear(64, hidden, bias=False), nn.Linear(hidden, 64, bias=False))
    gated = nn.Sequential(nn.Linear(64, 2 * width, bias=False), nn.Linear(width, 64, bias=False))
    assert abs(count(gated) - count(plain)) <= 64 * 3 * max(multiple, 1) / 2 + 64
    with pytest.raises(ValueError, match="hidden=0"):
        glu_width(0)
