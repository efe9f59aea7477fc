"""Which commit the code is: that of its own clone, or none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import colu
from colu.lab.commit import commit_here

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
PROGRAM = "from colu.lab.commit import commit_here; print(commit_here())"


def _clone(folder: Path) -> Path:
    """The part of the package that tells, in a fresh repository; as a whole the package is large."""
    source = Path(colu.__file__).parent
    for name in ("__init__", "programs", "extras", "lab/__init__", "lab/commit"):
        file = folder / "colu" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{name}.py", file)
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "a.ipynb").write_text("{}")
    return folder


def _commit(folder: Path, what: str) -> str:
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-f", what], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def _said(folder: Path, **changes: str):
    environment = os.environ | {"PYTHONPATH": str(folder)} | changes
    done = subprocess.run([sys.executable, "-P", "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return eval(done.stdout)


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit_here() == (None, None)


@pytest.mark.parametrize("script", ["exit 1", "printf '\\374\\n\\374'", "exec /bin/sleep 60"])
def test_a_git_that_is_none_gives_no_commit(tmp_path, monkeypatch, script):
    (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("colu.lab.commit._SECONDS", 0.5)
    assert commit_here() == (None, None)


@needs_git
def test_a_clone_says_its_commit_and_whether_it_was_changed(tmp_path):
    clone = _clone(tmp_path / "ein Büchlein")
    commit = _commit(clone, ".")
    assert _said(clone) == (commit, False)
    (clone / "notes.txt").write_text("not of the package")
    assert _said(clone) == (commit, False)
    (clone / "notebooks" / "a.ipynb").write_text("[]")
    assert _said(clone) == (commit, True)


@needs_git
def test_a_hook_of_another_repository_does_not_mislead(tmp_path):
    clone = _clone(tmp_path / "clone")
    commit = _commit(clone, ".")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    _commit(tmp_path / "other", "file")
    assert _said(clone, GIT_DIR=str(tmp_path / "other" / ".git"), GIT_INDEX_FILE="nowhere") == (commit, False)


@needs_git
def test_a_repository_around_the_installed_package_is_not_its_own(tmp_path):
    installed = _clone(tmp_path / ".venv" / "lib" / "site-packages")
    (tmp_path / "thesis.tex").write_text("x")
    _commit(tmp_path, "thesis.tex")
    assert _said(installed) == (None, None)
    # Not even where that repository is a clone of the project, and the package in use is another copy.
    shutil.copytree(installed / "colu", tmp_path / "colu")
    _commit(tmp_path, "colu")
    assert _said(installed) == (None, None)
