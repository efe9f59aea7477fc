"""Files written whole, read back with care, known by their checksum, and held by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Busy", "digest_of", "file_digest", "held", "read_json", "write_atomically"]


class Busy(RuntimeError):
    """Another process holds what this one asked for."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write to a temporary name beside ``path``, flush to the disk, then rename; nothing half-written is left.

    Parameters
    ----------
    path : Path
        Its folder is made where it does not exist.
    content : bytes or str
        Text is written in UTF-8, its line ends as they are.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", "whole")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf8") if isinstance(content, str) else content
    temporary = path.with_name(f".partial-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
