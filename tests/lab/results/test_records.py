"""Records: written once, checked, refused when altered."""

import dataclasses
import json

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

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
from colu.lab.results.seals import seal_of


def record(arm="relu", seed=0, accuracy=90.0, **changes):
    plan = {"learning_rate": changes.pop("learning_rate", 1e-3), "steps": 1}
    facts = environment()
    config = {
        **{"experiment": "toy", "preset": "smoke", "arm": arm, "seed": seed, "plan": plan},
        **{"device": "cpu", "processes": 1, "threads": facts["threads"]},
    }
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
        "metrics": {"accuracy": accuracy, "train_loss_last": 0.5, "num_parameters": 3},
        "curve": [{"step": 1, "loss": 0.5, "accuracy": accuracy, "seconds": 1.0}],
        **facts,
    }
    return Record(**{**value, **changes})


def test_what_is_written_is_read_back(tmp_path):
    path = write_record(record(), tmp_path)
    assert read_record(path) == record(started=read_record(path).started)
    assert json.loads(path.read_text())["schema"] == 3
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
        ({"arm": "../../../evil"}, "arm"),
        ({"experiment": "../evil"}, "experiment"),
        ({"metrics": {"accuracy": float("nan")}}, "accuracy"),
        ({"seed": 7}, "seed is 7, its configuration says 0"),
        ({"curve": []}, "no curve"),
        ({"seconds": 9.0}, "seconds is 9.0, its curve ends with 1.0"),
    ],
)
def test_what_does_not_match_the_schema_is_refused_and_nothing_is_written(tmp_path, change, message):
    with pytest.raises((ValidationError, RecordError), match=message):
        write_record(dataclasses.replace(record(), **change), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_every_record_of_the_project_fits_the_schema_and_is_written_again_to_the_byte_but_for_its_seal(tmp_path):
    check = Draft202012Validator(record_schema())
    paths = [p for p in results_root().glob("*/*.json") if not p.name.endswith(".curve.json")]
    assert len(paths) > 600
    for path in paths:
        value = json.loads(path.read_text())
        assert not list(check.iter_errors(value)), path
        again = json.loads(write_record(read_record(path), tmp_path).read_text())
        sealed, schema = again.pop("seal"), value.pop("schema")
        # The first records have no seal of their own; later ones have the one that is written again.
        assert sealed and again.pop("schema") == max(schema, 2)
        assert schema == 1 or value.pop("seal") == sealed, path
        assert json.dumps(again) == json.dumps(value), path


@pytest.mark.parametrize("change", [{"schema": 2}, {"schema": 1}, {"conditions": None}])
def test_conditions_go_with_their_schema(tmp_path, change):
    path = write_record(record(), tmp_path)
    value = json.loads(path.read_text()) | change
    path.write_text(json.dumps(value | {"seal": seal_of(value)}))
    with pytest.raises(RecordError, match="has conditions"):
        read_record(path)


@pytest.mark.parametrize(
    "change", [{"seed": -1}, {"extra": 1}, {"schema": 4}, {"conditions": {}}, {"device": {"type": "cpu"}}]
)
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
        lambda v: v["metrics"].update(accuracy=99.99),
        lambda v: v["metrics"].update(accuracy=float("nan")),
        lambda v: v["metrics"].update(num_parameters=4),
        lambda v: v.update(seed=1),
        lambda v: v.update(arm="colu"),
        lambda v: v.update(preset="full"),
        lambda v: v.update(experiment="gpt"),
        lambda v: v.update(threads=v["threads"] + 1),
        lambda v: v.update(seconds=2.0),
        lambda v: v.update(commit=None, dirty=None, command="other"),
        lambda v: v.update(curve=None, curve_sha256=None),
        lambda v: v.update(curve="../other.curve.json"),
        lambda v: v.update(status="failed"),
        lambda v: v.update(error="boom"),
        lambda v: v.update(seal="0" * 64),
        lambda v: v.pop("seal"),
        lambda v: v.update(schema=1) or v.pop("seal"),
        lambda v: v.update(schema=2),
        lambda v: v["conditions"].update(shared=None),
        lambda v: v["conditions"].update(cpu_seconds=0.5),
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


@pytest.mark.parametrize("name", ["toy/again.json", "toy/relu-seed1-0000000000.json", "other/{}"])
def test_a_record_under_a_second_name_is_refused(tmp_path, name):
    path = write_record(record(), tmp_path)
    other = tmp_path / name.format(path.name)
    other.parent.mkdir(exist_ok=True)
    value = json.loads(path.read_text())
    curve = path.with_name(value["curve"])
    value["curve"] = f"{other.stem}.curve.json"
    other.with_name(value["curve"]).write_bytes(curve.read_bytes())
    other.write_text(json.dumps({**value, "seal": seal_of(value)}))
    with pytest.raises(RecordError, match="one name"):
        read_record(other)


def test_a_record_sealed_anew_after_a_change_of_its_metrics_still_contradicts_its_curve(tmp_path):
    path = write_record(record(), tmp_path)
    value = json.loads(path.read_text())
    value["metrics"]["accuracy"] = 99.99
    path.write_text(json.dumps({**value, "seal": seal_of(value)}))
    with pytest.raises(RecordError, match=r"accuracy is 99\.99, its curve ends with 90\.0"):
        read_record(path)


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


def test_records_are_chosen_by_setting(tmp_path):
    for rate in (1e-3, 3e-3):
        write_record(record(learning_rate=rate), tmp_path)
    assert len(find_records("toy", tmp_path)) == 2
    assert len(find_records("toy", tmp_path, where={"plan.learning_rate": 3e-3})) == 1
    assert find_records("toy", tmp_path, where={"plan.nothing.there": 1}) == []
    assert find_records("toy", tmp_path, arms=["colu"]) == []


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
