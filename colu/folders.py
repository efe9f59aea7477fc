"""Where the user's own files lie: the folders that environment variables name, and the cache."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import warnings
from pathlib import Path

__all__ = ["NoFolder", "cache_folder", "lasting_cache", "named_folder"]


class NoFolder(RuntimeError):
    """A folder that is wanted cannot be had; the message says why and what to do."""


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, ``~`` expanded; None where it is unset or empty.

    Raises
    ------
    NoFolder
        If the name begins by ``~`` and there is no such home folder.

    Examples
    --------
    >>> os.environ["COLU_EXAMPLE"] = "~"
    >>> named_folder("COLU_EXAMPLE") == Path.home()
    True
    >>> del os.environ["COLU_EXAMPLE"]
    """
    value = os.environ.get(variable)
    if not value:
        return None
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise NoFolder(f"{variable} is {value!r}, and no such home folder is known: write the path in full") from None


def lasting_cache() -> Path:
    """The cache: ``$COLU_CACHE``, or ``colu`` in ``$XDG_CACHE_HOME``, or ``~/.cache/colu``; made where it is absent.

    Raises
    ------
    NoFolder
        If it cannot be made.
    """
    folder = _wanted().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise NoFolder(f"{folder} cannot be made: {error.strerror or error}") from None
    return folder


def cache_folder() -> Path:
    """The cache, or where there is none a temporary folder that is private; a warning says so.

    Raises
    ------
    NoFolder
        If not even a temporary folder can be had.
    """
    try:
        return lasting_cache()
    except NoFolder as error:
        return _temporary(str(error))


def _wanted() -> Path:
    if named := named_folder("COLU_CACHE"):
        return named
    base = named_folder("XDG_CACHE_HOME")
    # The XDG specification: a relative path there is to be ignored.
    if base is None or not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            raise NoFolder("HOME is unset, and this user has no home folder") from None
    return base / "colu"


@functools.cache
def _temporary(reason: str) -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="colu-"))
    except OSError as error:
        raise NoFolder(f"no cache folder ({reason}), and no temporary one either: {error.strerror or error}") from None
    atexit.register(_remove, folder, os.getpid())
    warnings.warn(
        f"no cache folder ({reason}), so a temporary one serves this process: set COLU_CACHE to a folder of yours",
        stacklevel=3,
    )
    return folder


def _remove(folder: Path, owner: int) -> None:
    # A forked child inherits the order to remove, but not the folder.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
