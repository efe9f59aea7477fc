"""What an executed notebook and a rendered site depend on, as checksums.

A cache keyed on a notebook's text alone shows numbers of an older package.
The key of a notebook covers the notebook, the package, the lock, the preset and its own claims.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from colu.claims.ledger import ledger_files
from colu.files import file_digest
from colu.press.project import Project

__all__ = ["notebook_key", "site_key"]

_CODE = {".py", ".yml", ".json", ".c", ".h"}
_LOOKS = {".css", ".js", ".svg"}


def _tree(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()}\0{file_digest(path)}\n".encode())
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


def _records(project: Project, notebook: Path) -> str:
    """Checksum of the recorded runs, for a notebook that reads them."""
    if "find_records" not in notebook.read_text(encoding="utf8"):
        return ""
    return _tree(project.root, project.root.glob("results/*/*.json"))


def notebook_key(project: Project, notebook: Path, preset: str, *, package: str | None = None) -> str:
    """Key of an executed copy: it is current exactly when its record holds this key.

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
        "records": _records(project, notebook),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _whole_book(project: Project) -> list[Path]:
    """Files outside of folders that the site is made from."""
    names = ("_config.yml", "_toc.yml", "genindex.md", "CHANGELOG.md")
    return [*(project.root / name for name in names), project.lock]


def site_key(project: Project, preset: str, executed: Iterable[Path]) -> str:
    """Key of the rendered site: executed copies, pages, configuration, package, ledger, records and lock."""
    files = [path for path in _whole_book(project) if path.is_file()]
    files += [path for path in project.pages.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files += [path for path in (project.root / "results").rglob("*.json")]
    files += _package_files(project, _CODE | _LOOKS)
    files += ledger_files(project.ledger)
    files += list(executed)
    return hashlib.sha256(f"{preset}\n{_tree(project.root, files)}".encode()).hexdigest()
