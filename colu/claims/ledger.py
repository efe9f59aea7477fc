"""The committed expectations, read and checked.

One file a chapter, ``expectations/NN-topic.yml``, with one entry a claim in the order of the text::

    id-of-the-claim:
      notebook: NN-topic
      statement: word for word as in the notebook's {claim} box
      expected: value, with tolerance: the absolute half-width; or at_most / at_least / between: [low, high]
      source: why this value, a derivation or a paper with its equation

A value or a tolerance may be a mapping ``{smoke: .., laptop: .., full: ..}``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from colu.presets import PRESETS

__all__ = ["Expectation", "LedgerError", "ledger_files", "load_expectations"]

_BOUNDS = ("expected", "at_most", "at_least", "between")
_KEYS = {"notebook", "statement", "tolerance", "source", *_BOUNDS}
LEDGER = Path(__file__).parent / "expectations"


class LedgerError(ValueError):
    """An entry of the ledger does not say what it must."""


@dataclass(frozen=True)
class Expectation:
    """One claim and what it is held against.

    Attributes
    ----------
    id, notebook, statement, source : str
    kind : {"expected", "at_most", "at_least", "between"}
    value : number, bool, pair of numbers, or mapping preset -> such
    tolerance : float or mapping preset -> float
        Absolute; 0 unless ``kind`` is "expected".
    """

    id: str
    notebook: str
    statement: str
    source: str
    kind: str
    value: Any
    tolerance: Any = 0.0

    def at(self, preset: str) -> tuple[Any, float]:
        """Value and tolerance that hold for ``preset``."""
        return _pick(self.value, preset, self.id), _pick(self.tolerance, preset, self.id)

    def holds(self, measured: float, preset: str = "smoke") -> bool:
        """Whether ``measured`` is what is expected; never for NaN."""
        value, tolerance = self.at(preset)
        if self.kind == "expected":
            return abs(float(measured) - float(value)) <= tolerance
        if self.kind == "at_most":
            return measured <= value
        if self.kind == "at_least":
            return measured >= value
        return value[0] <= measured <= value[1]

    def words(self, preset: str = "smoke") -> str:
        """The expectation as the printed line and the book give it."""
        value, tolerance = self.at(preset)
        if self.kind == "between":
            return f"between {value[0]:g} and {value[1]:g}"
        if self.kind != "expected":
            return f"{self.kind.replace('_', ' ')} {value:g}"
        if isinstance(value, bool):
            return "true" if value else "false"
        return f"{value:.9g}" + (f" ± {tolerance:g}" if tolerance else " exactly")


def _pick(value: Any, preset: str, claim_id: str) -> Any:
    if not isinstance(value, dict):
        return value
    if preset not in value:
        raise LedgerError(f"claim {claim_id!r} has no value for preset {preset!r}, only for {sorted(value)}; add it")
    return value[preset]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _checked(claim_id: str, entry: Any, path: Path) -> Expectation:
    where = f"{path.name}: claim {claim_id!r}"
    if not isinstance(entry, dict):
        raise LedgerError(f"{where} is {entry!r}, wanted a mapping with notebook, statement, source and a bound")
    if unknown := sorted(set(entry) - _KEYS):
        raise LedgerError(f"{where} has unknown keys {unknown}; known are {sorted(_KEYS)}")
    for key in ("notebook", "statement", "source"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise LedgerError(f"{where} lacks {key!r}")
    kinds = [kind for kind in _BOUNDS if kind in entry]
    if len(kinds) != 1:
        raise LedgerError(f"{where} has {kinds or 'no bound'}, wanted exactly one of {list(_BOUNDS)}")
    (kind,) = kinds
    value, tolerance = entry[kind], entry.get("tolerance", 0.0)
    for key, each in ((kind, value), ("tolerance", tolerance)):
        if isinstance(each, dict) and (strange := [preset for preset in each if preset not in PRESETS]):
            raise LedgerError(f"{where}: {key} has unknown presets {strange}; known are {list(PRESETS)}")
    for each in value.values() if isinstance(value, dict) else [value]:
        pair = isinstance(each, list) and len(each) == 2 and all(map(_number, each)) and each[0] <= each[1]
        if not (pair if kind == "between" else _number(each)):
            wanted = "[low, high]" if kind == "between" else "a number"
            raise LedgerError(f"{where}: {kind} is {each!r}, wanted {wanted}")
    for each in tolerance.values() if isinstance(tolerance, dict) else [tolerance]:
        if not _number(each) or not each >= 0:
            raise LedgerError(f"{where}: tolerance is {each!r}, wanted a number of at least 0")
    if "tolerance" in entry and kind != "expected":
        raise LedgerError(f"{where}: a tolerance goes with 'expected', not with {kind!r}")
    return Expectation(claim_id, entry["notebook"], entry["statement"], entry["source"], kind, value, tolerance)


class _UniqueLoader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not a silent overwrite."""


def _mapping(loader: _UniqueLoader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if doubled := sorted({key for key in keys if keys.count(key) > 1}):
        raise LedgerError(f"line {node.start_mark.line + 1}: {doubled} stands twice")
    return loader.construct_mapping(node, deep=True)


_UniqueLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def ledger_files(path: Path) -> list[Path]:
    """The files of a ledger: itself, or one a chapter in a folder, in the order of the chapters."""
    return sorted(path.glob("*.yml")) if path.is_dir() else [path]


def load_expectations(path: Path | None = None) -> dict[str, Expectation]:
    """All expectations by claim id, in the order of the chapters and of their files.

    Parameters
    ----------
    path : Path, optional
        Another ledger than the package's folder ``expectations``: a folder with one file a chapter, or one file.

    Raises
    ------
    LedgerError
        If an entry is not complete, stands in another chapter's file or in two; names entry and key.
    """
    path = path or LEDGER
    if not path.is_dir():
        return _load_file(path)
    found: dict[str, Expectation] = {}
    for file in ledger_files(path):
        entries = _load_file(file)
        if doubled := sorted(set(found) & set(entries)):
            raise LedgerError(f"{file.name}: {doubled} stands in another chapter's file too")
        for claim_id, entry in entries.items():
            if entry.notebook != file.stem:
                raise LedgerError(f"{file.name}: claim {claim_id!r} is of {entry.notebook!r}, move it to its own file")
        found |= entries
    return found


def _load_file(path: Path) -> dict[str, Expectation]:
    try:
        entries = yaml.load(path.read_text(encoding="utf8"), Loader=_UniqueLoader) or {}
    except yaml.YAMLError as error:
        raise LedgerError(f"{path} is not YAML: {error}") from error
    if not isinstance(entries, dict):
        raise LedgerError(f"{path} holds {type(entries).__name__}, wanted a mapping from claim id to entry")
    return {str(claim_id): _checked(str(claim_id), entry, path) for claim_id, entry in entries.items()}
