"""Where data files lie, and whether they are whole."""

from __future__ import annotations

import json
import warnings
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from colu.files import file_digest
from colu.folders import NoFolder, cache_folder, named_folder

__all__ = ["DataCorruptedError", "DataUnavailableError", "data_root", "download_root", "embedded_file", "verify"]


class DataUnavailableError(RuntimeError):
    """A data set is neither in ``COLU_DATA`` nor to be downloaded."""


class DataCorruptedError(RuntimeError):
    """A data file is truncated or altered."""


def data_root() -> Path | None:
    """Folder named by ``COLU_DATA``, or None where it is unset.

    Raises
    ------
    DataUnavailableError
        If ``COLU_DATA`` names something that is not a folder.
    """
    try:
        root = named_folder("COLU_DATA")
    except NoFolder as error:
        raise DataUnavailableError(str(error)) from None
    if root is not None and not root.is_dir():
        raise DataUnavailableError(
            f"COLU_DATA is {str(root)!r}, which is not a folder: set it to the folder that holds the data sets, "
            "or unset it to download them"
        )
    return root


def download_root() -> Path:
    """The cache folder, where sets are downloaded to.

    Raises
    ------
    DataUnavailableError
        If there is none.
    """
    try:
        return cache_folder()
    except NoFolder as error:
        raise DataUnavailableError(str(error)) from None


def embedded_file(name: str) -> Path:
    """A file below ``sklearn/datasets``, found without importing scikit-learn, which takes longer than PyTorch.

    Raises
    ------
    DataUnavailableError
        If the installed scikit-learn keeps no such file.
    """
    spec = find_spec("sklearn")
    folder = Path(spec.submodule_search_locations[0]) if spec else Path("sklearn")
    path = folder / "datasets" / name
    if not path.is_file():
        raise DataUnavailableError(
            f"{path} is missing: install the scikit-learn that requirements.txt names, which brings the file"
        )
    return path


@lru_cache
def _manifest(root: Path) -> dict[str, str]:
    """Relative path -> sha256, from ``manifest.json`` in the data folder where there is one."""
    path = root / "manifest.json"
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf8")).values()
        files = [file for entry in entries if isinstance(entry, dict) for file in entry.get("files", [])]
        return {str(file["path"]): str(file["sha256"]) for file in files}
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        # Another tool's, or damaged.
        warnings.warn(f"{path} does not list files with their sha256, so none is compared with it", stacklevel=4)
        return {}


def _found(folder: Path) -> str:
    """What a folder holds, for a message."""
    try:
        there = sorted(path.name for path in folder.iterdir())
    except OSError:
        return f"there is no folder {folder}"
    some = ", ".join(there[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else "")
    return f"{folder} holds {some or 'nothing'}"


def verify(path: Path, *, md5: str | None = None, root: Path | None = None) -> Path:
    """Return ``path`` if it is whole; raise where it is not.

    Parameters
    ----------
    path : Path
        The file to check.
    md5 : str, optional
        The publisher's checksum.
    root : Path, optional
        Data folder; its ``manifest.json``, where present, gives a sha256 for the file.

    Raises
    ------
    DataUnavailableError
        If the file is absent.
    DataCorruptedError
        If a checksum differs; names file, checksum wanted and checksum found.
    """
    if not path.is_file():
        remedy = "copy the whole data set there, or unset COLU_DATA to download it"
        if data_root() is None:
            remedy = f"remove {path.parent}, and the whole set is downloaded again"
        raise DataUnavailableError(f"{path} is missing; {_found(path.parent)}: {remedy}")
    wanted = {"md5": md5}
    if root is not None:
        wanted["sha256"] = _manifest(root).get(path.relative_to(root).as_posix())
    for algorithm, checksum in wanted.items():
        if checksum is None:
            continue
        found = file_digest(path, algorithm)
        if found != checksum:
            raise DataCorruptedError(
                f"{path} ({path.stat().st_size} bytes) is truncated or altered: its {algorithm} is {found}, "
                f"wanted {checksum}; replace that file with a fresh copy"
            )
    return path
