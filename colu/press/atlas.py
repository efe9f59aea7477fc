"""What a page of the atlas says that the registry cannot know: the YAML in the one directive of ``book/atlas/NAME.md``.

::

    # Leaky ReLU

    ```{atlas} leaky-relu
    year: 2013
    purpose: Units that are negative keep a slope, so that none stops learning. It costs one comparison.
    smoothness: kink
    monotone: true
    bounded: none
    gated: false
    parts: {}
    wrong: []
    torch: torch.nn.functional.leaky_relu(x, 0.01)
    own: true
    chapters: [a-short-history]
    relatives: {relu: slope 0 below 0}
    ```
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from .moved import topic
from .project import BookError
from .toc import toc_parts

__all__ = ["FOLDER", "AtlasPage", "atlas_pages", "chapters_by_topic", "parse_page", "read_page"]

#: Where the pages lie, below the root of the project.
FOLDER = "book/atlas"
SMOOTHNESS = ("jump", "kink", "C1", "C2", "smooth")
BOUNDED = ("none", "below", "above", "both")


@dataclass(frozen=True)
class AtlasPage:
    """The fields of a page.

    Attributes
    ----------
    name : str
        The unit, by its name in the registry.
    year : int or None
        Of the source; None where there is none.
    purpose : str
        What it is for, as MyST.
    smoothness : str
        One of ``SMOOTHNESS``, of the function of its input, with default options.
    monotone : bool or None
        None where it maps several channels at once.
    bounded : str
        One of ``BOUNDED``.
    gated : bool
        Whether a factor that depends on the input multiplies another part of it.
    parts : dict of str to float
        Options with which the plot starts.
    wrong : tuple of str
        What is wrong in print or in common code, as MyST.
    torch : str
        One line of PyTorch.
    own : bool
        Whether that line is torch's own.
    chapters : tuple of str
        Topics, the main one first.
    relatives : dict of str to str
        Names of units, each with what distinguishes it.
    """

    name: str
    year: int | None
    purpose: str
    smoothness: str
    monotone: bool | None
    bounded: str
    gated: bool
    parts: dict[str, float]
    wrong: tuple[str, ...]
    torch: str
    own: bool
    chapters: tuple[str, ...]
    relatives: dict[str, str]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_wrong(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and set(entry) == {"text"} and _is_text(entry["text"]) for entry in value
    )


def _is_mapping(value: object, is_value: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value)) and all(map(is_value, value.values()))


#: Of each field, whether a value will do, and what is wanted.
RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "year": (lambda v: v is None or (type(v) is int and 1800 <= v <= 2100), "a year, or null where there is no source"),
    "purpose": (_is_text, "a text; quote one that holds ': '"),
    "smoothness": (lambda v: v in SMOOTHNESS, f"one of {', '.join(SMOOTHNESS)}"),
    "monotone": (lambda v: v is None or type(v) is bool, "true, false, or null for a map of several channels"),
    "bounded": (lambda v: v in BOUNDED, f"one of {', '.join(BOUNDED)}"),
    "gated": (lambda v: type(v) is bool, "true or false"),
    "parts": (lambda v: _is_mapping(v, _is_number), "a mapping of options to numbers, {} where there are none"),
    "wrong": (_is_wrong, "a list of entries with 'text:' alone, [] where nothing is known"),
    "torch": (lambda v: _is_text(v) and "\n" not in v.strip(), "one line of PyTorch"),
    "own": (lambda v: type(v) is bool, "true or false"),
    "chapters": (lambda v: isinstance(v, list) and bool(v) and all(map(_is_text, v)), "a list of topics of chapters"),
    "relatives": (lambda v: _is_mapping(v, _is_text), "a mapping of names of units to what distinguishes them"),
}


def parse_page(name: str, text: str, *, page: str = "") -> AtlasPage:
    """Read the body of a directive.

    Parameters
    ----------
    name : str
        The unit.
    text : str
        YAML.
    page : str
        Where it stands, for messages.

    Raises
    ------
    BookError
        For text that is no YAML, a field that is missing, unknown or of another kind; page, field and what was wanted.
    """
    place = page or f"{FOLDER}/{name}.md"
    try:
        entry = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BookError(f"{place} is no YAML: {error}") from error
    if not isinstance(entry, dict):
        raise BookError(f"{place} holds {type(entry).__name__}, wanted the fields {', '.join(RULES)}")
    for field in entry:
        if field not in RULES:
            near = difflib.get_close_matches(str(field), RULES, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(RULES)}"
            raise BookError(f"{place}: the field {field!r} is unknown{hint}")
    for field, (fits, wanted) in RULES.items():
        if field not in entry:
            raise BookError(f"{place}: the field {field!r} is missing, wanted {wanted}")
        if not fits(entry[field]):
            raise BookError(f"{place}: {field} is {entry[field]!r}, wanted {wanted}")
    entry["wrong"] = tuple(each["text"].strip() for each in entry["wrong"])
    entry["chapters"] = tuple(entry["chapters"])
    entry |= {"purpose": entry["purpose"].strip(), "torch": entry["torch"].strip()}
    return AtlasPage(name, **{field.name: entry[field.name] for field in fields(AtlasPage)[1:]})


_BLOCK = re.compile(
    r"\A# (?P<title>[^\n]+)\n+(?P<fence>`{3,})\{atlas\} (?P<name>\S+)\n(?P<body>.*)\n(?P=fence)\s*\Z", re.DOTALL
)


def read_page(path: Path) -> tuple[str, AtlasPage]:
    """The title of a page and its fields.

    Raises
    ------
    BookError
        If the page is not a title and one block for the unit of its name, or a field is wrong.
    """
    found = _BLOCK.match(path.read_text(encoding="utf8"))
    if found is None:
        raise BookError(f"{path} is not a title and one block {{atlas}} {path.stem}, which is all that a page has")
    if found["name"] != path.stem:
        raise BookError(f"{path} has the block of {found['name']!r}, wanted {path.stem!r}")
    return found["title"].strip(), parse_page(path.stem, found["body"], page=str(path))


def atlas_pages(root: Path) -> dict[str, tuple[str, AtlasPage]]:
    """Title and fields of each page below the root of a project, by name of the unit."""
    return {path.stem: read_page(path) for path in sorted((root / FOLDER).glob("*.md"))}


def chapters_by_topic(root: Path) -> dict[str, str]:
    """The names of the chapters by their topics, which stay when chapters are renumbered."""
    return {topic(name): name for _, names in toc_parts(root) for name in names}
