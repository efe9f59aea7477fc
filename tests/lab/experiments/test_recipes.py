"""Pairs merged by each way and recipe: what only moves keeps its answers, and a common start is common."""

import pytest
import torch

from colu.lab.experiments import get_experiment, run_arms
from colu.lab.experiments.recipes import FROM_A_BASE, RECIPES, WAYS
from colu.lab.training import fit

SMALL = {"hidden": [16, 16], "steps": 20, "repair_size": 100}


def test_each_way_keeps_the_network_that_it_moves_in_both_directions():
    (record,) = run_arms("fusion-published", arms=["relu"], seeds=[0], **SMALL)
    found = record.metrics
    for name in WAYS:
        for end, parent in (("", "first"), ("_back", "second")):
            # One answer of 450 may turn by rounding in float32.
            assert abs(found[f"alone_accuracy_{name}{end}"] - found[f"{parent}_accuracy"]) <= 100 / 450 + 1e-9
    # An exact plan of equal widths is an order, and its mean does not know which network was moved.
    assert found["fused_accuracy_transport"] == pytest.approx(found["fused_accuracy_transport_back"], abs=0.3)


def test_networks_of_the_published_protocol_have_no_biases():
    experiment = get_experiment("fusion-published")
    task = experiment.build(experiment.config("laptop", "relu", 0, dataset="digits"))
    shapes = [tuple(tensor.shape) for tensor in task.model[0].state_dict().values()]
    assert shapes == [(400, 64), (200, 400), (100, 200), (10, 100)]


def test_a_common_start_is_one_network_until_it_parts():
    experiment = get_experiment("fusion-recipes")
    config = experiment.config("smoke", "relu", 0, common=10, **{**SMALL, "steps": 11})
    task = experiment.build(config)
    batches = [task.batch(step) for step in (9, 10)]
    assert torch.equal(batches[0][0][0], batches[0][1][0]) and not torch.equal(batches[1][0][0], batches[1][1][0])
    done = fit(task, config.plan, seed=0)
    base, (one, other) = task.base, (part.state_dict() for part in done.model)
    far = [max(float((end[name] - base[name]).abs().max()) for name in base) for end in (one, other)]
    apart = max(float((one[name] - other[name]).abs().max()) for name in base)
    # One step of Adam moves a weight by at most the learning rate or little more.
    assert 0 < apart < 0.01 and 0 < max(far) < 0.01


def test_recipes_with_a_base_are_asked_of_a_common_start_alone():
    (apart,) = run_arms("fusion-recipes", arms=["relu"], seeds=[0], **SMALL)
    (common,) = run_arms("fusion-recipes", arms=["relu"], seeds=[0], common=10, **SMALL)
    assert all(f"{name}_accuracy" in apart.metrics for name in RECIPES)
    assert not any(f"{name}_accuracy" in apart.metrics for name in FROM_A_BASE)
    assert all(f"{name}_accuracy" in common.metrics for name in (*RECIPES, *FROM_A_BASE, "base"))
    with pytest.raises(ValueError, match="common is 20 of 20 steps"):
        run_arms("fusion-recipes", arms=["relu"], seeds=[0], common=20, **SMALL)
