"""The command of the benchmark: its grid, its files and its refusals."""

import csv

import pytest
import torch
from typer.testing import CliRunner

from colu.cli import app
from colu.commands.bench import grid
from colu.lab.bench import BenchError, bench, control_problem


def test_grid_is_that_of_the_issue():
    cases = grid("full")
    assert {case.dtype for case in cases} == {"float32", "bfloat16"}
    assert {case.last for case in cases} == {True, False}
    assert {2, 3, 4, 8, 16} <= {case.dim for case in cases}
    assert any(case.dim == case.channels for case in cases)
    assert all(case.bytes >= 400_000_000 for case in grid("quick", "cuda"))
    with pytest.raises(BenchError, match="'huge'"):
        grid("huge")


def test_command_writes_a_table_a_file_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    options = ["--tiny", "--rounds", "2", "--least", "1e-5", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.glob("*.csv")
    assert path.name.startswith("bench-cpu-") and torch.__version__ in path.name and "float32" in path.name
    assert path.with_suffix(".svg").exists()
    with path.open(encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert {row["allocator"] for row in rows} == {"warm", "default"}
    assert {row["passes"] for row in rows} == {"forward", "both", "step"}
    assert {"relu", "control", "silu", "gelu", "blocked", "reference"} <= {row["arm"] for row in rows}
    for row in rows:
        # Whatever the machine did, a ratio stands there exactly if the control was good.
        assert bool(row["ratio"]) == (control_problem(float(row["control"])) is None)
        assert float(row["seconds"]) > 0
    assert "reference" in done.output and "written:" in done.output


@pytest.mark.long
def test_command_measures_one_allocator_where_asked_and_refuses_unknown_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    options = ["--tiny", "--rounds", "2", "--least", "1e-5", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["bench", *options, "--allocator", "warm"])
    assert done.exit_code == 0, done.output
    with next(tmp_path.glob("*.csv")).open(encoding="utf8") as file:
        assert {row["allocator"] for row in csv.DictReader(file)} == {"warm"}
    done = CliRunner().invoke(app, ["bench", *options, "--allocator", "jemalloc"])
    assert done.exit_code == 2 and "'jemalloc'" in done.output and "default" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--rounds", "0"], "'--rounds'"), (["--device", "tpu"], "'tpu'"), (["--out", __file__], "'--out'")],
)
def test_command_refuses_what_cannot_be_before_anything_starts(words, said):
    done = CliRunner().invoke(app, ["bench", "--tiny", *words])
    assert done.exit_code == 2 and said in done.output and "allocator ..." not in done.output


@pytest.mark.parametrize("options", [{"rounds": 0}, {"least": 0.0}, {"least": float("nan")}])
def test_numbers_that_time_nothing_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(BenchError, match=f"{name} is {value}"):
        bench([], **options)
