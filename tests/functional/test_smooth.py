"""Smooth activations against their formulas and in their limits."""

import math

import numpy as np
import pytest
import torch

from colu.functional import fourier, fourier_relu, linear_combination, smooth_maximum, sqish, squared_relu, swish
from colu.testing import assert_same_function

X = torch.linspace(-8, 8, 4001, dtype=torch.float64)
N = X.numpy()


def close(found, expected, tol=1e-13):
    return np.abs(found.detach().numpy() - expected).max() <= tol * max(1, np.abs(expected).max())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("beta", [-1.5, 0.0, 0.3, 1.0, 5.0])
def test_swish_formula(beta):
    assert close(swish(X, beta), N * sigmoid(beta * N))


def test_swish_between_half_and_relu():
    assert_same_function(lambda x: swish(x, 0.0), lambda x: x / 2, X)
    assert_same_function(lambda x: swish(x, 1e4), torch.relu, X, tol=1e-4)
    assert_same_function(swish, torch.nn.functional.silu, X)


def test_silu_minimum():
    optimize = pytest.importorskip("scipy.optimize")
    found = optimize.minimize_scalar(lambda t: swish(torch.tensor(t, dtype=torch.float64)).item(), (-2, -1))
    assert abs(found.fun + 0.27846) < 1e-5 and abs(found.x + 1.27846) < 1e-5


@pytest.mark.parametrize("alpha, beta, gamma", [(0.25, 1.0, 1.0), (0.0, 1.0, 1.0), (0.1, 3.0, 0.4), (-0.2, 0.5, 2.0)])
def test_sqish_formula_and_limits(alpha, beta, gamma):
    expected = alpha * N + (1 - alpha) * N / np.sqrt(1 + beta * np.exp(-2 * gamma * (1 - alpha) * N))
    assert close(sqish(X, alpha, beta, gamma), expected)
    far = torch.tensor([-1e3, 1e3], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(sqish(far, alpha, beta, gamma).sum(), far)
    assert torch.allclose(slope, torch.tensor([alpha, 1.0], dtype=torch.float64), atol=1e-6)


def test_sqish_is_not_monotone_for_slope_zero():
    assert sqish(X, alpha=0.0).min() < -0.1


def test_sqish_beta_must_be_positive():
    for wrong in (0.0, -1.0):
        with pytest.raises(ValueError, match="beta"):
            sqish(X, beta=wrong)


def test_squared_relu_formula():
    assert close(squared_relu(X), np.where(N > 0, N * N, 0))


def test_fourier_formula():
    a, b = torch.tensor([0.7, -0.2, 0.5], dtype=torch.float64), torch.tensor([1.0, 0.3], dtype=torch.float64)
    expected = 0.35 - 0.2 * np.cos(0.9 * N) + 0.5 * np.cos(1.8 * N) + np.sin(0.9 * N) + 0.3 * np.sin(1.8 * N)
    assert close(fourier(X, a, b, 0.9), expected)


def test_fourier_coefficients_of_relu():
    quad = pytest.importorskip("scipy.integrate").quad
    omega = 0.8
    end = math.pi / omega
    a, b = fourier_relu(4, omega)
    for k in range(5):
        expected = quad(lambda x: x * math.cos(k * omega * x), 0, end)[0] / end  # noqa: B023
        assert abs(a[k] - expected) < 1e-12
    for k in range(1, 5):
        assert abs(b[k - 1] - quad(lambda x: x * math.sin(k * omega * x), 0, end)[0] / end) < 1e-12  # noqa: B023


def test_fourier_wants_matching_coefficients():
    with pytest.raises(ValueError, match=r"\(3,\).*\(3,\)"):
        fourier(X, torch.ones(3), torch.ones(3))


def test_linear_combination_formula():
    w = torch.tensor([0.5, -2.0, 1.5], dtype=torch.float64)
    expected = 0.5 * np.maximum(N, 0) - 2 * np.tanh(N) + 1.5 * np.sin(N)
    assert close(linear_combination(X, w, ["relu", "tanh", torch.sin]), expected)


def test_linear_combination_wants_a_weight_for_each_function():
    with pytest.raises(ValueError, match="3 weights for 1 functions"):
        linear_combination(X, torch.ones(3), ["relu"])


@pytest.mark.parametrize("beta", [-2.0, -0.1, 0.0, 0.5, 3.0])
def test_smooth_maximum_formula(beta):
    x = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = np.exp(beta * x.numpy())
    expected = (x.numpy() * weight).sum(1) / weight.sum(1)
    assert close(smooth_maximum(x, beta), expected)
    assert close(smooth_maximum(x, torch.tensor(beta, dtype=x.dtype)), expected)
    assert close(smooth_maximum(x.T, beta, dim=0), expected)
    assert torch.autograd.gradcheck(lambda v: smooth_maximum(v, beta), (x[:3].requires_grad_(),))


def test_smooth_maximum_limits():
    x = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_same_function(lambda v: smooth_maximum(v, 0.0), lambda v: v.mean(-1), x)
    for beta in (1e6, 1e300, math.inf):
        assert_same_function(lambda v, b=beta: smooth_maximum(v, b), lambda v: v.amax(-1), x)
        assert_same_function(lambda v, b=beta: smooth_maximum(v, -b), lambda v: v.amin(-1), x)
    huge = torch.tensor([1e20, -1e20, 0.0], requires_grad=True)
    y = smooth_maximum(huge, 1e20)
    assert y.item() == pytest.approx(1e20)
    assert torch.autograd.grad(y, huge)[0].isfinite().all()
