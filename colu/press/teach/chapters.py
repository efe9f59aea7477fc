"""What a chapter says of itself: question, objectives, cost, exercises with their solutions, errata.

Read from the committed notebook, so that the pages around the chapters need no list of their own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Chapter", "Erratum", "Exercise", "read_chapter", "toc_chapters", "toc_parts"]

_BOLD = re.compile(r"^\*\*(Question\.|You will be able to|Before you start\.|Cost\.)\*\*", re.MULTILINE)
_BLOCK = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<kind>[\w:-]+)\}[ \t]*(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")
_SOLUTION = re.compile(r"^`{3,}\{solution-(start|end)\}[ \t]*(\S*)", re.MULTILINE)
_DOC = re.compile(r"\{doc\}`(?:([^`<]*)<)?(\d\d-[\w-]+)>?`")
_GLUE = re.compile(r"(\{glue:\w+\}`)([^`:]+)((?::[^`:]+)?`)")


@dataclass(frozen=True)
class Exercise:
    """One exercise: its label, stars from one to three, title, text, and the cells of its solution."""

    label: str
    stars: int
    title: str
    text: str
    expected: str
    solution: tuple[int, ...] = ()


@dataclass(frozen=True)
class Erratum:
    """A box on an error in the literature: its title and text."""

    title: str
    text: str


@dataclass(frozen=True)
class Chapter:
    """What the pages around the chapters need of one notebook."""

    name: str
    title: str
    question: str = ""
    objectives: tuple[str, ...] = ()
    prerequisites: str = ""
    cost: str = ""
    exercises: tuple[Exercise, ...] = ()
    errata: tuple[Erratum, ...] = field(default=())

    @property
    def number(self) -> str:
        """The two digits that the name begins with."""
        return self.name.split("-")[0]

    def from_page(self, text: str) -> str:
        """Return the chapter's text with its links as they must read on a page in ``book/``.

        Examples
        --------
        >>> Chapter("12-a", "A").from_page("see {doc}`10-b` and {glue:text}`size:.2f`")
        'see {doc}`../notebooks/10-b` and {glue:text}`../notebooks/12-a.ipynb::size:.2f`'
        """

        def document(match: re.Match) -> str:
            label, name = match.groups()
            return f"{{doc}}`{label}<../notebooks/{name}>`" if label else f"{{doc}}`../notebooks/{name}`"

        return _GLUE.sub(rf"\g<1>../notebooks/{self.name}.ipynb::\g<2>\g<3>", _DOC.sub(document, text))


def _options(body: str) -> tuple[dict[str, str], str]:
    """Split the options of a block from its text."""
    options, lines = {}, body.splitlines()
    while lines and (match := _OPTION.match(lines[0])):
        options[match[1]] = match[2].strip()
        lines.pop(0)
    return options, "\n".join(lines).strip()


def _sections(text: str) -> dict[str, str]:
    """The parts of the first cell by their bold words."""
    found = list(_BOLD.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)] * bool(found)
    return {
        match[1].rstrip("."): text[match.end() : end].strip() for match, end in zip(found, ends, strict=True)
    }


def _solutions(cells: list[dict]) -> dict[str, tuple[int, ...]]:
    """The places of the cells of each solution: label -> numbers, the first and the last included."""
    found, began, label = {}, None, ""
    for number, cell in enumerate(cells):
        if cell["cell_type"] != "markdown":
            continue
        for match in _SOLUTION.finditer("".join(cell["source"])):
            if match[1] == "start":
                began, label = number, match[2]
            elif began is not None:
                found[label] = tuple(range(began, number + 1))
                began = None
    return found


def read_chapter(path: Path) -> Chapter:
    """Read one notebook.

    Parameters
    ----------
    path : Path
        The committed notebook; outputs are not needed.

    Returns
    -------
    Chapter
    """
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    first = texts[0] if texts else ""
    heading = re.search(r"^#\s+(.+)$", first, re.MULTILINE)
    parts = _sections(first)
    objectives = re.split(r"^\s*[-*]\s+", parts.get("You will be able to", ""), flags=re.MULTILINE)[1:]
    solutions = _solutions(cells)
    exercises, errata = [], []
    for block in _BLOCK.finditer("\n\n".join(texts)):
        options, text = _options(block["body"])
        if block["kind"] == "exercise":
            stars = re.match(r"★*", block["title"])[0]
            expected = re.search(r"\*Expected:\*\s*(.*)", text, re.DOTALL)
            label = options.get("label", "")
            said = expected[1].strip() if expected else ""
            title = block["title"][len(stars) :].strip()
            exercises.append(Exercise(label, len(stars), title, text, said, solutions.get(label, ())))
        elif block["kind"] == "admonition" and block["title"].startswith("Errat"):
            errata.append(Erratum(block["title"].strip(), text))
    return Chapter(
        path.stem,
        heading[1].strip() if heading else path.stem,
        parts.get("Question", ""),
        tuple(" ".join(line.split()) for line in objectives),
        parts.get("Before you start", ""),
        parts.get("Cost", ""),
        tuple(exercises),
        tuple(errata),
    )


def toc_parts(root: Path) -> list[tuple[str, list[str]]]:
    """The parts of ``_toc.yml`` that hold chapters: caption, names of notebooks."""
    import yaml

    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))
    parts = []
    for part in toc.get("parts", []):
        names = [entry["file"].removesuffix(".ipynb") for entry in part.get("chapters", []) if "file" in entry]
        names = [name.removeprefix("notebooks/") for name in names if name.startswith("notebooks/")]
        if names:
            parts.append((part.get("caption", ""), names))
    return parts


def toc_chapters(root: Path) -> list[Chapter]:
    """Every chapter of ``_toc.yml`` in its order."""
    names = [name for _, names in toc_parts(root) for name in names]
    return [read_chapter(root / "notebooks" / f"{name}.ipynb") for name in names]
