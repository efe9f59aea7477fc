"""Folders that the environment names, and a cache in every case."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from colu import folders
from colu.folders import NoFolder, cache_folder, named_folder


@pytest.fixture(autouse=True)
def _afresh(monkeypatch):
    for name in ("COLU_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    folders._temporary.cache_clear()
    yield
    folders._temporary.cache_clear()


@pytest.fixture
def nobody(monkeypatch):
    """No HOME, and a user that the system does not know."""
    import pwd

    def unknown(*_):
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c" / ".cache" / "colu"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b" / "colu"
    monkeypatch.setenv("COLU_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize(("variable", "rest"), [("COLU_CACHE", ""), ("XDG_CACHE_HOME", "/colu")])
def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path, variable, rest):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "~/x y")
    assert cache_folder() == Path(f"{tmp_path}/home/x y{rest}")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_relative_path_of_the_desktop_is_ignored_and_ours_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_folder() == tmp_path / "home" / ".cache" / "colu"
    monkeypatch.setenv("COLU_CACHE", "here")
    assert cache_folder() == tmp_path / "here"


@pytest.mark.parametrize("named", [None, "~/x"])
def test_without_a_home_a_private_temporary_folder_serves_and_is_said_once(nobody, monkeypatch, tmp_path, named):
    monkeypatch.chdir(tmp_path)
    if named:
        monkeypatch.setenv("COLU_CACHE", named)
    with pytest.warns(UserWarning, match="no cache folder .*no (such )?home folder.*set COLU_CACHE") as record:
        folder = cache_folder()
        assert cache_folder() == folder
    assert len(record) == 1
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.stat().st_uid == os.geteuid()
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_gives_a_temporary_folder(monkeypatch, tmp_path):
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.warns(UserWarning, match="home/.cache/colu cannot be made: Not a directory"):
        assert cache_folder().is_dir()


def test_a_folder_that_is_there_is_used_although_it_cannot_be_written(monkeypatch, tmp_path):
    tmp_path.joinpath("sets").mkdir(mode=0o500)
    monkeypatch.setenv("COLU_CACHE", str(tmp_path / "sets"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache_folder() == tmp_path / "sets"


def test_without_any_folder_the_error_says_so(nobody, monkeypatch):
    def refuse(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(folders.tempfile, "mkdtemp", refuse)
    with pytest.raises(NoFolder, match="HOME is unset.*no temporary one either: No usable"):
        cache_folder()


def test_a_name_that_leads_nowhere_is_refused_not_made(nobody, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", "~/results")
    with pytest.raises(NoFolder, match="COLU_RESULTS is '~/results', and no such home folder.*write the path in full"):
        named_folder("COLU_RESULTS")


def test_the_temporary_folder_goes_with_its_process_and_not_with_a_child():
    program = """
import os, sys
from colu.folders import cache_folder
folder = cache_folder()
child = os.fork()
if child == 0:
    sys.exit()
os.waitpid(child, 0)
assert folder.is_dir()
print(folder)
"""
    environment = os.environ | {"COLU_CACHE": "/dev/null/x", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists()
