"""All records as one file: packed when a wheel is built, unpacked where there is no clone.

The build runs this file by itself, so it needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ARCHIVE", "pack", "unpack"]

#: Beside this file in a wheel.
ARCHIVE = "records.tar.xz"
#: In the archive, the records of one folder as a table; no file of records has a hidden name.
TABLE = ".records"


def pack(folder: Path) -> bytes:
    """The files of a folder of records as ``tar.xz``; the bytes depend on names and contents alone.

    The records of a folder go into one table, a line a field, without what follows from the other fields: checksums,
    and a field that another repeats.  What does not come out of the table byte for byte, and every other file, is
    kept as it is.  Hidden files, such as those of unfinished runs, stay out.

    Raises
    ------
    FileNotFoundError
        If there is no file to pack.
    """
    kept = {}
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            kept["/".join(parts)] = path.read_bytes()
    if not kept:
        raise FileNotFoundError(f"{folder} holds no records: build the wheel from a clone or a source distribution")
    tables: dict[str, dict[str, dict]] = {}
    for name in sorted(kept):
        place, _, file = name.rpartition("/")
        if row := _row(file, kept.get(name, b""), kept.get(f"{name.removesuffix('.json')}.curve.json")):
            tables.setdefault(place, {})[file] = row
            for written in _files(row):
                del kept[f"{place}/{written}".lstrip("/")]
    for place, rows in tables.items():
        kept[f"{place}/{TABLE}".lstrip("/")] = _table([rows[file] for file in sorted(rows)])
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz", format=tarfile.USTAR_FORMAT, preset=9) as archive:
        for name in sorted(kept):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(kept[name]), 0o644
            archive.addfile(entry, io.BytesIO(kept[name]))
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
            for table in sorted(partial.rglob(TABLE)):
                for row in _rows(table.read_bytes()):
                    for name, content in _files(row).items():
                        table.with_name(name).write_bytes(content)
                table.unlink()
            put_in_place(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _derived(record: dict, stem: str, curve: bytes | None) -> Iterator[tuple[str, str]]:
    """Fields that follow from the others, each by those before it; yields name and value, and looks again after."""
    yield "config_hash", _digest(record.get("config"))
    if curve is not None:
        yield "curve", f"{stem}.curve.json"
        yield "curve_sha256", hashlib.sha256(curve).hexdigest()
    yield "seal", _digest({name: part for name, part in record.items() if name != "seal"})


def _curve(entries: list) -> bytes:
    return json.dumps(entries, separators=(",", ":")).encode()


def _row(file: str, content: bytes, curve: bytes | None) -> dict | None:
    """A record with its curve, less what follows from the rest; None where that is not all of its bytes."""
    if not file.endswith(".json") or b'"config_hash"' not in content:
        return None
    stem = file.removesuffix(".json")
    wanted = {file: content} | ({f"{stem}.curve.json": curve} if curve is not None else {})
    try:
        record = json.loads(content)
        left_out = [name for name, value in _derived(record, stem, curve) if record.get(name) == value]
        told = {name: None if name in left_out else value for name, value in record.items()}
        row = {"file": stem.replace(record["config_hash"][:10], "*", 1), "left_out": left_out, "record": told}
        if curve is not None:
            row["curve"] = json.loads(curve)
        # As it will be read, so that what a table cannot hold shows here.
        return row if _files(next(_rows(_table([row])))) == wanted else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _files(row: dict) -> dict[str, bytes]:
    """The files of a row, by name."""
    record = dict(row["record"])
    curve = _curve(row["curve"]) if "curve" in row else None
    told = _digest(record["config"]) if "config_hash" in row["left_out"] else record["config_hash"]
    stem = row["file"].replace("*", told[:10])
    for name, value in _derived(record, stem, curve):
        if name in row["left_out"]:
            record[name] = value
    files = {f"{stem}.json": (json.dumps(record, indent=1) + "\n").encode()}
    return files if curve is None else files | {f"{stem}.curve.json": curve}


def _leaves(value: object, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if parts and value:
        for key, part in parts:
            yield from _leaves(part, (*path, key))
    else:
        yield path, value


def _value(leaves: list[tuple[list, object]]) -> object:
    """Undoes :func:`_leaves`; a key that is a number is the place in a list."""
    if leaves and not leaves[0][0]:
        return leaves[0][1]
    parts: dict = {}
    for (key, *path), value in leaves:
        parts.setdefault(key, []).append((path, value))
    values = {key: _value(below) for key, below in parts.items()}
    return list(values.values()) if isinstance(next(iter(values)), int) else values


def _table(rows: list[dict]) -> bytes:
    """Rows as text: for each set of fields its head, then a line for each column that must be told."""
    groups: dict[str, list[list[str]]] = {}
    for row in rows:
        leaves = list(_leaves(row))
        groups.setdefault(json.dumps([path for path, _ in leaves]), []).append([json.dumps(v) for _, v in leaves])
    lines = []
    for paths, members in groups.items():
        columns, said, how = [list(column) for column in zip(*members, strict=True)], {}, []
        for number, column in enumerate(columns):
            text = "\t".join(column)
            if len(set(column)) == 1:
                how.append([json.loads(column[0])])
            elif text in said:
                how.append(said[text])
            else:
                said[text] = number
                how.append(None)
        lines += [json.dumps({"rows": len(members), "paths": json.loads(paths), "how": how}), *said]
    return ("\n".join(lines) + "\n").encode()


def _rows(table: bytes) -> Iterator[dict]:
    """Undoes :func:`_table`, but for the order of the rows."""
    lines = iter(table.decode().splitlines())
    for head in map(json.loads, lines):
        columns: list[list] = []
        for how in head["how"]:
            if how is None:
                columns.append([json.loads(token) for token in next(lines).split("\t")])
            else:
                columns.append(how * head["rows"] if isinstance(how, list) else columns[how])
        for values in zip(*columns, strict=True):
            yield _value(list(zip(head["paths"], values, strict=True)))
