"""Activations in pieces against their formulas, with their kinks."""

import numpy as np
import pytest
import torch

from colu.functional import apalu, maxout, pwlu, talu
from colu.testing import assert_not_equivariant

X = torch.linspace(-8, 8, 4001, dtype=torch.float64)
N = X.numpy()


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("threshold", [-0.5, -0.05, -3.0])
def test_talu_formula(threshold):
    expected = np.where(N > 0, N, np.where(N > threshold, np.tanh(N), np.tanh(threshold)))
    assert np.allclose(talu(X, threshold), expected, atol=1e-15)


def test_talu_dies_below_its_threshold():
    x = torch.tensor([-0.6, -0.4, 1.0], requires_grad=True)
    (slope,) = torch.autograd.grad(talu(x).sum(), x)
    assert slope[0] == 0 and 0.8 < slope[1] < 1 and slope[2] == 1


def test_talu_threshold_is_negative():
    for wrong in (0.0, 0.5):
        with pytest.raises(ValueError, match="threshold"):
            talu(X, wrong)


@pytest.mark.parametrize("a, b", [(0.55, 0.065), (1.0, 2.0)])
def test_apalu_formula(a, b):
    expected = np.where(N >= 0, a * (N + N / (1 + np.exp(-1.702 * N))), b * (np.exp(N) - 1))
    assert np.allclose(apalu(X, a, b), expected, atol=1e-14)


@pytest.mark.parametrize("a, b, smooth", [(0.55, 0.065, False), (0.55, 0.825, True), (1.0, 1.0, False)])
def test_apalu_has_a_kink_unless_b_is_three_halves_of_a(a, b, smooth):
    h = 1e-7
    right = (apalu(torch.tensor(h).double(), a, b) / h).item()
    left = (apalu(torch.tensor(-h).double(), a, b) / -h).item()
    assert abs(right - 1.5 * a) < 1e-6 and abs(left - b) < 1e-6
    assert (abs(right - left) < 1e-6) == smooth


def test_pwlu_without_a_knot_at_zero_is_not_relu():
    one = torch.ones(1, dtype=torch.float64)
    values = torch.linspace(-3, 3, 6).double().clamp(min=0)[None]
    y = pwlu(X[:, None], -3 * one, 3 * one, values, 0 * one, one)[:, 0]
    assert (y - X.relu()).abs().max() > 0.1


def test_maxout_formula():
    x = normal(4, 6, 3)
    expected = x.numpy().reshape(4, 2, 3, 3).max(2)
    assert np.array_equal(maxout(x, 3), expected)
    assert np.array_equal(maxout(x.movedim(1, -1), 3, channel_dim=-1), np.moveaxis(expected, 1, -1))
    assert torch.equal(maxout(x, 1), x)


def test_maxout_is_relu_against_zero_and_symmetric_within_groups_alone():
    x = normal(20, 6)
    pairs = torch.stack([x, torch.zeros_like(x)], 2).flatten(1)
    assert torch.equal(maxout(pairs), x.relu())
    within, across = [1, 0, 2, 3, 5, 4], [2, 1, 0, 3, 4, 5]
    assert torch.equal(maxout(x[:, within]), maxout(x))
    assert_not_equivariant(maxout, (lambda v: v[:, across], lambda v: v), x)


def test_maxout_refuses_channels_it_cannot_group():
    with pytest.raises(ValueError, match="pieces=4 does not divide the 6"):
        maxout(normal(2, 6), 4)
