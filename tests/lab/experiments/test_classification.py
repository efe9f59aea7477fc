"""Classification: what is held out, and what activations learn."""

import pytest
import torch

from colu.lab.experiments import get_experiment, run_arms


def test_holdout_trains_on_the_rest_and_never_sees_the_test_set():
    record = run_arms("mnist-mlp", arms=["relu"], seeds=[0], steps=5, holdout=300)[0]
    assert "validation_accuracy" in record.metrics and "test_accuracy" not in record.metrics


@pytest.mark.parametrize(("arm", "names"), [("lslu", {"theta", "omega"}), ("acon-c", {"p1", "p2", "beta"})])
def test_what_an_activation_learns_is_in_the_curve(arm, names):
    (record,) = run_arms("mnist-mlp", arms=[arm], seeds=[0], steps=20, log_every=10, evaluate_every=10)
    assert {name.removesuffix("_mean") for name in record.metrics if name.endswith("_mean")} == names
    moved = [entry[f"{name}_sd"] for name in sorted(names) for entry in record.curve]
    assert len(moved) == 2 * len(names) and len(set(moved)) > len(names)


def test_gaussian_weights_are_normal_equal_between_arms_and_only_where_asked_for():
    experiment = get_experiment("mnist-mlp")
    plain, drawn, other = (
        experiment.build(experiment.config("smoke", arm, 3, hidden=[400], **more)).model
        for arm, more in (("relu", {}), ("relu", {"init": "gaussian"}), ("colu", {"init": "gaussian"}))
    )
    weight = drawn[1].weight.detach() * 8  # 64 inputs
    assert abs(float(weight.mean())) < 0.03 and abs(float(weight.var()) - 1) < 0.05
    kurtosis = float(weight.pow(4).mean())
    assert abs(kurtosis - 3) < 0.3 and abs(float((plain[1].weight.detach() * 8).mul(3**0.5).pow(4).mean()) - 1.8) < 0.3
    assert not drawn[1].bias.any() and plain[1].bias.any()
    assert torch.equal(drawn[1].weight, other[1].weight) and torch.equal(drawn[3].weight, other[3].weight)


def test_settings_without_an_option_that_may_be_left_out_keep_their_identity():
    assert "init" not in get_experiment("mnist-mlp").config("laptop", "relu", 0).options


def test_an_activation_without_parameters_adds_nothing():
    (record,) = run_arms("mnist-mlp", arms=["colu"], seeds=[0], steps=5)
    assert not [name for name in record.metrics if name.endswith(("_mean", "_sd"))]
