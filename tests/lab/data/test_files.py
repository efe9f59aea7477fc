"""Files of data: found where the variable says, whole by their digests."""

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


def test_a_file_that_scikit_learn_does_not_keep_is_named():
    with pytest.raises(data.DataUnavailableError, match="sklearn.datasets.data.letters.*requirements.txt"):
        files.embedded_file("data/letters.csv.gz")
