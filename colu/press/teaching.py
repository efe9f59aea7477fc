"""How a chapter is taught: ``book/teaching/TOPIC.yml``, whose name stays when the chapter is renumbered.

A file has the minutes of each section, what students say that is wrong, what to skip, and what to draw::

    minutes: {"Why a cone": 15, "The norm": 20}
    break: The norm
    misconceptions:
    - says: The nearest point is the image.
      answer: The map moves towards the axis, and the nearest point is another one.
      asks: nearest-point
    skip: The proof of the second lemma.
    board: |
      1. A cone and a point outside.
      2. The segment towards the axis.

``break``, which few have, is the heading with which a second lecture begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from .moved import topic
from .notebook import Notebook
from .project import BookError

__all__ = ["Lesson", "Misconception", "headings", "read_lesson", "teaching_path"]

_KEYS = {"minutes", "misconceptions", "skip", "board"}
_STEP = re.compile(r"^\d+\.[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class Misconception:
    """What a student says, what to answer, and the id of the question that reveals it."""

    says: str
    answer: str
    asks: str


@dataclass(frozen=True)
class Lesson:
    """How one chapter is taught.

    Attributes
    ----------
    minutes : dict of str to int
        Of each section that is taught, by its heading.
    misconceptions : tuple of Misconception
    skip : str
        What to leave out when time is short.
    board : tuple of str
        What to draw, step by step.
    second : str
        The heading with which a second lecture begins; empty where there is one lecture.
    """

    minutes: dict[str, int]
    misconceptions: tuple[Misconception, ...]
    skip: str
    board: tuple[str, ...]
    second: str = ""

    @property
    def lectures(self) -> tuple[dict[str, int], ...]:
        """The sections of each lecture with their minutes.

        Examples
        --------
        >>> Lesson({"A": 40, "B": 30, "C": 20}, (), "", (), second="B").lectures
        ({'A': 40}, {'B': 30, 'C': 20})
        """
        names = list(self.minutes)
        at = names.index(self.second) if self.second else len(names)
        parts = (names[:at], names[at:])
        return tuple({name: self.minutes[name] for name in part} for part in parts if part)


def teaching_path(pages: Path, name: str) -> Path:
    """Where a chapter's file lies, below the folder of the pages.

    Examples
    --------
    >>> teaching_path(Path("book"), "12-symmetry").as_posix()
    'book/teaching/symmetry.yml'
    """
    return pages / "teaching" / f"{topic(name)}.yml"


def headings(notebook: Notebook) -> tuple[str, ...]:
    """The headings of a chapter's sections, in their order."""
    return tuple(line.strip() for line in re.findall(r"^## +(.+)$", notebook.prose, re.MULTILINE))


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BookError(f"{what} is {value!r}, wanted a text; quote one that holds ': '")
    return " ".join(value.split())


def _minutes(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise BookError("minutes maps headings of the notebook to minutes")
    for heading, minutes in value.items():
        if not isinstance(heading, str) or type(minutes) is not int or minutes < 1:
            raise BookError(f"minutes has {heading!r}: {minutes!r}, wanted a heading and a whole number from 1")
    return value


def _misconception(value: object) -> Misconception:
    if not isinstance(value, dict) or set(value) != {"says", "answer", "asks"}:
        raise BookError("a misconception has says, answer and asks, and nothing else")
    return Misconception(*(_text(value[key], key) for key in ("says", "answer", "asks")))


def _board(value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not _STEP.match(value):
        raise BookError("board is a list of steps, the first of which begins with '1. '")
    return tuple(_text(step, "a step of the board") for step in _STEP.split(value)[1:])


def _lesson(entry: object) -> Lesson:
    if not isinstance(entry, dict) or not _KEYS <= set(entry) <= _KEYS | {"break"}:
        raise BookError(f"it has {', '.join(sorted(_KEYS))}, and break where there are two lectures, and nothing else")
    minutes, second = _minutes(entry["minutes"]), entry.get("break", "")
    if second and second not in list(minutes)[1:]:
        raise BookError(f"break is {second!r}, wanted a heading that has minutes and is not the first")
    if not isinstance(entry["misconceptions"], list):
        raise BookError("misconceptions is a list")
    return Lesson(
        minutes,
        tuple(map(_misconception, entry["misconceptions"])),
        _text(entry["skip"], "skip"),
        _board(entry["board"]),
        second,
    )


def read_lesson(path: Path) -> Lesson | None:
    """The lesson in a file; none where there is no file.

    Raises
    ------
    BookError
        If the file is not as described above; it says what is wrong.
    """
    if not path.is_file():
        return None
    try:
        return _lesson(yaml.safe_load(path.read_text(encoding="utf8")))
    except yaml.YAMLError as error:
        raise BookError(f"teaching/{path.name} is no YAML: {error}") from error
    except BookError as error:
        raise BookError(f"teaching/{path.name}: {error}") from None
