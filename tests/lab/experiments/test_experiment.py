"""Experiments: arms that differ in nothing else, and configurations that are all of a run."""

import dataclasses
import json
import pickle

import pytest
import torch
from typer.testing import CliRunner

from colu.lab.experiments import (
    ARMS,
    EXPERIMENTS,
    STANDARD_ARMS,
    Config,
    get_experiment,
)

runner = CliRunner()


def shared_weights(experiment, arm, seed=0):
    """Weights of the layers that every arm has, by name."""
    config = get_experiment(experiment).config("smoke", arm, seed)
    model = get_experiment(experiment).build(config).model
    return {n: p for n, p in model.named_parameters() if not n.rsplit(".", 2)[-2].startswith("act")}


@pytest.mark.parametrize("experiment", sorted(EXPERIMENTS))
def test_arms_of_one_width_start_from_equal_weights(experiment):
    start = shared_weights(experiment, "relu")
    compared = 0
    for name, arm in ARMS.items():
        if experiment == "rotation" and arm.width(3) != 3:  # cones of more than the width of this network
            continue
        widths = {"ddpm": [16, 64], "latent-diffusion": [64], "cifar-fast": [8]}.get(experiment, [])
        if [arm.width(w) for w in widths] != widths:  # refused by name, see its tests
            continue
        other = shared_weights(experiment, name)
        if all(start[n].shape == other[n].shape for n in start):
            assert all(torch.equal(start[n], other[n]) for n in start), name
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize("experiment", sorted(EXPERIMENTS))
def test_another_seed_gives_other_weights(experiment):
    a, b = shared_weights(experiment, "relu", 0), shared_weights(experiment, "relu", 1)
    assert any(not torch.equal(a[n], b[n]) for n in a)


def test_batches_of_two_arms_are_the_same():
    tasks = [
        get_experiment("mnist-mlp").build(get_experiment("mnist-mlp").config("smoke", a, 3)) for a in ("relu", "colu")
    ]
    for step in (0, 7, 11):
        (x, y), (u, v) = (task.batch(step) for task in tasks)
        assert torch.equal(x, u) and torch.equal(y, v)


def test_configurations_of_one_seed_stand_together_in_the_order_of_the_arms():
    found = get_experiment("mnist-mlp").configs("smoke", ["relu", "colu"], [4, 2], steps=3)
    assert [(c.arm, c.seed) for c in found] == [("relu", 4), ("colu", 4), ("relu", 2), ("colu", 2)]
    assert {c.plan.steps for c in found} == {3}
    preset = EXPERIMENTS["mnist-mlp"].presets["smoke"]
    assert len(get_experiment("mnist-mlp").configs("smoke")) == len(preset.arms) * preset.seeds


def test_a_configuration_is_pickled_and_cannot_be_changed():
    config = get_experiment("gpt").config("smoke", "relu", 0)
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    with pytest.raises(ValueError, match="seed"):
        dataclasses.replace(config, seed=-1)


def test_a_number_is_kept_as_it_was_written():
    one, other = (get_experiment("gpt").config("smoke", "relu", 0, clip_norm=norm) for norm in (1, 1.0))
    assert type(one.plan.clip_norm) is int and one.hash != other.hash


@pytest.mark.parametrize("experiment", sorted(EXPERIMENTS))
def test_standard_arms_are_in_every_comparison_on_data(experiment):
    # A rotation needs cones of three; pairs for fusion compare groups of symmetries, not activations.
    if experiment != "rotation" and not experiment.startswith("fusion-"):
        assert set(STANDARD_ARMS) <= set(EXPERIMENTS[experiment].presets["laptop"].arms)


def test_a_configuration_survives_json():
    config = get_experiment("gpt").config("laptop", "colu-soft-shared", 4, learning_rate=0.01)
    again = Config(**json.loads(json.dumps(config.to_dict())))
    assert again == config and again.hash == config.hash


def test_every_setting_is_part_of_the_identity():
    experiment = get_experiment("mnist-mlp")
    base = experiment.config("smoke", "relu", 0)
    changed = [
        experiment.config("smoke", "relu", 1),
        experiment.config("smoke", "colu", 0),
        experiment.config("laptop", "relu", 0),
        experiment.config("smoke", "relu", 0, learning_rate=0.1),
        experiment.config("smoke", "relu", 0, holdout=100),
        experiment.config("smoke", "relu", 0, threads=2),
        experiment.config("smoke", "relu", 0, precision="bf16-mixed"),
    ]
    assert len({c.hash for c in (base, *changed)}) == 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: get_experiment("mnist-mpl"), "did you mean 'mnist-mlp'"),
        (lambda: get_experiment("gpt").config("tiny", "relu", 0), "'tiny'"),
        (lambda: get_experiment("gpt").config("smoke", "relu", 0, lr=1), "lr"),
        (lambda: get_experiment("gpt").config("smoke", "relu", -1), "seed\n  Input should be .* 0 .*input_value=-1"),
        (lambda: get_experiment("gpt").configs("tiny"), "'tiny'"),
        (lambda: get_experiment("gpt").configs("smoke", "relu,relu"), "twice"),
        (lambda: Config(**{"speed": 1}), "speed\n  Unexpected keyword argument"),
        (lambda: get_experiment("gpt").config("smoke", "relu", 0, steps=0), "steps\n  Input should be .* 1 "),
        (lambda: get_experiment("gpt").config("smoke", "relu", 0, threads="2"), "threads\n  .* integer .*'2'"),
    ],
)
def test_what_is_not_known_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_each_experiment_has_all_presets():
    """Commands and pages go over presets by name."""
    for name, experiment in EXPERIMENTS.items():
        assert list(experiment.presets) == ["smoke", "laptop", "full"], name
