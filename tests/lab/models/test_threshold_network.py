"""Arrangements of hyperplanes, and the network of thresholds that the Lasso finds."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from colu.lab.models import fit_threshold_lasso, hyperplane_arrangements


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n, d", [(5, 1), (6, 2), (8, 3), (7, 4)])
def test_arrangements_are_as_many_as_cover_says(n, d):
    x = np.random.default_rng(0).normal(size=(n, d))
    patterns, directions = hyperplane_arrangements(x)
    assert ((x @ directions >= 0) == patterns).all()
    cover = 2 * sum(math.comb(n - 1, k) for k in range(d))
    everything = linprog(np.zeros(d), A_ub=-x, b_ub=-np.ones(n), bounds=(None, None)).status == 0
    assert patterns.shape[1] == cover + (not everything)
    drawn = np.unique(x @ np.random.default_rng(1).normal(size=(d, 20000)) >= 0, axis=1)
    known = {column.tobytes() for column in patterns.astype(bool).T}
    assert {column.tobytes() for column in drawn.T} <= known


def test_arrangements_refuse_points_that_are_not_in_general_position():
    with pytest.raises(ValueError, match="general position"):
        hyperplane_arrangements(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))


def test_threshold_network_by_lasso_is_the_optimum_of_its_own_objective():
    generator = np.random.default_rng(0)
    x = np.column_stack([generator.normal(size=(8, 2)), np.ones(8)])
    y, beta = generator.normal(size=8), 0.1
    net = fit_threshold_lasso(x, y, beta)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    patterns, _ = hyperplane_arrangements(x)
    value = net.objective(tx, ty, beta).item()
    # No gap to the dual of the Lasso: max over |D'v| <= beta of v'y - v'v / 2.
    residual = y - net(tx).detach().numpy()
    dual_point = residual * min(1, beta / np.abs(patterns.T @ residual).max())
    dual = dual_point @ y - dual_point @ dual_point / 2
    assert 0 <= value - dual < 1e-6
    assert len(net.weight) < patterns.shape[1] / 2
    # Descent from random weights with straight-through gradients does no better.
    for seed in range(3):
        torch.manual_seed(seed)
        rival = type(net)(*(torch.randn(*s, dtype=torch.float64) for s in ((30, 3), (30,), (30,))))
        optimiser = torch.optim.Adam(rival.parameters(), lr=0.02)
        for _ in range(300):
            optimiser.zero_grad()
            loss = rival.objective(tx, ty, beta)
            loss.backward()
            optimiser.step()
        assert rival.objective(tx, ty, beta) > value
