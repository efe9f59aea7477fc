"""Experiments: arms that differ in nothing else, and configurations that are all of a run."""

import json
import subprocess
import sys
import pytest
import torch
from typer.testing import CliRunner
from colu.cli import app
from colu.lab.experiments import (
    ARMS,
    EXPERIMENTS,
    STANDARD_ARMS,
    Config,
    PartlyLinear,
    cap_points,
    choose_arms,
    get_arm,
    get_experiment,
    record_path,
    rotation_matrix,
    run,
    run_arms,
)
from colu.lab.experiments.sweep import parse_seeds
from colu.lab.results import find_records, read_record


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
        widths = {"ddpm": [16, 64], "latent-diffusion": [64]}.get(experiment, [])
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


@pytest.mark.parametrize("experiment", sorted(EXPERIMENTS))
def test_standard_arms_are_in_every_comparison_on_data(experiment):
    # A rotation needs cones of three; pairs for fusion compare groups of symmetries, not activations.
    if experiment != "rotation" and not experiment.startswith("fusion-"):
        assert set(STANDARD_ARMS) <= set(EXPERIMENTS[experiment].presets["laptop"].arms)


def test_a_configuration_survives_json():
    config = get_experiment("gpt").config("laptop", "colu-soft-shared", 4, learning_rate=0.01)
    again = Config.from_dict(json.loads(json.dumps(config.to_dict())))
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
        (lambda: get_arm("rleu"), "did you mean 'relu'"),
        (lambda: choose_arms("relu,relu"), "twice"),
        (lambda: get_experiment("gpt").config("tiny", "relu", 0), "'tiny'"),
        (lambda: get_experiment("gpt").config("smoke", "relu", 0, lr=1), "lr"),
        (lambda: get_experiment("gpt").config("smoke", "relu", -1), "seed is -1"),
        (lambda: parse_seeds("a-b"), "'a-b'"),
        (lambda: parse_seeds("1,1"), "each once"),
        (lambda: parse_seeds("3-1"), "at least one"),
        (lambda: cap_points(3, 0), "cap is 0"),
        (lambda: Config.from_dict({"speed": 1}), "speed"),
    ],
)
def test_what_is_not_known_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_importing_experiments_takes_neither_dask_nor_lightning():
    code = "import sys, colu.lab.experiments; assert not {'distributed', 'lightning_fabric'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
