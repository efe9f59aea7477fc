"""Files of data: found where the variable says, whole by their digests."""

import json
import warnings

import pytest

from colu.lab import data
from colu.lab.data import files


def test_a_data_folder_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setenv("COLU_DATA", "/nowhere/at/all")
    with pytest.raises(data.DataUnavailableError, match="/nowhere/at/all"):
        data.load("mnist")


def test_verify_accepts_a_whole_file_and_reads_the_manifest(tmp_path):
    import hashlib
    import json

    file = tmp_path / "a.bin"
    file.write_bytes(b"whole")
    good = hashlib.sha256(b"whole").hexdigest()
    manifest = {"set": {"files": [{"path": "a.bin", "sha256": good}]}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert files.verify(file, root=tmp_path) == file
    file.write_bytes(b"whale")
    with pytest.raises(data.DataCorruptedError, match=good):
        files.verify(file, root=tmp_path)


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A data folder with one file; its manifest is for the test to write."""
    (tmp_path / "a.bin").write_bytes(b"whole")
    monkeypatch.setenv("COLU_DATA", str(tmp_path))
    files._manifest.cache_clear()
    yield tmp_path
    files._manifest.cache_clear()


@pytest.mark.parametrize(
    "content",
    [b"[]", b"3", b"null", b"{", b"\xff\xfe", b'{"set": {"files": ["a.bin"]}}', b'{"set": {"files": 3}}',
     b'{"set": {"files": [{"path": "a.bin"}]}}'],
)  # fmt: skip
def test_a_manifest_of_another_tool_is_named_once_and_ignored(foreign, content):
    (foreign / "manifest.json").write_bytes(content)
    with pytest.warns(UserWarning, match="manifest.json does not list files with their sha256") as record:
        for _ in range(2):
            assert files.verify(foreign / "a.bin", root=foreign) == foreign / "a.bin"
    assert len(record) == 1


@pytest.mark.parametrize("value", [{}, {"name": "web app", "icons": []}, {"set": {"licence": "x"}}])
def test_a_manifest_that_lists_no_files_asks_for_nothing(foreign, value):
    (foreign / "manifest.json").write_text(json.dumps(value))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert files.verify(foreign / "a.bin", root=foreign)


def test_a_missing_file_says_what_is_there_and_what_to_do(foreign, monkeypatch):
    with pytest.raises(data.DataUnavailableError, match="b.bin is missing; .* holds a.bin: .*or unset COLU_DATA"):
        files.verify(foreign / "b.bin", root=foreign)
    monkeypatch.delenv("COLU_DATA")
    with pytest.raises(data.DataUnavailableError, match="b.bin is missing; .* holds a.bin: remove .* downloaded again"):
        files.verify(foreign / "b.bin", root=foreign)
    with pytest.raises(data.DataUnavailableError, match="there is no folder .*/no"):
        files.verify(foreign / "no" / "b.bin", root=foreign)


def test_a_home_that_is_not_known_is_named(monkeypatch):
    monkeypatch.setenv("COLU_DATA", "~no-such-user/sets")
    with pytest.raises(data.DataUnavailableError, match="COLU_DATA is '~no-such-user/sets', and no such home folder"):
        data.load("mnist")


def test_a_file_that_scikit_learn_does_not_keep_is_named():
    with pytest.raises(data.DataUnavailableError, match="sklearn.datasets.data.letters.*requirements.txt"):
        files.embedded_file("data/letters.csv.gz")
