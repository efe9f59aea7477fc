"""``colu verify`` and ``colu compare``: reruns agree, forgeries do not, and nothing is written beside the records."""

import dataclasses
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from colu.cli import app
from colu.lab.data import DataUnavailableError
from colu.lab.experiments import run_arms
from colu.lab.results import find_records, write_record

ROW = "rotation-colu"


@pytest.fixture(scope="module")
def made():
    return run_arms("rotation", "laptop", arms=["colu-3", "relu"], seeds=range(5), steps=10)


@pytest.fixture
def root(made, tmp_path):
    folder = tmp_path / "standing"
    for record in made:
        write_record(record, folder)
    return folder


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """An empty folder in which temporary ones are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def colu(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def contents(folder):
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def edited(record, **metrics):
    """The record with other metrics at the end of its curve, too, so that nothing contradicts them."""
    curve = [*record.curve[:-1], record.curve[-1] | metrics]
    return dataclasses.replace(record, metrics=record.metrics | metrics, curve=curve)


def test_a_rerun_on_this_machine_has_the_same_bits_and_leaves_nothing(root, made, scratch):
    before = contents(root)
    path = root / "rotation" / f"{made[0].stem}.json"
    done = colu("verify", path, made[1].stem, "--results", root)
    assert done.exit_code == 0, done.output
    assert done.output.count(": same bits") == 2 and "2 same bits, 0 within the tolerance" in done.output
    assert f"this machine: {made[0].device['name']}" in done.output
    assert contents(root) == before and not list(scratch.iterdir())


@pytest.mark.parametrize("factor", [1 + 1e-9, 2])
def test_a_metric_that_was_edited_and_sealed_again_is_different(made, tmp_path, factor):
    forged = edited(made[0], cap_max_error=made[0].metrics["cap_max_error"] * factor)
    done = colu("verify", write_record(forged, tmp_path), "--results", tmp_path)
    assert done.exit_code == 1
    assert "different" in done.output and "a metric was edited" in done.output


def test_all_seeds_of_a_record_are_those_of_its_arm_and_setting(root, made):
    done = colu("verify", made[0].stem, "--all-seeds", "--results", root)
    assert done.exit_code == 0 and "5 same bits" in done.output and "relu" not in done.output


def test_a_row_is_judged_as_recorded_and_with_what_was_run_again(root, made):
    # A forged arm: as recorded CoLU is ahead by far, and its runs do not say so.
    for record in made:
        if record.arm == "colu-3":
            (root / "rotation" / f"{record.stem}.json").unlink()
            write_record(edited(record, cap_max_error=1e-3 * (1 + record.seed)), root)
    one = colu("verify", ROW, "--results", root)
    assert one.exit_code == 1 and "1 same bits, 0 within the tolerance, 1 different" in one.output
    assert f"{ROW}, with 2 of 10 runs made again: " in one.output
    every = colu("verify", ROW, "--all-seeds", "--results", root)
    assert every.exit_code == 1 and "5 same bits, 0 within the tolerance, 5 different" in every.output
    judged = [line for line in every.output.splitlines() if line.startswith(ROW)]
    told, now = (line.partition(": ")[2].partition(", ") for line in judged)
    assert judged[1].startswith(f"{ROW}, with 10 of 10 runs made again: ")
    assert told[0] == now[0] == "regime not reached" and told[2].startswith("-") and told[2] != now[2]


def test_a_draw_is_that_of_its_seed_and_keeps_to_the_budget(root):
    words = ["verify", "--random", 3, "--results", root]
    first = colu(*words)
    assert first.exit_code == 0 and "3 of 10 records of a CPU" in first.output
    seed = first.output.partition("--seed ")[2].partition(":")[0]
    again = colu(*words, "--seed", seed)
    assert [line for line in again.output.splitlines() if "same bits" in line] == [
        line for line in first.output.splitlines() if "same bits" in line
    ]
    tight = colu(*words, "--seed", seed, "--budget", "0.001s")
    assert tight.exit_code == 2 and "none takes less than 0.001 s" in tight.output


def test_a_record_that_takes_too_long_or_lacks_its_data_is_named_and_left_out(root, made, monkeypatch):
    late = colu("verify", made[0].stem, "--budget", "0.001s", "--results", root)
    assert late.exit_code == 2 and "left out: takes" in late.output and made[0].stem in late.output

    def absent(*_, **__):
        raise DataUnavailableError("no MNIST here: set COLU_DATA")

    monkeypatch.setattr("colu.lab.verdicts.run_again", absent)
    done = colu("verify", made[0].stem, "--results", root)
    assert done.exit_code == 2 and "left out: no MNIST here" in done.output and "nothing was run again" in done.output


def test_a_run_that_is_stopped_leaves_nothing(root, made, scratch, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("colu.lab.verdicts.run_again", stopped)
    before = contents(root)
    done = colu("verify", made[0].stem, "--results", root)
    assert done.exit_code == 130 and "stopped; nothing was written" in done.output
    assert contents(root) == before and not list(scratch.iterdir())


def test_a_run_that_fails_is_not_taken_for_agreement(root, made, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("colu.lab.verdicts.run_again", fails)
    done = colu("verify", made[0].stem, "--results", root)
    assert done.exit_code == 1 and "failed: RuntimeError: out of luck" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify"], "wanted either records or rows, or --random"),
        (["verify", ROW, "--random", "2"], "wanted either records or rows, or --random"),
        (["verify", "rotation-colo"], "rows are such as rotation-colu"),
        (["verify", "../relu*"], "neither a record's file or stem nor a row"),
        (["verify", "nowhere/a.json"], "cannot be read"),
        (["verify", "--random", "0"], "--random is 0"),
        (["verify", "--random", "1", "--seed", "-1"], "--seed is -1"),
        (["verify", "--random", "1", "--budget", "soon"], "budget is 'soon', wanted a time such as 90s"),
        (["verify", "--random", "1", "--all-seeds"], "--all-seeds goes with records and rows"),
        (["verify", ROW, "--seed", "1"], "goes with --random alone"),
        (["verify", "vae-soft-shared"], "has no records here"),
    ],
)
def test_bad_input_is_refused_in_one_line(root, words, message):
    done = colu(*words, "--results", root)
    assert done.exit_code == 2 and message in done.output, done.output
    assert len(done.output.strip().splitlines()) == 1


def test_measured_pairs_are_written_into_a_file_of_tolerances(root, made, tmp_path, monkeypatch):
    from colu.lab.results import load_tolerances, measured

    # What PyTorch does on other instructions is measured by tests/lab/experiments/test_verify.py.
    made_other = edited(made[0], cap_mse=made[0].metrics["cap_mse"] + 0.25)
    monkeypatch.setattr(
        "colu.lab.verdicts.measure",
        lambda record, path, folder: measured(record, made_other, path) if path != "plain" else None,
    )
    file = tmp_path / "mine.yml"
    done = colu("verify", made[0].stem, "--measure", file, "--results", root)
    assert done.exit_code == 0, done.output
    found = load_tolerances(file)
    assert [pair.path for pair in found.pairs if pair.record == made[0].stem] == ["avx2", "sse"]
    assert found.of("rotation", "cpu").metrics["cap_mse"] >= 0.25 * found.factor


def test_two_records_are_compared_by_their_files(root, made):
    paths = [root / "rotation" / f"{record.stem}.json" for record in made[:2]]
    same = colu("compare", paths[0], paths[0])
    assert same.exit_code == 0 and "equal in every bit" in same.output and "same bits" in same.output
    other = colu("compare", *paths)
    assert other.exit_code == 1 and "seed is 0 against 1" in other.output
    loose = colu("compare", *paths, "--tolerance", "100")
    assert loose.exit_code == 1 and "within 100: no" in loose.output
    missing = colu("compare", paths[0], "nowhere.json")
    assert missing.exit_code == 2 and "nowhere.json cannot be read" in missing.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.json", "b.json", "--tolerance", "nan"], "tolerance is nan"),
        ([ROW], "wanted either a second record, or --results"),
        ([ROW, "b.json", "--results", "mine"], "wanted either a second record, or --results"),
        ([ROW, "--results", "mine"], "mine has none of these runs"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(words, message, root, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(root))
    done = colu("compare", *words)
    assert done.exit_code == 2 and message in done.output, done.output


def test_a_row_is_compared_with_the_readers_own_records(root, made, tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(root))
    write_record(made[0], tmp_path / "mine")
    one = colu("compare", ROW, "--results", tmp_path / "mine")
    assert one.exit_code == 0, one.output
    assert one.output.count("same bits") == 1 and one.output.count("you have no record of it") == 9
    write_record(edited(made[1], cap_max_error=99.0), tmp_path / "mine")
    two = colu("compare", ROW, "--results", tmp_path / "mine")
    assert two.exit_code == 1 and two.output.count(": different") == 1


def test_the_records_of_the_project_are_found_by_row_and_stem():
    from colu.lab.verdicts import choose

    choice = choose(ROW)
    assert {r.arm for r in choice.records} == {"colu-3", "relu"} and len(choice.of) >= 10
    stem = Path(find_records("rotation", arms=["relu"])[0].stem).name
    assert [r.stem for r in choose(stem).records] == [stem]
