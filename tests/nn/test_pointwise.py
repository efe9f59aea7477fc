"""The pointwise activations that torch has no module for, and those of torch under their names."""

import functools

import pytest
import torch
from torch import nn

from colu.nn import HardMish, QuickGELU, create, get_entry

OURS = [HardMish(), QuickGELU()]


@pytest.mark.parametrize("module", OURS, ids=repr)
def test_gradients_are_right_and_finite_also_in_half_precision(module):
    x = torch.tensor([-30.0, -2.5, -1.0, 0.3, 1.7, 9.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,)) and torch.autograd.gradgradcheck(module, (x,))
    for dtype in (torch.float32, torch.bfloat16):
        wide = torch.tensor([-1e20, -1e-20, 0.0, 1e-20, 1e20], dtype=dtype, requires_grad=True)
        y = module(wide)
        y.sum().backward()
        assert y.isfinite().all() and wide.grad.isfinite().all() and y.dtype == dtype
    assert module(torch.zeros(0, 3)).shape == (0, 3)


def test_both_are_near_what_they_stand_for():
    x = torch.linspace(-6, 6, 1001)
    assert (create("quick-gelu")(x) - nn.functional.gelu(x)).abs().max() < 0.03
    assert (create("hard-mish")(x) - nn.functional.mish(x)).abs().max() < 0.4
    assert torch.equal(create("hard-mish", inplace=True)(x[x >= 0]), x[x >= 0])


def test_other_spellings_lead_to_torchs_modules():
    for name, wanted in (
        ("hard_swish", nn.Hardswish),
        ("hard-sigmoid", nn.Hardsigmoid),
        ("log_sigmoid", nn.LogSigmoid),
    ):
        assert type(create(name)) is wanted
    gelu = create("gelu_tanh")
    assert isinstance(gelu, nn.GELU) and gelu.approximate == "tanh"
    assert isinstance(get_entry("gelu-tanh").factory, functools.partial)
