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
        took = {"seconds": float(2 + record.seed)}
        curve = [*record.curve[:-1], record.curve[-1] | took]
        write_record(dataclasses.replace(record, **took, curve=curve, peak_memory_bytes=10), tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "steps=0"], "steps is 0: input should be greater than or equal to 1"),
        (["--set", "learning_rate=abc"], "learning_rate is 'abc': input should be a valid number"),
        (["--set", "learning_rate=NaN"], "learning_rate is nan: input should be a finite number"),
        (["--set", "weight_decay=Infinity"], "weight_decay is inf: input should be a finite number"),
        (["--set", "betas=0.9"], "betas is 0.9: input should be a valid tuple"),
        (["--set", "betas=[0.9,1.5]"], "betas.1 is 1.5: input should be less than 1"),
        (["--set", "steps=true"], "steps is True: input should be a valid integer"),
        (["--set", "batch_size=true"], "batch_size is True: input should be a valid integer"),
        (["--set", "device=gpu"], "device is 'gpu': input should be 'cpu', 'cuda' or 'mps'"),
        (["--set", "processes=3"], "processes is 3, but this command runs in 1"),
        (["--set", "threads=0"], "threads is 0: input should be greater than or equal to 1"),
        (["--set", "threads=100000"], "threads is 100000, but this machine has"),
        (["--set", "holdout=2.0"], "holdout is 2.0: input should be a valid integer"),
        (["--set", "hidden=-3"], "hidden is -3: input should be a valid list"),
        (["--set", "seed=True"], "unknown options ['seed']"),
        (["--set", "preset=full"], "unknown options ['preset']"),
        (["--set", "steps=3", "--set", "steps=4"], "steps is given twice"),
        (["--seeds", "0-99999999999"], "wanted at most 10,000"),
        (["--seeds", "3000000000"], "seed is 3000000000: input should be less than 2147483648"),
        (["--seeds", ""], "wanted whole numbers"),
    ],
)
@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_fault_is_refused_in_one_line_with_status_2_before_anything_starts(tmp_path, command, words, message):
    result = runner.invoke(app, [command, "mnist-mlp", "--results", str(tmp_path), *words])
    assert result.exit_code == 2, result.output
    assert message in result.output and len(result.output.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["run", "sweep", "cost"])
def test_a_file_is_no_folder_of_records(tmp_path, command):
    (tmp_path / "afile").touch()
    for name in ("afile", "afile/below"):
        words = [command, "rotation", "--results", str(tmp_path / name), *(["--keep"] if command == "cost" else [])]
        result = runner.invoke(app, words)
        assert result.exit_code == 2 and "is a file" in result.output and "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "rotation", "--workers", "-1"], "workers is -1, wanted at least 1"),
        (["sweep", "rotation", "--workers", "0"], "workers is 0, wanted at least 1"),
        (["sweep", "rotation", "--wait", "nan"], "wait is nan"),
        (["cost", "rotation", "--updates", "0"], "updates is 0, wanted 1 to 10,000"),
        (["cost", "rotation", "--updates", "99999999999"], "wanted 1 to 10,000"),
    ],
)
def test_options_of_other_commands_are_refused_likewise(words, message):
    result = runner.invoke(app, words)
    assert result.exit_code == 2 and message in result.output, result.output


def test_a_run_whose_values_do_not_fit_its_data_is_refused_and_not_recorded(tmp_path):
    words = ["run", "mnist-mlp", "--arms", "relu", "--seeds", "0", "--set", "holdout=5000", "--results", str(tmp_path)]
    result = runner.invoke(app, words)
    assert result.exit_code == 2 and "holdout is 5000 of 1347 training images" in result.output
    assert not list(tmp_path.rglob("*.json"))


def test_a_table_stops_at_a_record_that_was_edited(root):
    path = next(p for p in (root / "rotation").glob("*.json") if not p.name.endswith(".curve.json"))
    path.write_text(path.read_text().replace('"peak_memory_bytes": ', '"peak_memory_bytes": 1'))
    result = runner.invoke(
        app, ["table", "rotation", "--preset", "laptop", "--set", "steps=20", "--results", str(root)]
    )
    assert result.exit_code == 2 and path.name in result.output and "changed after it was sealed" in result.output
