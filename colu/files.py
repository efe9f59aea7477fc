"""Files written whole, read back with care, known by their checksum, and held by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where an open file can be neither renamed nor removed
    fcntl = None

__all__ = ["Busy", "bring_back", "digest_of", "file_digest", "held", "put_in_place", "read_json", "write_atomically"]

#: What begins so is being written, or was left by a process that was killed while it wrote.
PARTIAL = ".partial-"


class Busy(RuntimeError):
    """Another process holds what this one asked for."""


def _clear_dead(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; one that is at work holds a lock on its own."""
    if fcntl is None:
        return
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError), open(path, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _temporary(path: Path) -> BinaryIO:
    """A new file beside ``path``, locked."""
    while True:
        # Without the suffix: who lists the records of a folder must not meet one that is half-written.
        stream = open(path.with_name(f"{PARTIAL}{os.getpid()}-{secrets.token_hex(4)}"), "xb")
        if fcntl is not None:
            with suppress(OSError):  # of a file system without locks, where nothing is cleared either
                fcntl.flock(stream, fcntl.LOCK_EX)
        if os.fstat(stream.fileno()).st_nlink:
            return stream
        stream.close()  # another writer took it for a dead one's before it was locked


def write_atomically(path: Path, content: bytes | str | Iterable[bytes], *, make_folder: bool = True) -> None:
    """Write to a temporary name beside ``path``, flush to the disk, then rename; nothing half-written is left.

    What writers that were killed left in the folder goes first.

    Parameters
    ----------
    path : Path
    content : bytes, str or iterable of bytes
        Text is written in UTF-8, its line ends as they are; pieces are written as they come, each for itself.
    make_folder : bool
        Whether the folder is made where it does not exist; not by a process that others may have cleared up after.

    Raises
    ------
    FileNotFoundError
        Without ``make_folder``, if there is no folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", "whole")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'whole'
    """
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    _clear_dead(path.parent)
    data = content.encode("utf8") if isinstance(content, str) else content
    pieces = [data] if isinstance(data, bytes) else data
    stream = _temporary(path)
    try:
        with stream:
            for piece in pieces:
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl is not None:  # while it is locked
                put_in_place(Path(stream.name), path)
        if fcntl is None:
            put_in_place(Path(stream.name), path)
    finally:
        Path(stream.name).unlink(missing_ok=True)


def _previous(place: Path) -> Path:
    return place.with_name(f".previous-{place.name}")


def put_in_place(fresh: Path, place: Path) -> None:
    """Rename what is whole to its place, a file or a folder; what stood there goes.

    A file is replaced at once. A folder that stands steps aside first, and comes back where the rename fails; where the
    process is killed between the two, :func:`bring_back` has to be called.
    """
    if not place.is_dir():
        os.replace(fresh, place)
        return
    shutil.rmtree(_previous(place), ignore_errors=True)
    try:
        os.replace(place, _previous(place))
        os.replace(fresh, place)
    finally:
        bring_back(place)


def bring_back(place: Path) -> None:
    """Undo a :func:`put_in_place` of a folder that was cut off between its two renames; clear what one left."""
    if _previous(place).is_dir():
        if place.exists():
            shutil.rmtree(_previous(place), ignore_errors=True)
        else:
            os.replace(_previous(place), place)


def read_json(path: Path) -> dict | None:
    """The object in a JSON file, or None where it is absent or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def digest_of(value: object) -> str:
    """SHA-256 of a JSON value, the same whatever the order of its keys.

    Examples
    --------
    >>> digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def held(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file ``path``; the system releases it when the process ends, however it ends.

    Parameters
    ----------
    path : Path
        Its folder is made where it does not exist.
    wait : bool
        Whether to wait for another holder, for as long as it takes.

    Raises
    ------
    Busy
        If another process, or another caller in this one, holds it and ``wait`` is False.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(f"{path} is held by another process") from None
    try:
        yield
    finally:
        lock.release()
