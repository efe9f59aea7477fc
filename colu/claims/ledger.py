"""The committed expectations, read and checked.

One file a chapter, ``expectations/NN-topic.yml``, with one entry a claim in the order of the text::

    id-of-the-claim:
      expected: value, with tolerance: the absolute half-width; or at_most / at_least / between: [low, high]
      source: why this value, a derivation or a paper with its equation
      from_run: true, where the value was set after a run and not before

A value or a tolerance may be a mapping ``{smoke: .., laptop: .., full: ..}``.
What is claimed stands once, in the ``{claim}`` box of the notebook after which the file is named.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)

from colu.presets import PRESETS

__all__ = ["Expectation", "LedgerError", "ledger_files", "load_expectations", "numbered"]

#: What a claim of rounding allows at most.
ROUNDING = 1e-9
_BOUNDS = ("expected", "at_most", "at_least", "between")
LEDGER = Path(__file__).parent / "expectations"


class LedgerError(ValueError):
    """An entry of the ledger does not say what it must."""


def _for_each_preset(value: Any) -> Any:
    """A value that holds for every preset, as a mapping."""
    return value if isinstance(value, dict) else dict.fromkeys(PRESETS, value)


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("wanted [low, high]")
    return pair


_T = TypeVar("_T")
_ByPreset = Annotated[dict[Literal[PRESETS], _T], BeforeValidator(_for_each_preset)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Pair = Annotated[tuple[_Number, _Number], AfterValidator(_ordered)]


class Expectation(BaseModel):
    """One claim and what it is held against; values and tolerances by preset.

    Attributes
    ----------
    id : str
        The key of the entry.
    notebook : str
        The name of its file.
    source : str
        Why this value.
    expected : dict, optional
        Preset -> number or bool; exactly one of the four bounds is there.
    at_most : dict, optional
        Preset -> number.
    at_least : dict, optional
        Preset -> number.
    between : dict, optional
        Preset -> (low, high).
    tolerance : dict
        Absolute half-width around ``expected``; 0 where none is given.
    from_run : bool
        Whether a first run set the value or its bound; no prediction then, but a guard for later runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    notebook: str
    source: Annotated[str, Field(pattern=r"\S")]
    from_run: StrictBool = False
    expected: _ByPreset[StrictBool | _Number] | None = None
    at_most: _ByPreset[_Number] | None = None
    at_least: _ByPreset[_Number] | None = None
    between: _ByPreset[_Pair] | None = None
    tolerance: _ByPreset[Annotated[_Number, Field(ge=0)]] = Field(default=0.0, validate_default=True)

    @model_validator(mode="after")
    def _one_bound(self) -> Expectation:
        kinds = [kind for kind in _BOUNDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"has {kinds or 'no bound'}, wanted exactly one of {list(_BOUNDS)}")
        if "tolerance" in self.model_fields_set and kinds != ["expected"]:
            raise ValueError(f"has a tolerance, which goes with 'expected', not with {kinds[0]!r}")
        return self

    @property
    def kind(self) -> str:
        """Which of the bounds it is."""
        return next(kind for kind in _BOUNDS if getattr(self, kind) is not None)

    @property
    def of_rounding(self) -> bool:
        """Whether it says that something holds exactly, but for the digits of the numbers: within a billionth."""
        bounds = self.at_most if self.kind == "at_most" else self.tolerance if self.kind == "expected" else {}
        return bool(bounds) and all(0 < bound <= ROUNDING for bound in bounds.values())

    def at(self, preset: str) -> tuple[Any, float]:
        """Value and tolerance that hold for ``preset``."""
        values = getattr(self, self.kind), self.tolerance
        for each in values:
            if preset not in each:
                known = sorted(each)
                raise LedgerError(f"claim {self.id!r} has no value for preset {preset!r}, only for {known}; add it")
        return values[0][preset], values[1][preset]

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
        """The expectation as the printed line and the book give it; one from a run says so."""
        return self._bound(preset) + (", set after a run" if self.from_run else "")

    def _bound(self, preset: str) -> str:
        value, tolerance = self.at(preset)
        if self.kind == "between":
            return f"between {value[0]:g} and {value[1]:g}"
        if self.kind != "expected":
            return f"{self.kind.replace('_', ' ')} {value:g}"
        if isinstance(value, bool):
            return "true" if value else "false"
        return f"{value:.9g}" + (f" ± {tolerance:g}" if tolerance else " exactly")


def _complaint(error: ValidationError) -> str:
    """What is wrong with an entry, one part a key; a value is named once, not once a preset or type."""
    said: dict[tuple[str, str], list[str]] = {}
    for each in error.errors(include_url=False):
        key, message = str(each["loc"][0]) if each["loc"] else "", each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            message = f"has the unknown key {key!r}; known are {['source', 'from_run', 'tolerance', *_BOUNDS]}"
        elif each["type"] == "missing" and len(each["loc"]) == 1:
            message = f"lacks {key!r}"
        elif key:
            said.setdefault((key, f"{key} is {each['input']!r}: "), []).append(message)
            continue
        said[key, message] = []
    return "; ".join(start + " or ".join(dict.fromkeys(rest)) for (_, start), rest in said.items())


def _expectation(claim_id: str, entry: Any, path: Path) -> Expectation:
    where = f"{path.name}: claim {claim_id!r}"
    if not isinstance(entry, dict):
        raise LedgerError(f"{where} is {entry!r}, wanted a mapping with a source and a bound")
    known = {"id": claim_id, "notebook": path.stem}
    if doubled := sorted(known.keys() & entry.keys()):
        raise LedgerError(f"{where} has {doubled}, which its key and the file's name say: take it out")
    try:
        return Expectation.model_validate(entry | known)
    except ValidationError as error:
        raise LedgerError(f"{where} {_complaint(error)}") from None


class _UniqueLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which a key that stands twice is an error, not a silent overwrite."""


def _mapping(loader: _UniqueLoader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if doubled := sorted({key for key in keys if keys.count(key) > 1}):
        raise LedgerError(f"line {node.start_mark.line + 1}: {doubled} stands twice")
    return loader.construct_mapping(node, deep=True)


_UniqueLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def ledger_files(folder: Path) -> list[Path]:
    """The files of a ledger, one a chapter, in the order of the chapters."""
    return sorted(folder.glob("*.yml"))


def load_expectations(folder: Path | None = None) -> dict[str, Expectation]:
    """All expectations by claim id, in the order of the chapters and of their files.

    Parameters
    ----------
    folder : Path, optional
        Another ledger than the package's folder ``expectations``; with one file a chapter, named after its notebook.

    Raises
    ------
    LedgerError
        If an entry is not complete or a claim has two; names file, entry, key and what was wanted.
    """
    folder = folder or LEDGER
    if not folder.is_dir():
        raise LedgerError(f"{folder} is no folder of expectations: give one with a file NN-topic.yml for each chapter")
    found: dict[str, Expectation] = {}
    for file in ledger_files(folder):
        state = file.stat()
        entries = _load_file(file, state.st_mtime_ns, state.st_size)
        if doubled := sorted(set(found) & set(entries)):
            raise LedgerError(f"{file.name}: {doubled} stands in another chapter's file too")
        found |= entries
    return found


@lru_cache(maxsize=256)
def _load_file(path: Path, _changed: int, _size: int) -> dict[str, Expectation]:
    """The entries of one file; a page of the book with ten boxes reads it once."""
    try:
        entries = yaml.load(path.read_text(encoding="utf8"), Loader=_UniqueLoader) or {}
    except yaml.YAMLError as error:
        raise LedgerError(f"{path} is not YAML: {error}") from error
    except LedgerError as error:
        raise LedgerError(f"{path.name}: {error}") from None
    if not isinstance(entries, dict):
        raise LedgerError(f"{path} holds {type(entries).__name__}, wanted a mapping from claim id to entry")
    return {str(claim_id): _expectation(str(claim_id), entry, path) for claim_id, entry in entries.items()}


def numbered(expectations: dict[str, Expectation]) -> dict[str, str]:
    """Number the claims: the chapter's number, a dot, the place in the chapter."""
    places: dict[str, int] = {}
    numbers = {}
    for claim, expectation in expectations.items():
        notebook = expectation.notebook
        places[notebook] = places.get(notebook, 0) + 1
        numbers[claim] = f"{notebook.split('-')[0]}.{places[notebook]}"
    return numbers
