"""Where the parts of the book lie."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

from colu.presets import PRESETS

__all__ = ["BookError", "Project", "UnknownName", "check_system", "find_project"]


class BookError(RuntimeError):
    """The book cannot be built; the message says what to do."""


class UnknownName(BookError):
    """A name given by the user is none of the known ones; the message has the nearest."""


@dataclass(frozen=True)
class Project:
    """Folders of one book, all below ``root``."""

    root: Path

    @property
    def notebooks(self) -> Path:
        """The chapters as committed, without outputs."""
        return self.root / "notebooks"

    @property
    def pages(self) -> Path:
        """The prose around the chapters."""
        return self.root / "book"

    @property
    def package(self) -> Path:
        """The package that the notebooks import."""
        return self.root / "colu"

    @property
    def ledger(self) -> Path:
        """The committed expectations of the claims, one file a chapter."""
        return self.package / "claims" / "expectations"

    @property
    def lock(self) -> Path:
        """The exact versions of everything."""
        return self.root / "requirements.txt"

    @property
    def results(self) -> Path:
        """The recorded runs."""
        return self.root / "results"

    @property
    def build(self) -> Path:
        """Holds the rendered site in ``html``."""
        return self.root / "_build"

    @property
    def site(self) -> Path:
        """The rendered site."""
        return self.build / "html"

    def executed(self, preset: str) -> Path:
        """Executed copies and their records, outside of ``_build``."""
        return self.root / "executed" / preset


def check_preset(preset: str) -> str:
    """``preset``, or an error that names the known ones."""
    if preset not in PRESETS:
        near = difflib.get_close_matches(preset, PRESETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownName(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}{hint}")
    return preset


def check_system() -> None:
    """Refuse to build where processes cannot be held together as the build does it."""
    if sys.platform == "win32":
        raise BookError("the book builds on Linux and macOS, not on Windows: use WSL; the package itself runs here")


def find_project(start: Path | None = None) -> Project:
    """The project that ``start`` (the working folder) lies in: the nearest folder with ``_toc.yml`` above it.

    Raises
    ------
    BookError
        If there is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return Project(folder)
    raise BookError(f"{start} is not in the book's project (no _toc.yml and notebooks/ above it): change to its folder")
