"""Experiments: arms that differ in nothing else, one record a configuration, the same from every door."""

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


@pytest.mark.parametrize("name", sorted(ARMS))
def test_every_arm_fits_its_widths(name):
    arm = get_arm(name)
    for channels in (16, 32, 64, 512):
        width = arm.width(channels)
        assert channels - (12 if name.endswith("-13") else 3) <= width <= channels
        x = torch.randn(5, width)
        assert arm.for_channels(width)(x).shape == x.shape


@pytest.mark.parametrize("experiment", sorted(EXPERIMENTS))
def test_standard_arms_are_in_every_comparison_on_data(experiment):
    # A rotation needs cones of three; pairs for fusion compare groups of symmetries, not activations.
    if experiment != "rotation" and not experiment.startswith("fusion-"):
        assert set(STANDARD_ARMS) <= set(EXPERIMENTS[experiment].presets["laptop"].arms)


def test_partly_linear_lets_a_quarter_pass_and_rectifies_the_rest():
    x = torch.randn(6, 16)
    y = PartlyLinear(4)(x)
    assert torch.equal(y[:, :4], x[:, :4]) and torch.equal(y[:, 4:], x[:, 4:].relu())


def test_the_same_configuration_is_one_record(tmp_path):
    config = get_experiment("mnist-mlp").config("smoke", "colu", 0, steps=20)
    first = run(config, tmp_path)
    assert run(config, tmp_path) == first
    assert len(find_records("mnist-mlp", tmp_path)) == 1
    assert not list(tmp_path.glob(".unfinished/*"))


def test_two_runs_give_the_same_numbers():
    config = get_experiment("cifar-resnet").config("smoke", "colu", 0, steps=6, log_every=3)
    a, b = (run(config, keep=False) for _ in range(2))
    assert a.metrics == b.metrics
    assert [{**e, "seconds": 0} for e in a.curve] == [{**e, "seconds": 0} for e in b.curve]


def test_without_records_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_arms("rotation", arms=["relu"], seeds=[0], steps=3)
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_is_recorded_with_its_error(tmp_path):
    config = get_experiment("mnist-mlp").config("smoke", "relu", 0, learning_rate=1e38, optimiser="sgd", steps=20)
    with pytest.raises(Exception, match="not finite"):
        run(config, tmp_path)
    (failed,) = (tmp_path / "mnist-mlp" / "failed").glob("*.json")
    value = read_record(failed)
    assert value.status == "failed" and "not finite at step" in value.error


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


def test_holdout_trains_on_the_rest_and_never_sees_the_test_set():
    record = run_arms("mnist-mlp", arms=["relu"], seeds=[0], steps=5, holdout=300)[0]
    assert "validation_accuracy" in record.metrics and "test_accuracy" not in record.metrics


def test_rotation_is_a_rotation_and_the_cap_is_a_cap():
    q = rotation_matrix(45.0)
    assert torch.allclose(q @ q.T, torch.eye(3, dtype=torch.float64)) and torch.det(q) > 0.999
    points = cap_points(2000, 60.0, torch.Generator().manual_seed(0))
    assert torch.allclose(points.norm(dim=1), torch.ones(2000, dtype=torch.float64))
    # Uniform on the cap: heights are uniform between cos 60 and 1.
    assert points[:, 2].min() >= 0.5 and abs(points[:, 2].mean() - 0.75) < 0.02


def test_a_command_writes_the_record_that_a_call_writes(tmp_path):
    result = runner.invoke(
        app,
        ["run", "mnist-mlp", "--arms", "relu,colu", "--seeds", "0-1", "--results", str(tmp_path), "--set", "steps=20"],
    )
    assert result.exit_code == 0, result.output
    config = get_experiment("mnist-mlp").config("smoke", "colu", 1, steps=20)
    stored = read_record(record_path(config, tmp_path))
    called = run(config, keep=False)
    assert stored.metrics == called.metrics and stored.config_hash == called.config_hash
    table = runner.invoke(app, ["table", "mnist-mlp", "--results", str(tmp_path), "--set", "steps=20"])
    assert table.exit_code == 0 and "CoLU S=4" in table.output and "paired" in table.output


def test_a_table_has_arms_that_only_the_registry_knows(tmp_path):
    rest = ["--results", str(tmp_path), "--set", "steps=2"]
    made = runner.invoke(app, ["run", "registry-benchmark", "--arms", "relu,prelu", "--seeds", "0-1", *rest])
    assert made.exit_code == 0, made.output
    table = runner.invoke(app, ["table", "registry-benchmark", *rest])
    assert "| prelu |" in table.output, table.output


def test_commands_refuse_what_is_not_known(tmp_path):
    for words in (
        ["run", "mnist-mpl"],
        ["run", "mnist-mlp", "--arms", "rleu"],
        ["run", "mnist-mlp", "--seeds", "x"],
        ["run", "mnist-mlp", "--preset", "huge"],
        ["run", "mnist-mlp", "--set", "steps"],
        ["sweep", "mnist-mlp", "--arms", "rleu"],
        ["table", "mnist-mlp"],
    ):
        result = runner.invoke(app, [*words, "--results", str(tmp_path)])
        assert result.exit_code == 2, (words, result.output)
        assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_failing_run_does_not_stop_the_others(tmp_path):
    result = runner.invoke(
        app,
        [
            "run",
            "mnist-mlp",
            "--arms",
            "relu,colu",
            "--seeds",
            "0",
            "--results",
            str(tmp_path),
            "--set",
            "steps=20",
            "--set",
            'optimiser="sgd"',
            "--set",
            "learning_rate=1e38",
        ],
    )
    assert result.exit_code == 1
    assert len(list((tmp_path / "mnist-mlp" / "failed").glob("*.json"))) == 2


def test_doctor_says_what_is_there():
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0 and torch.__version__.split("+")[0] in result.output and "digits" in result.output


def test_importing_experiments_takes_neither_dask_nor_lightning():
    code = "import sys, colu.lab.experiments; assert not {'distributed', 'lightning_fabric'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("arm", "names"), [("lslu", {"theta", "omega"}), ("acon-c", {"p1", "p2", "beta"})])
def test_what_an_activation_learns_is_in_the_curve(arm, names):
    (record,) = run_arms("mnist-mlp", arms=[arm], seeds=[0], steps=20, log_every=10, evaluate_every=10)
    assert {name.removesuffix("_mean") for name in record.metrics if name.endswith("_mean")} == names
    moved = [entry[f"{name}_sd"] for name in sorted(names) for entry in record.curve]
    assert len(moved) == 2 * len(names) and len(set(moved)) > len(names)


def test_an_activation_without_parameters_adds_nothing():
    (record,) = run_arms("mnist-mlp", arms=["colu"], seeds=[0], steps=5)
    assert not [name for name in record.metrics if name.endswith(("_mean", "_sd"))]
