"""ACON: formulas, the constants of its slope, limits in beta, and what is misprinted."""

import math

import numpy as np
import pytest
import torch

from colu.functional import acon, acon_a, acon_b, acon_c, smooth_maximum, swish
from colu.testing import assert_different_function, assert_same_function

X = torch.linspace(-8, 8, 4001, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slope(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def test_smooth_maximum_of_two():
    pair = torch.randn(100, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for beta in (-2.0, 0.0, 0.7, 5.0):
        assert_same_function(lambda v, b=beta: acon(v[:, 0], v[:, 1], b), lambda v, b=beta: smooth_maximum(v, b), pair)


@pytest.mark.parametrize("p1, p2, beta", [(1.2, -0.8, 1.0), (-0.3, 0.9, 2.5), (0.5, 0.5, 1.0)])
def test_formulas(p1, p2, beta):
    x = X.numpy()
    expected = (p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x
    assert np.allclose(acon_c(X, p1, p2, beta), expected, atol=1e-13)
    expected = (1 - p2) * x * sigmoid(beta * (1 - p2) * x) + p2 * x
    assert np.allclose(acon_b(X, p2, beta), expected, atol=1e-13)
    assert np.allclose(acon_a(X, beta), x * sigmoid(beta * x), atol=1e-13)


def test_special_cases():
    assert_same_function(lambda x: acon_a(x, 0.8), lambda x: swish(x, 0.8), X)
    assert_same_function(lambda x: acon_c(x, 1.0, 0.0, 0.8), lambda x: swish(x, 0.8), X)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4), lambda x: acon_c(x, -0.4, 1.3), X)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4, 0.0), lambda x: 0.45 * x, X)
    assert_same_function(lambda x: acon_b(x, 0.25, 1e5), lambda x: torch.maximum(x, x / 4), X, tol=1e-5)
    assert_different_function(lambda x: acon_b(x, 0.25), lambda x: torch.maximum(x, x / 4), X)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4, 1e5), lambda x: torch.maximum(1.3 * x, -0.4 * x), X, tol=1e-5)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4, -1e5), lambda x: torch.minimum(1.3 * x, -0.4 * x), X, tol=1e-5)


def test_constant_of_the_slope():
    root = pytest.importorskip("scipy.optimize").brentq(lambda y: (y - 2) * math.exp(y) - y - 2, 1, 5, xtol=1e-14)
    s = 1 / (1 + math.exp(-root))
    kappa = s + root * s * (1 - s)
    assert abs(root - 2.39936) < 1e-5 and abs(kappa - 1.0998393) < 1e-7
    fine = torch.linspace(root - 1, root + 1, 200001, dtype=torch.float64)
    assert abs(slope(acon_a, fine).max() - kappa) < 1e-10


@pytest.mark.parametrize("p1, p2", [(1.2, -0.8), (-0.3, 0.9), (2.0, 1.5)])
@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_slopes_limits_mean_and_overshoot(p1, p2, beta):
    def f(x):
        return acon_c(x, p1, p2, beta)

    high, low = max(p1, p2), min(p1, p2)
    far, near = 200 / beta / (high - low), 12 / beta / (high - low)
    ends = slope(f, torch.tensor([-far, 0.0, far], dtype=torch.float64))
    assert torch.allclose(ends, torch.tensor([low, (p1 + p2) / 2, high], dtype=torch.float64))
    found = slope(f, torch.linspace(-near, near, 200001, dtype=torch.float64))
    kappa = 1.0998393194
    assert abs(found.max() - (kappa * high - (kappa - 1) * low)) < 1e-7
    assert abs(found.min() - (kappa * low - (kappa - 1) * high)) < 1e-7


@pytest.mark.parametrize("wrong", ["no factor", "sigma of p"])
def test_copied_formulas_in_print_differ(wrong):
    formulas = {
        "no factor": lambda x: 1.2 * torch.sigmoid(2.0 * x) - 0.8 * x,
        "sigma of p": lambda x: 0.7 * x / (1 + torch.exp(-x)),
    }
    right = (lambda x: acon_c(x, 1.2, -0.8)) if wrong == "no factor" else (lambda x: acon_a(x, 0.7))
    assert_different_function(formulas[wrong], right, X)
