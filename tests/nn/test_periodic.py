"""Snake, and sines with the weights of SIREN."""

import math

import pytest
import torch
from torch import nn

from colu.nn import Sine, Snake, siren_init_


def test_snake_of_frequency_zero_is_the_identity_with_a_gradient():
    module = Snake(2, alpha=0.0).double()
    x = torch.randn(5, 2, dtype=torch.float64)
    assert torch.equal(module(x), x)
    (slope,) = torch.autograd.grad(module(x).sum(), module.alpha)
    # sin(a x)^2 / a is a x^2 to first order.
    assert torch.allclose(slope, x.square().sum(0))


def test_snake_is_its_formula_with_a_frequency_a_channel():
    module = Snake(3).double()
    nn.init.uniform_(module.alpha, 0.5, 2)
    x = 4 * torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(module(x), x + torch.sin(module.alpha * x).square() / module.alpha)


def test_a_deep_network_of_sines_keeps_its_arguments_near_the_standard_normal():
    torch.manual_seed(0)
    x = 2 * torch.rand(2000, 2) - 1
    for layer in range(6):
        linear = nn.Linear(x.shape[1], 256)
        siren_init_(linear.weight, first=layer == 0)
        nn.init.zeros_(linear.bias)
        argument = 30 * linear(x)
        if layer:
            assert 0.7 < argument.std() < 1.3
        x = Sine(30)(linear(x))
    with pytest.raises(ValueError, match="no weight of a layer"):
        siren_init_(torch.zeros(3))
    assert siren_init_(torch.empty(4, 5), first=True).abs().max() <= 1 / 5
    assert siren_init_(torch.empty(4, 5, 2), 2.0).abs().max() <= math.sqrt(6 / 10) / 2
