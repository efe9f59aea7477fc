"""The package as pip installs it: its wheel, from a copy of the sources without what earlier builds left in them."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

from colu.press.project import BookError
from colu.programs import run_program

from .environment import clean_environment

__all__ = ["build_wheel", "unpacked_wheel"]

_FOLDERS, _FILES = ("colu", "results"), ("pyproject.toml", "setup.py", "README.md", "LICENSE")


def build_wheel(root: Path, folder: Path) -> Path:
    """Build the wheel of the package in ``root`` into ``folder``, with the tools of this interpreter.

    Raises
    ------
    BookError
        With what the build says.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    for name in _FOLDERS:
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in _FILES:
        shutil.copyfile(root / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = run_program(command, env=clean_environment(), cwd=folder)
    if done.status != 0:
        raise BookError(f"the wheel was not built (exit status {done.status}):\n{(done.out + done.err)[-3000:]}")
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpacked_wheel(root: Path, folder: Path) -> Path:
    """Build the wheel and unpack it below ``folder``; the folder that holds the package."""
    wheel = build_wheel(root, folder)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"
