"""Series activations: the kinks of LSLU as corrected and as published, and what folding them needs."""

import numpy as np
import pytest
import torch

from colu.functional import depthwise, fold_batch_norm, lslu, lslu_chain


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_corrected_formula():
    theta, omega, x = normal(4, 3, seed=1), normal(4, 3, seed=2), normal(5, 3, 2, 2)
    expected = np.zeros(x.shape)
    for i in range(4):
        for c in range(3):
            expected[:, c] += theta[i, c].item() * np.maximum(x[:, c].numpy() + omega[i, c].item(), 0)
    assert np.allclose(lslu(x, theta, omega), expected, atol=1e-13)


def kinks(values, x, tol=1e-9):
    """Points where the slope of a piecewise-linear function on a fine grid changes."""
    slope = values.diff() / x.diff()
    jumps = (slope.diff().abs() > tol).nonzero().flatten()
    return sum(1 for k, jump in enumerate(jumps) if k == 0 or jump - jumps[k - 1] > 1)


def test_corrected_has_as_many_kinks_as_terms():
    x = torch.linspace(-5, 5, 100001, dtype=torch.float64)
    theta, omega = torch.tensor([[1.0], [-2.0], [0.7]]).double(), torch.tensor([[0.1], [1.3], [-2.2]]).double()
    assert kinks(lslu(x[:, None], theta, omega)[:, 0], x) == 3


@pytest.mark.parametrize("seed", range(10))
def test_published_chain_has_one_kink_with_positive_theta(seed):
    x = torch.linspace(-20, 20, 40001, dtype=torch.float64)
    theta, omega = normal(4, seed=seed).abs() + 0.2, normal(4, seed=seed + 50)
    assert kinks(lslu_chain(x, theta, omega), x) == 1


def test_published_chain_with_a_negative_theta_is_a_ramp():
    x = torch.linspace(-20, 20, 40001, dtype=torch.float64)
    theta, omega = torch.tensor([-1.0, 1.0]).double(), torch.tensor([2.0, 0.0]).double()
    y = lslu_chain(x, theta, omega)
    assert kinks(y, x) == 2 and y.max() == 2 and y.min() == 0


def test_parameters_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 3\)"):
        lslu(normal(5, 3), torch.ones(2, 3), torch.ones(3, 3))


def test_a_normalisation_folds_into_the_convolution_before_it():
    x, kernel = normal(4, 3, 6, 5), normal(3, 1, 3, 3, seed=1)
    mean, variance, scale, shift = normal(3, seed=2), normal(3, seed=3).square(), normal(3, seed=4), normal(3, seed=5)
    y = torch.nn.functional.conv2d(x, kernel, padding=1, groups=3)
    expected = torch.nn.functional.batch_norm(y, mean, variance, scale, shift, eps=1e-6)
    folded, bias = fold_batch_norm(kernel, mean, variance, scale, shift, 1e-6)
    assert torch.allclose(depthwise(x, folded) + bias.view(3, 1, 1), expected, atol=1e-10)
