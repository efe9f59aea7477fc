"""Records: written once, checked, refused when altered."""

import dataclasses
import json
import os

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from colu.folders import NoFolder
from colu.lab.results import (
    Record,
    RecordError,
    config_hash,
    environment,
    find_records,
    read_record,
    record_schema,
    results_root,
    write_record,
)
from colu.lab.results.records import typed_command


def record(arm="relu", seed=0, accuracy=90.0, **changes):
    config = {"arm": arm, "seed": seed, "plan": {"learning_rate": changes.pop("learning_rate", 1e-3)}}
    value = {
        "experiment": "toy",
        "preset": "smoke",
        "arm": arm,
        "seed": seed,
        "config": config,
        "config_hash": config_hash(config),
        "processes": 1,
        "seconds": 1.0,
        "peak_memory_bytes": 10,
        "status": "done",
        "error": None,
        "metrics": {"accuracy": accuracy},
        "curve": [{"step": 1, "loss": 0.5}],
        **environment(),
    }
    return Record(**{**value, **changes})


def test_what_is_written_is_read_back(tmp_path):
    path = write_record(record(), tmp_path)
    assert read_record(path) == record(started=read_record(path).started)
    assert path.parent == tmp_path / "toy"


def test_a_record_is_written_once(tmp_path):
    first = write_record(record(accuracy=90.0), tmp_path)
    before = first.read_bytes()
    assert write_record(record(accuracy=99.0), tmp_path) == first
    assert first.read_bytes() == before
    assert len(find_records("toy", tmp_path)) == 1


def test_a_failed_run_is_recorded_and_does_not_stand_in_the_way(tmp_path):
    write_record(record(status="failed", error="boom", metrics={}, curve=[]), tmp_path)
    assert find_records("toy", tmp_path) == []
    assert len(list((tmp_path / "toy" / "failed").glob("*.json"))) == 1
    write_record(record(), tmp_path)
    assert len(find_records("toy", tmp_path)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"preset": "large"}, "preset"),
        ({"metrics": {"accuracy": "high"}}, "accuracy"),
        ({"commit": "main"}, "commit"),
        ({"status": "perhaps"}, "status"),
        ({"config_hash": "0" * 64}, "config_hash"),
        ({"started": "today"}, "started"),
    ],
)
def test_what_does_not_match_the_schema_is_refused_and_nothing_is_written(tmp_path, change, message):
    with pytest.raises((ValidationError, RecordError), match=message):
        write_record(dataclasses.replace(record(), **change), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_every_record_of_the_project_fits_the_schema_and_is_written_again_to_the_byte(tmp_path):
    check = Draft202012Validator(record_schema())
    paths = [p for p in results_root().glob("*/*.json") if not p.name.endswith(".curve.json")]
    assert len(paths) > 600
    for path in paths:
        assert not list(check.iter_errors(json.loads(path.read_text()))), path
        assert write_record(read_record(path), tmp_path).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize("change", [{"seed": -1}, {"extra": 1}, {"schema": 2}, {"device": {"type": "cpu"}}])
def test_the_schema_refuses_what_reading_refuses(tmp_path, change):
    path = write_record(record(), tmp_path)
    value = json.loads(path.read_text()) | change
    assert list(Draft202012Validator(record_schema()).iter_errors(value))
    path.write_text(json.dumps(value))
    with pytest.raises(RecordError, match=next(iter(change))):
        read_record(path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda v: v.pop("commit"),
        lambda v: v.update(extra=1),
        lambda v: v["config"].update(seed=7),
        lambda v: v.update(schema=2),
        lambda v: v.update(metrics={"accuracy": None}),
    ],
)
def test_an_altered_record_is_refused_by_name(tmp_path, harm):
    path = write_record(record(), tmp_path)
    value = json.loads(path.read_text())
    harm(value)
    path.write_text(json.dumps(value))
    with pytest.raises(RecordError, match=path.name):
        find_records("toy", tmp_path)


def test_a_curve_that_was_changed_or_lost_is_refused(tmp_path):
    path = write_record(record(), tmp_path)
    curve = path.with_name(json.loads(path.read_text())["curve"])
    curve.write_text("[]")
    with pytest.raises(RecordError, match="curve"):
        read_record(path)
    curve.unlink()
    with pytest.raises(RecordError, match="missing"):
        read_record(path)


def test_no_json_is_refused_by_name(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "broken.json").write_text("{")
    with pytest.raises(RecordError, match=r"broken\.json"):
        find_records("toy", tmp_path)


def test_a_full_disk_leaves_no_half_record(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_record(record(), tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_records_are_chosen_by_setting(tmp_path):
    for rate in (1e-3, 3e-3):
        write_record(record(learning_rate=rate), tmp_path)
    assert len(find_records("toy", tmp_path)) == 2
    assert len(find_records("toy", tmp_path, where={"plan.learning_rate": 3e-3})) == 1
    assert find_records("toy", tmp_path, where={"plan.nothing.there": 1}) == []
    assert find_records("toy", tmp_path, arms=["colu"]) == []


def test_the_folder_of_records_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(tmp_path))
    assert results_root() == tmp_path
    monkeypatch.delenv("COLU_RESULTS")
    monkeypatch.chdir(tmp_path)
    assert results_root() == tmp_path / "results"


def test_a_folder_of_records_in_no_home_is_refused(monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", "~no-such-user/results")
    with pytest.raises(NoFolder, match="COLU_RESULTS is '~no-such-user/results'"):
        results_root()


def test_a_run_without_git_is_recorded_without_a_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    read = read_record(write_record(record(), tmp_path))
    assert read.commit is None and read.dirty is None


def test_hash_does_not_depend_on_the_order_of_keys_but_on_every_value():
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1}) != config_hash({"a": 1, "b": 3})


@pytest.mark.parametrize(
    "argv",
    [
        ["-c", "run", "vae", "--preset", "full"],
        ["/repo/colu/__main__.py", "run", "vae", "--preset", "full"],
        ["/repo/.venv/bin/colu", "run", "vae", "--results", "/tmp/results", "--preset", "full"],
        ["-c", "run", "vae", "--results=/tmp/results", "--preset", "full"],
    ],
)
def test_a_command_can_be_pasted_however_it_was_started(argv):
    assert typed_command(argv) == "colu run vae --preset full"


def test_other_programs_keep_their_name():
    assert typed_command(["/x/pytest", "run", "-q"]) == "pytest run -q"
    assert typed_command(["-c"]) == "-c"
    assert typed_command([""]) == "python"
