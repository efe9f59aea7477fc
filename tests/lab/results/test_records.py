"""Records: written once, checked, refused when altered; tables that say no more than the records do."""

import dataclasses
import json
import os

import pytest

from colu.lab.results import (
    Record,
    RecordError,
    arm_table,
    config_hash,
    environment,
    find_records,
    read_record,
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
    with pytest.raises(RecordError, match=message):
        write_record(dataclasses.replace(record(), **change), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


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


def toy(values, **rest):
    return [record(arm, seed, accuracy, **rest) for arm, row in values.items() for seed, accuracy in enumerate(row)]


def test_a_table_pairs_arms_on_their_seeds():
    # Means are far apart in no arm, but every pair differs by one point, nearly.
    table = arm_table(toy({"relu": [80, 90, 70, 75, 85], "colu": [81, 91.1, 70.9, 76, 86]}), "accuracy")
    assert table.arms["relu"].mean == pytest.approx(80)
    assert table.against["colu"].mean == pytest.approx(1)
    assert table.verdict("colu") == "colu is ahead of relu"
    assert "better" in table.markdown() and "paired on the seed" in table.markdown()


def test_a_table_refuses_to_say_better_when_the_interval_contains_zero():
    table = arm_table(toy({"relu": [80, 90, 70, 80, 80], "colu": [95, 60, 86, 79, 82]}), "accuracy")
    assert "no difference" in table.verdict("colu")
    assert "better" not in table.markdown() and "not shown" in table.markdown()


def test_lower_is_better_where_it_is():
    losses = {"relu": [0.5, 0.6, 0.5, 0.6, 0.5], "colu": [0.3, 0.401, 0.3, 0.4, 0.3]}
    table = arm_table(toy(losses), "accuracy", higher_is_better=False, level=0.9)
    assert table.verdict("colu") == "colu is ahead of relu"
    assert "better" in table.markdown(3)


@pytest.mark.parametrize("pairs", [2, 4, 5])
def test_fewer_than_five_pairs_decide_nothing(pairs):
    values = [80, 90, 70, 75, 85][:pairs]
    table = arm_table(toy({"relu": values, "colu": [value + 1 + value / 1000 for value in values]}), "accuracy")
    assert table.against["colu"].decided
    assert ("too few" in table.verdict("colu")) == ("better" not in table.markdown()) == (pairs < 5)


def test_seeds_that_one_arm_lacks_are_left_out_of_the_pairs():
    records = toy({"relu": [80, 90, 70], "colu": [81, 91.1]})
    assert arm_table(records, "accuracy").against["colu"].n == 2


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (lambda: [], "no records"),
        (lambda: toy({"colu": [1, 2]}), "baseline"),
        (lambda: toy({"relu": [1, 2]}) + [record("relu", 2, learning_rate=1.0)], "2 different settings"),
        (lambda: toy({"relu": [1, 2]}) + [record("relu", 0)], "two records of seed 0"),
        (lambda: toy({"relu": [1, 2], "colu": [1]}), "at least 2"),
        (lambda: toy({"relu": [1, 2]}, metrics={"loss": 1.0}), "no metric 'accuracy'"),
    ],
)
def test_records_that_do_not_make_a_table_are_refused(records, message):
    with pytest.raises(ValueError, match=message):
        arm_table(records(), "accuracy")


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
