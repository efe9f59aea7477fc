"""Classification: what is held out, and what activations learn."""

import pytest

from colu.lab.experiments import run_arms


def test_holdout_trains_on_the_rest_and_never_sees_the_test_set():
    record = run_arms("mnist-mlp", arms=["relu"], seeds=[0], steps=5, holdout=300)[0]
    assert "validation_accuracy" in record.metrics and "test_accuracy" not in record.metrics


@pytest.mark.parametrize(("arm", "names"), [("lslu", {"theta", "omega"}), ("acon-c", {"p1", "p2", "beta"})])
def test_what_an_activation_learns_is_in_the_curve(arm, names):
    (record,) = run_arms("mnist-mlp", arms=[arm], seeds=[0], steps=20, log_every=10, evaluate_every=10)
    assert {name.removesuffix("_mean") for name in record.metrics if name.endswith("_mean")} == names
    moved = [entry[f"{name}_sd"] for name in sorted(names) for entry in record.curve]
    assert len(moved) == 2 * len(names) and len(set(moved)) > len(names)


def test_an_activation_without_parameters_adds_nothing():
    (record,) = run_arms("mnist-mlp", arms=["colu"], seeds=[0], steps=5)
    assert not [name for name in record.metrics if name.endswith(("_mean", "_sd"))]
