"""All records of a folder at once: whether they are whole, and seals for those that have none."""

from __future__ import annotations

from pathlib import Path

from .pictures import broken_pictures
from .records import RecordError, read_record, read_unsealed
from .seals import SEALS, seal_of, told_seals, write_seals

__all__ = ["broken_records", "seal_records"]


def _paths(root: Path) -> list[Path]:
    folders = ("*", "*/failed", "protocols/*", "protocols/*/failed")
    found = {path for folder in folders for path in root.glob(f"{folder}/*.json")}
    return sorted(p for p in found if not p.name.endswith(".curve.json") and not p.parts[-2].startswith("."))


def broken_records(root: str | Path) -> list[str]:
    """What is wrong with the records of a folder, each a line; empty where every one is sealed and whole.

    A record that is gone although it was sealed, and a curve without its record, are named, too.
    """
    root, found = Path(root), []
    for path in _paths(root):
        try:
            read_record(path)
        except RecordError as error:
            found.append(str(error))
    try:
        seals = told_seals(root)
    except ValueError as error:
        return [*found, str(error)]
    gone = [root / name for name in seals if not (root / name).is_file()]
    found += [f"{path} is gone, but sealed in {SEALS}; restore it" for path in gone]
    for curve in sorted([*root.glob("*/*.curve.json"), *root.glob("protocols/*/*.curve.json")]):
        if not curve.with_name(curve.name.replace(".curve.json", ".json")).is_file():
            found.append(f"{curve} has no record; restore both or delete both")
    return found + broken_pictures(root)


def seal_records(root: str | Path) -> list[str]:
    """Seal the records that have no seal, in ``seals.json``; no seal that is there is changed.

    Returns
    -------
    list of str
        Names of what was sealed now.

    Raises
    ------
    RecordError
        If a record is broken, or was changed after it was sealed; then nothing is written.
    """
    root, new = Path(root), {}
    seals = told_seals(root)
    for path in _paths(root):
        value, _, _, name = read_unsealed(path)
        if value["schema"] == 1 and name not in seals:
            new[name] = seal_of(value)
        else:
            read_record(path)
    if new:
        write_seals(root, new)
    return sorted(new)
