"""All records as one file: packed when a wheel is built, unpacked where there is no clone.

The build runs this file by itself, so it needs nothing but Python.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

__all__ = ["ARCHIVE", "pack", "unpack"]

#: Beside this file in a wheel.
ARCHIVE = "records.tar.xz"


def pack(folder: Path) -> bytes:
    """The files of a folder of records as ``tar.xz``; the bytes depend on names and contents alone.

    Hidden files, such as those of unfinished runs, stay out.

    Raises
    ------
    FileNotFoundError
        If there is no file to pack.
    """
    kept = {}
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            kept["/".join(parts)] = path
    if not kept:
        raise FileNotFoundError(f"{folder} holds no records: build the wheel from a clone or a source distribution")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz", format=tarfile.USTAR_FORMAT, preset=9) as archive:
        for name in sorted(kept):
            content = kept[name].read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def unpack(archive: Path, folder: Path) -> Path:
    """``folder`` with the files of an archive; it is there whole or not at all, and made once.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if folder.is_dir():
        return folder
    from colu.files import held, put_in_place

    partial = folder.with_name(f".partial-{folder.name}")
    with held(folder.with_name(f".{folder.name}.lock"), wait=True):
        if folder.is_dir():  # another process was faster
            return folder
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with tarfile.open(archive, mode="r:xz") as opened:
                opened.extractall(partial, filter="data")
            put_in_place(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder
