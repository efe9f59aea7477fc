"""Where records are written and read."""

import os

import pytest

from colu.folders import NoFolder
from colu.lab.results import (
    NoRecordsError,
    check_root,
    find_records,
    needed,
    place,
    result_files,
    results_root,
    write_record,
)
from colu.lab.results.archive import ARCHIVE, pack, unpack
from colu.lab.verdicts import load_statements

RECORD = "rotation/relu-seed0-bb6a2bfdd5.json"


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """An empty folder, and a package with the records of one experiment."""
    real = results_root()
    source = tmp_path / "source"
    for path in [*(real / "rotation").glob("relu-seed*"), real / "seals.json"]:
        target = source / path.relative_to(real)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    package = tmp_path / "package"
    package.mkdir()
    (package / ARCHIVE).write_bytes(pack(source))
    here = tmp_path / "empty"
    here.mkdir()
    monkeypatch.setattr(place, "__file__", str(package / "place.py"))
    monkeypatch.setattr(place, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("COLU_RESULTS", raising=False)
    monkeypatch.chdir(here)
    place._shipped.cache_clear()
    yield source
    place._shipped.cache_clear()


def test_the_folder_of_records_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(tmp_path))
    assert results_root() == tmp_path
    monkeypatch.delenv("COLU_RESULTS")
    monkeypatch.chdir(tmp_path)
    assert results_root() == tmp_path / "results"


def test_outside_a_clone_records_come_with_the_package_and_own_ones_stay_apart(outside, tmp_path):
    shipped = find_records("rotation")
    assert len(shipped) == len(find_records("rotation", outside)) > 10
    assert not (tmp_path / "empty" / "results").exists()
    own = write_record(shipped[0], results_root())
    assert own.is_relative_to(tmp_path / "empty")
    assert find_records("rotation") == shipped, "the same run is counted once"
    assert own in result_files("rotation/*.json")


def test_a_folder_that_is_named_is_read_alone(outside, tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(tmp_path / "named"))
    assert find_records("rotation") == []


def test_a_statement_finds_the_records_of_the_package(outside):
    ours = load_statements()["rotation-colu"].exploratory
    assert {r.arm for r in find_records(ours.experiment)} == {"relu"}


def test_an_archive_depends_on_names_and_contents_alone(outside):
    once = pack(outside)
    for path in outside.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755 if path.is_dir() else 0o600)
    (outside / ".unfinished").mkdir()
    (outside / ".unfinished" / "a.lock").touch()
    assert pack(outside) == once


def test_what_was_cut_off_while_unpacking_is_not_taken_for_the_records(outside, tmp_path, monkeypatch):
    archive, folder = tmp_path / ARCHIVE, tmp_path / "unpacked"
    archive.write_bytes(pack(outside)[:-200])
    with pytest.raises(Exception):  # noqa: B017  of lzma or tarfile
        unpack(archive, folder)
    assert not folder.exists() and not list(tmp_path.glob(".partial-*"))
    archive.write_bytes(pack(outside))
    assert (unpack(archive, folder) / RECORD).read_bytes() == (outside / RECORD).read_bytes()


def test_no_records_are_no_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no records"):
        pack(tmp_path)


def test_what_cannot_be_said_without_records_says_where_they_come_from(tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(tmp_path))
    with pytest.raises(NoRecordsError, match=f"no records here: nothing fits in {tmp_path}; clone the repository"):
        needed(find_records("rotation"))


def test_a_file_is_no_folder_of_records(tmp_path):
    (tmp_path / "afile").touch()
    for name in ("afile", "afile/below"):
        with pytest.raises(ValueError, match="afile is a file; name a folder"):
            check_root(tmp_path / name)


def test_a_folder_of_records_in_no_home_is_refused(monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", "~no-such-user/results")
    with pytest.raises(NoFolder, match="COLU_RESULTS is '~no-such-user/results'"):
        results_root()
