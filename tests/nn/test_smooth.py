"""Smooth activations as modules: their functions, refusals."""

import pytest
import torch

from colu.functional import sqish, squared_relu, swish
from colu.nn import FourierActivation, LinearCombination, Sqish, SquaredReLU, Swish
from colu.testing import assert_same_function

X = torch.linspace(-8, 8, 4001, dtype=torch.float64)


def test_fourier_repeats_and_is_near_relu_inside():
    module = FourierActivation(20).double()
    x = X[X.abs() < 3]
    assert (module(x) - torch.relu(x)).abs().max() < 0.3
    assert torch.allclose(module(x), module(x + 8), atol=1e-5)


def test_linear_combination_weights_a_channel():
    module = LinearCombination(2, functions=("relu", "identity"))
    torch.nn.init.zeros_(module.weights)
    with torch.no_grad():
        module.weights[0, 0] = 3.0
        module.weights[1, 1] = -1.0
    assert module(torch.tensor([[2.0, 2.0], [-1.0, -1.0]])).tolist() == [[6.0, -2.0], [0.0, 1.0]]


@pytest.mark.parametrize("beta", [-1.5, 0.0, 0.3, 1.0, 5.0])
def test_swish_is_its_function(beta):
    # The parameter is rounded to float32, here and below.
    assert_same_function(Swish(beta=beta).double(), lambda x: swish(x, beta), X, tol=1e-6)
    assert_same_function(Swish().double(), torch.nn.functional.silu, X)


@pytest.mark.parametrize("options", [(0.25, 1.0, 1.0), (0.0, 1.0, 1.0), (0.1, 3.0, 0.4), (-0.2, 0.5, 2.0)])
def test_sqish_is_its_function(options):
    assert_same_function(Sqish(None, *options).double(), lambda x: sqish(x, *options), X, tol=1e-6)


def test_squared_relu_is_its_function():
    assert_same_function(SquaredReLU(), squared_relu, X)


@pytest.mark.parametrize("make, message", [
    (lambda: Sqish(beta=0.0), "beta"), (lambda: Sqish(beta=-1.0), "beta"),
    (lambda: FourierActivation(frequency=0.0), "frequency"),
    (lambda: LinearCombination(functions=("rellu",)), "'rellu'"), (lambda: LinearCombination(functions=()), "empty"),
])  # fmt: skip
def test_bad_options_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()
