"""Where records lie: those of this machine, and those that come with the package."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from colu.files import file_digest
from colu.folders import cache_folder, named_folder

from .archive import ARCHIVE, unpack

__all__ = ["NoRecordsError", "check_root", "needed", "result_files", "result_folders", "results_root"]


class NoRecordsError(RuntimeError):
    """What is shown needs records, and there are none."""


def _project() -> Path | None:
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / "_toc.yml").is_file() and (f / "colu").is_dir()), None)


def results_root() -> Path:
    """Where runs are recorded: ``COLU_RESULTS``, else ``results`` of the project around here, else of here."""
    if named := named_folder("COLU_RESULTS"):
        return named.resolve()
    return (_project() or Path.cwd()) / "results"


@cache
def _shipped(archive: Path) -> Path:
    """The folder of the records that came with the package, unpacked into the cache folder under their digest."""
    return unpack(archive, cache_folder() / f"records-{file_digest(archive)[:16]}")


def result_folders(root: str | Path | None = None) -> list[Path]:
    """Folders in which records are looked for, the reader's own before those that came with the package.

    Parameters
    ----------
    root : path, optional
        Only this one.  By default that of :func:`results_root`; in neither a clone nor a folder that ``COLU_RESULTS``
        names, the records that came with the package, too.
    """
    if root is not None:
        return [Path(root)]
    archive = Path(__file__).with_name(ARCHIVE)
    alone = os.environ.get("COLU_RESULTS") or _project() or not archive.is_file()
    return [results_root(), *([] if alone else [_shipped(archive)])]


def result_files(pattern: str, root: str | Path | None = None) -> list[Path]:
    """Files below the folders of records, such as ``bench/*.csv``; of one name, the reader's own.

    Parameters
    ----------
    pattern : str
    root : path, optional
        As of :func:`result_folders`.

    Returns
    -------
    list of Path
        Ordered by their names below the folder; empty where there is none.
    """
    found: dict[str, Path] = {}
    for folder in result_folders(root):
        for path in folder.glob(pattern):
            found.setdefault(path.relative_to(folder).as_posix(), path)
    return [found[name] for name in sorted(found)]


def needed(found: list) -> list:
    """What was found, where nothing can be said without.

    Raises
    ------
    NoRecordsError
        If it is empty: says where records come from.

    Examples
    --------
    >>> needed([1])
    [1]
    """
    if not found:
        places = ", ".join(map(str, result_folders()))
        raise NoRecordsError(
            f"no records here: nothing fits in {places}; clone the repository, or install the package from its wheel, "
            "which brings them, or run the commands of this chapter"
        )
    return found


def check_root(root: str | Path) -> Path:
    """``root``, if records can be written there.

    Raises
    ------
    ValueError
        If it, or what is there of the way to it, is a file or cannot be written.
    """
    root = Path(root)
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ValueError(f"records cannot be written to {root}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"records cannot be written to {root}: {there} is not yours to write; name another folder")
    return root
