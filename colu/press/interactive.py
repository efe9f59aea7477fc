"""The interactive figures: what their pages say of each, in ``book/laboratory/NAME.yml``.

A figure opens with a question, has a few states to begin with, and a finding in words for readers without scripts::

    title: Drag the cone
    question: What does CoLU do to a point outside its cone?
    alt: What the static picture shows.
    finding: What a reader learns from it, in words.
    states:
      - label: a point outside
        address: x=-1&y=1.5
        says: What to look at in this state.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from .project import BookError

__all__ = ["FOLDER", "Interactive", "State", "interactive_names", "read_interactive"]

#: Of the figures' own pages, below the folder of pages.
FOLDER = "laboratory"
_TEXTS = ("title", "question", "alt", "finding")
_STATE = ("label", "address", "says")


@dataclass(frozen=True)
class State:
    """One state to begin with: what its link says, its address, and what to look at."""

    label: str
    address: str
    says: str


@dataclass(frozen=True)
class Interactive:
    """What stands about one figure."""

    name: str
    title: str
    question: str
    alt: str
    finding: str
    states: tuple[State, ...]


def interactive_names(pages: Path) -> list[str]:
    """The figures that there are, below the folder of the pages."""
    return sorted(path.stem for path in (pages / FOLDER).glob("*.yml"))


def _checked(entry: object, fields: tuple[str, ...], what: str) -> dict:
    if not isinstance(entry, dict) or set(entry) != set(fields):
        has = ", ".join(map(str, entry)) if isinstance(entry, dict) else repr(entry)
        raise BookError(f"{what} has {has or 'nothing'}, wanted {', '.join(fields)}")
    empty = [key for key in fields if not entry[key] or isinstance(entry[key], int | float)]
    if empty:
        raise BookError(f"{what}: {empty[0]} is {entry[empty[0]]!r}, wanted a text")
    return entry


def read_interactive(pages: Path, name: str) -> Interactive:
    """What is said of a figure.

    Parameters
    ----------
    pages : Path
        The folder of the book's pages.
    name : str

    Raises
    ------
    BookError
        If there is no such figure, or its file is not as described above; it names the figures, or the entry.
    """
    path = pages / FOLDER / f"{name}.yml"
    if not path.is_file():
        raise BookError(f"there is no interactive figure {name!r}; there are {', '.join(interactive_names(pages))}")
    try:
        entry = _checked(yaml.safe_load(path.read_text(encoding="utf8")), (*_TEXTS, "states"), path.name)
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} is no YAML: {error}") from error
    if not isinstance(entry["states"], list):
        raise BookError(f"{path.name}: states is {entry['states']!r}, wanted a list")
    states = (_checked(each, _STATE, f"{path.name}, state {n}") for n, each in enumerate(entry["states"], 1))
    texts = {key: entry[key].strip() for key in _TEXTS}
    return Interactive(name, **texts, states=tuple(State(**each) for each in states))
