"""All records of a folder: what was changed, lost or added by hand is named, and no seal is ever changed."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from colu.cli import app
from colu.lab.experiments import Config
from colu.lab.results import RecordError, broken_records, find_records, read_record, results_root, seal_records
from colu.lab.results.seals import SEALS


@pytest.fixture
def standing(tmp_path):
    """A copy of some standing records with their seals."""
    name = "fusion-mlp"
    shutil.copytree(results_root() / name, tmp_path / name)
    seals = json.loads((results_root() / SEALS).read_text())
    (tmp_path / SEALS).write_text(json.dumps({k: v for k, v in seals.items() if k.startswith(name)}))
    return tmp_path


def first(root):
    return min(p for p in root.glob("*/*.json") if not p.name.endswith(".curve.json"))


def change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=1))


def test_every_record_of_the_project_is_sealed_and_whole():
    assert broken_records(results_root()) == []
    assert len(json.loads((results_root() / SEALS).read_text())) >= 696


def test_every_configuration_of_the_project_keeps_its_hash():
    for name in json.loads((results_root() / SEALS).read_text()):
        told = json.loads((results_root() / name).read_text())
        config = Config(**told["config"])
        assert config.hash == told["config_hash"] and config.to_dict() == told["config"], name


def test_a_change_that_contradicts_nothing_breaks_the_seal(standing):
    path = first(standing)
    change(path, peak_memory_bytes=1)
    with pytest.raises(RecordError, match=rf"{path.name}: changed after it was sealed"):
        find_records("fusion-mlp", standing)
    assert [line.count(path.name) for line in broken_records(standing)] == [1]


def test_a_record_without_a_seal_is_not_counted_until_it_is_sealed(standing):
    (standing / SEALS).unlink()
    with pytest.raises(RecordError, match=f"no seal of its own.*colu seal --results {standing}"):
        find_records("fusion-mlp", standing)
    done = CliRunner().invoke(app, ["seal", "--results", str(standing)])
    assert done.exit_code == 0 and "15 records sealed now" in done.output
    assert len(find_records("fusion-mlp", standing)) == 15 and broken_records(standing) == []
    assert seal_records(standing) == []


def test_sealing_changes_no_seal_that_is_there(standing):
    before = (standing / SEALS).read_bytes()
    change(first(standing), peak_memory_bytes=1)
    done = CliRunner().invoke(app, ["seal", "--results", str(standing)])
    assert done.exit_code == 2 and first(standing).name in done.output
    assert (standing / SEALS).read_bytes() == before


def test_what_is_gone_is_named(standing):
    path = first(standing)
    path.unlink()
    lost, orphan = broken_records(standing)
    assert path.name in lost and "is gone" in lost
    assert f"{path.stem}.curve.json" in orphan and "has no record" in orphan


def test_seals_that_cannot_be_read_are_named(standing):
    (standing / SEALS).write_text("[]")
    with pytest.raises(RecordError, match=SEALS):
        read_record(first(standing))
    assert any(SEALS in line for line in broken_records(standing))
