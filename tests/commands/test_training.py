"""The commands of experiments: the records of calls, refusals in one line."""

import dataclasses

import pytest
from typer.testing import CliRunner

from colu.cli import app
from colu.lab.experiments import get_experiment, record_path, run, run_arms
from colu.lab.results import read_record, write_record

runner = CliRunner()


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


@pytest.fixture
def root(tmp_path):
    for record in run_arms("rotation", "laptop", arms=["relu", "silu"], seeds=[0, 1], steps=20):
        write_record(dataclasses.replace(record, seconds=float(2 + record.seed), peak_memory_bytes=10), tmp_path)
    return tmp_path


def test_two_records_are_compared_by_their_files(root):
    paths = sorted(str(p) for p in (root / "rotation").glob("*.json") if "curve" not in p.name)
    same = CliRunner().invoke(app, ["compare", paths[0], paths[0]])
    assert same.exit_code == 0 and "equal in every bit" in same.output
    other = CliRunner().invoke(app, ["compare", paths[0], paths[1]])
    assert other.exit_code == 1 and "seed is 0 against 1" in other.output
    missing = CliRunner().invoke(app, ["compare", paths[0], "nowhere.json"])
    assert missing.exit_code == 2 and "nowhere.json cannot be read" in missing.output


def test_a_value_out_of_range_is_refused_in_one_line_that_names_it(tmp_path):
    result = runner.invoke(app, ["run", "mnist-mlp", "--set", "steps=0", "--results", str(tmp_path)])
    assert result.exit_code == 2
    assert result.output.strip() == "steps is 0: input should be greater than or equal to 1"
