"""What a package of families shows is what its files list, and no more."""

import importlib
import sys

import pytest

from colu.families import public_names


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "some_families"
    folder.mkdir()
    files = {
        "__init__": "",
        "one": "__all__ = ['f']\ndef f(): ...\ndef hidden(): ...",
        "two": "__all__ = []\nx = 1",
        "_private": "raise RuntimeError('imported')",
    }
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("some_families")
    for name in [name for name in sys.modules if name.startswith("some_families")]:
        del sys.modules[name]


def test_listed_names_are_public_and_private_files_are_left_alone(package):
    found = public_names(package.__name__, package.__path__)
    assert list(found) == ["f"] and found["f"] is importlib.import_module("some_families.one").f


def test_a_file_that_lists_what_it_lacks_or_lists_nothing_is_an_error(package):
    file = importlib.import_module("some_families.two")
    file.__all__ = ["gone"]
    with pytest.raises(AttributeError, match="gone"):
        public_names(package.__name__, package.__path__)
    del file.__all__
    with pytest.raises(AttributeError, match="__all__"):
        public_names(package.__name__, package.__path__)
