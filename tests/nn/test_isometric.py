"""Activations that keep norms as modules: an angle a pair, and options that reach the function."""

import math

import pytest
import torch

from colu.functional import crelu, group_sort, householder_activation
from colu.nn import CReLU, GroupSort, HouseholderActivation
from colu.testing import assert_preserves, assert_same_function


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pairing", ["neighbours", "halves"])
def test_each_pair_is_reflected_by_its_own_angle(pairing):
    x, angles = normal(50, 6), torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)
    module = HouseholderActivation(6, pairing=pairing).double()
    assert_same_function(module, lambda v: householder_activation(v, math.pi / 2, pairing=pairing), x, tol=1e-6)
    with torch.no_grad():
        module.angle.copy_(angles)
    assert_preserves(module, lambda v: v.norm(dim=1), x)
    for k, angle in enumerate(angles):
        pair = [2 * k, 2 * k + 1] if pairing == "neighbours" else [k, k + 3]
        assert torch.allclose(module(x)[:, pair], householder_activation(x[:, pair], angle.item()))


def test_options_reach_the_functions():
    x = normal(4, 5, 6)
    assert_same_function(GroupSort(3, channel_dim=-1), lambda v: group_sort(v, 3, channel_dim=-1), x)
    assert_same_function(CReLU(channel_dim=-1), lambda v: crelu(v, channel_dim=-1), x)


@pytest.mark.parametrize("make, message", [
    (lambda: GroupSort(0), "group_size=0"), (lambda: HouseholderActivation(4, pairing="thirds"), "'thirds'.*'halves'"),
    (lambda: HouseholderActivation(5), "num_channels=5 does not make pairs"),
])  # fmt: skip
def test_bad_options_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()
