"""What an executed notebook and a rendered site depend on, as checksums.

A cache keyed on a notebook's text alone shows numbers of an older package.
The key of a notebook covers the notebook, the package, the lock, the preset and its own claims; after its run also the
records that it was seen to read, by what is in them and, of the folders that it listed, by the names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from colu.claims.ledger import ledger_files
from colu.files import file_digest
from colu.press.project import Project

from .kernel import EVERYTHING

__all__ = ["changed_since", "key_with_reads", "notebook_key", "package_digest", "site_key"]

_CODE = {".py", ".yml", ".json", ".c", ".h"}
_LOOKS = {".css", ".js", ".svg"}


@cache
def _digest(path: str, changed: int, size: int) -> str:
    return file_digest(Path(path))


def _known_digest(path: Path) -> str:
    """The checksum of a file, taken once: several chapters read the same thousand records."""
    stat = path.stat()
    return _digest(str(path), stat.st_mtime_ns, stat.st_size)


def _tree(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()}\0{_known_digest(path)}\n".encode())
    return digest.hexdigest()


def _package_files(project: Project, suffixes: set[str]) -> list[Path]:
    """Files of the package; the ledger is left out, each notebook counts its own claims."""
    return [
        path
        for path in project.package.rglob("*")
        if path.suffix in suffixes
        and path.is_file()
        and project.ledger not in path.parents
        and "__pycache__" not in path.parts
    ]


def package_digest(project: Project) -> str:
    """Checksum of the package's code."""
    return _tree(project.root, _package_files(project, _CODE))


def _own_claims(project: Project, notebook: str) -> str:
    """Checksum of the notebook's own expectations."""
    own = project.ledger / f"{notebook}.yml"
    return file_digest(own) if own.is_file() else ""


def _records(results: Path) -> list[Path]:
    """Every file of the recorded runs; what begins by a dot is not finished."""
    found = []
    for folder, inside, files in os.walk(results):
        inside[:] = [name for name in inside if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return found


def _state(results: Path, name: str) -> str:
    """What a notebook found under a name that its kernel noted."""
    path = results / name
    try:
        if name == EVERYTHING:
            return _tree(results, _records(results))
        if name.endswith("/"):
            return "\n".join(sorted(each for each in os.listdir(path) if not each.startswith(".")))
        return _known_digest(path)
    except OSError:
        return "absent"


def key_with_reads(key: str, results: Path, reads: Iterable[str]) -> str:
    """Key of an executed copy: it is current exactly when its record holds this key.

    Parameters
    ----------
    key : str
        :func:`notebook_key`.
    results : Path
        The recorded runs.
    reads : iterable of str
        The names that the notebook's kernel noted, as :mod:`colu.press.build.kernel` writes them.
    """
    states = [(name, _state(results, name)) for name in sorted(set(reads))]
    return hashlib.sha256(json.dumps([key, states]).encode()).hexdigest()


def changed_since(results: Path, reads: Iterable[str], moment: int) -> bool:
    """Whether anything that was read is younger than ``moment``, in nanoseconds of the file system's clock."""
    named = set(reads)
    paths = {results / name for name in named - {EVERYTHING}}
    paths |= set(_records(results)) if EVERYTHING in named else set()
    return any(path.exists() and path.stat().st_mtime_ns >= moment for path in paths)


def notebook_key(project: Project, notebook: Path, preset: str, *, package: str | None = None) -> str:
    """Key of a notebook before its run.

    Parameters
    ----------
    project : Project
    notebook : Path
        The committed notebook.
    preset : str
    package : str, optional
        :func:`package_digest`, where it was computed already.
    """
    parts = {
        "notebook": file_digest(notebook),
        "package": package or package_digest(project),
        "lock": file_digest(project.lock) if project.lock.is_file() else "",
        "preset": preset,
        "claims": _own_claims(project, notebook.stem),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def site_key(project: Project, preset: str, executed: Iterable[Path]) -> str:
    """Key of the rendered site: executed copies and what is known of their runs, pages, notebooks, configuration,
    package, ledger, records and lock."""
    names = ("_config.yml", "_toc.yml", "genindex.md", "CHANGELOG.md")
    files = [path for path in (*(project.root / name for name in names), project.lock) if path.is_file()]
    files += [path for path in project.pages.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files += [*project.notebooks.glob("*.ipynb"), *_records(project.results), *executed]
    files += [*_package_files(project, _CODE | _LOOKS), *ledger_files(project.ledger)]
    return hashlib.sha256(f"{preset}\n{_tree(project.root, files)}".encode()).hexdigest()
