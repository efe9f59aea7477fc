"""Norm-ReLU and gates as modules: their functions with what they learn, and refusals."""

import pytest
import torch

from colu.functional import gated, norm_relu
from colu.nn import Gated, NormReLU
from colu.testing import assert_same_function


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channel_dim", [1, -1])
def test_modules_are_their_functions_with_a_number_a_vector(channel_dim):
    x, numbers = normal(7, 12, 12), torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)
    radius = NormReLU(12, channel_dim=channel_dim).double()
    assert_same_function(radius, lambda v: norm_relu(v, 1.0, dim=4, channel_dim=channel_dim), x)
    gate = Gated(12, channel_dim=channel_dim).double()
    with torch.no_grad():
        radius.log_radius.copy_(numbers.log())
        gate.bias.copy_(numbers)
    assert_same_function(radius, lambda v: norm_relu(v, numbers, dim=4, channel_dim=channel_dim), x)
    x = normal(7, gate.in_channels, gate.in_channels)
    assert_same_function(gate, lambda v: gated(v, numbers, dim=4, channel_dim=channel_dim), x)


def test_a_radius_stays_positive_however_far_a_step_goes():
    module, x = NormReLU(4, dim=4, radius=0.5), torch.ones(1, 4)
    assert module(x).norm().item() == pytest.approx(1.5)
    with torch.no_grad():
        module.log_radius.sub_(50)
    assert torch.allclose(module(x), x) and module.log_radius.exp() > 0


@pytest.mark.parametrize("make, message", [
    (lambda: NormReLU(6), "num_channels=6 .*dim=4.*8"), (lambda: Gated(6), "num_channels=6 .*dim=4.*8"),
    (lambda: NormReLU(4, radius=0.0), "radius=0.0"), (lambda: Gated(4, dim=0), "dim=0"),
])  # fmt: skip
def test_bad_options_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()
