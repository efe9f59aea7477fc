"""A notebook of the book, committed or executed: its cells, and what they hold for the pages around it.

Claims, exercises and errata are read from the notebook, so that nothing else needs a list of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from colu.files import write_atomically

from .myst import Block, read_blocks
from .project import BookError

__all__ = [
    *("SLIDER", "Cell", "Claim", "Erratum", "Exercise", "Figure", "Notebook"),
    *("checked_claims", "parted_hints", "strip"),
]

#: How the HTML of a figure with sliders begins, see :func:`colu.lab.plot.slider_figure`.
SLIDER = '<div class="colu-slider"'
_SLIDER_CALL = re.compile(r"\b(?:slider|moving_point|section|orbit)_figure\(")

#: The directives with which a chapter shows a picture before its text.
OPENINGS = ("drawing", "opening")

#: What papermill, Jupyter and its editors note of one run; no two runs agree in it.
_OF_A_RUN = ("ExecuteTime", "collapsed", "execution", "papermill", "scrolled", "widgets")
_BOLD = re.compile(r"^\*\*(Question\.|You will be able to|Before you start\.|Cost\.)\*\*", re.MULTILINE)
_CHECK = re.compile(r"""claims\.check\(\s*["']([^"']+)["']""")
_DOC = re.compile(r"\{doc\}`(?:([^`<]*)<)?(\d\d-[\w-]+)>?`")
_GLUE = re.compile(r"(\{glue:\w+\}`)([^`:]+)((?::[^`:]+)?`)")


def parted_hints(lines: Iterable[str]) -> list[list[str]]:
    """The lines of each hint of a ``{hints}``, which lines ``---`` part: a nudge first, the stronger ones after it.

    Examples
    --------
    >>> parted_hints(["Draw it.", "---", "Where is", "the apex?"])
    [['Draw it.'], ['Where is', 'the apex?']]
    """
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.rstrip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def checked_claims(code: str) -> list[str]:
    """The ids of the claims that code checks.

    Examples
    --------
    >>> checked_claims("claims.check('half', h, preset=PRESET)")
    ['half']
    """
    return _CHECK.findall(code)


@dataclass(frozen=True)
class Figure:
    """What a cell's metadata say of the figure that it draws; empty where they say nothing."""

    caption: str
    name: str
    alt: str


@dataclass(frozen=True)
class Claim:
    """A box in the text: what is claimed, and in which cell."""

    id: str
    statement: str
    cell: int


@dataclass(frozen=True)
class Exercise:
    """One exercise: its label, stars from one to three, title, text, result, and the cells of its solution."""

    label: str
    stars: int
    title: str
    text: str
    expected: str
    solution: tuple[int, ...]


@dataclass(frozen=True)
class Erratum:
    """A box on an error in the literature: its title and text."""

    title: str
    text: str


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs with neighbouring pieces of one stream as one: where a stream is cut is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            joined[-1] = NotebookNode(last | {"text": last.text + output.text})
        else:
            joined.append(output)
    return joined


def _lasting(metadata: dict) -> NotebookNode:
    """Metadata without what belongs to one run."""
    return NotebookNode({name: value for name, value in metadata.items() if name not in _OF_A_RUN})


@dataclass(frozen=True)
class Cell:
    """One cell, and its place in the notebook."""

    node: NotebookNode
    number: int

    kind = property(lambda self: self.node.cell_type, doc='``"markdown"``, ``"code"`` or ``"raw"``.')
    id = property(lambda self: self.node.get("id", ""), doc="The identifier; empty where it has none.")
    text = property(lambda self: self.node.source, doc="The source, as one string.")
    metadata = property(lambda self: self.node.get("metadata", {}), doc="The metadata.")
    tags = property(lambda self: tuple(self.metadata.get("tags", ())), doc="The tags.")
    outputs = property(lambda self: self.node.get("outputs", []), doc="The outputs; none in a committed notebook.")

    @cached_property
    def blocks(self) -> list[Block]:
        """The directives of a cell of prose."""
        return read_blocks(self.text) if self.kind == "markdown" else []

    @property
    def checks(self) -> list[str]:
        """The ids of the claims that a cell of code checks."""
        return checked_claims(self.text) if self.kind == "code" else []

    @property
    def executed(self) -> bool:
        """Whether the cell holds anything of a run."""
        return bool(self.outputs) or self.node.get("execution_count") is not None

    @property
    def figure(self) -> Figure:
        """The description of what the cell draws."""
        said = self.metadata.get("mystnb", {})
        figure, alt = said.get("figure", {}), said.get("image", {}).get("alt")
        return Figure(str(figure.get("caption") or ""), str(figure.get("name") or ""), str(alt or "").strip())

    @property
    def draws_sliders(self) -> bool:
        """Whether its code makes a figure with sliders."""
        return self.kind == "code" and bool(_SLIDER_CALL.search(self.text))

    @property
    def announced(self) -> str:
        """What the reader is told that the cell draws: the figure's name or description; empty for no figure."""
        said = self.figure
        call = _SLIDER_CALL.search(self.text) if self.kind == "code" else None
        return said.name or said.alt or said.caption or (f"{call[0]}...)" if call else "")

    @property
    def pictured(self) -> bool:
        """Whether an output is a picture, or a figure with sliders."""
        shown = [output.get("data", {}) for output in self.outputs]
        return any(SLIDER in data.get("text/html", "") or any(k.startswith("image/") for k in data) for data in shown)


def _exercise(block: Block, solutions: dict[str, tuple[int, ...]]) -> Exercise:
    """The exercise that a block states."""
    stars = re.match(r"★*", block.title)[0]
    expected = re.search(r"\*Expected:\*\s*(.*)", block.text, re.DOTALL)
    label = block.options.get("label", "")
    said = expected[1].strip() if expected else ""
    return Exercise(label, len(stars), block.title[len(stars) :].strip(), block.text, said, solutions.get(label, ()))


class Notebook:
    """One notebook.

    Parameters
    ----------
    name : str
        The chapter, such as ``"12-symmetry"``.
    node : NotebookNode
        As nbformat reads it, with every source as one string.

    Examples
    --------
    >>> cell = nbformat.v4.new_markdown_cell("# A\\n\\n:::{claim} two\\nIt is 2.\\n:::")
    >>> notebook = Notebook("12-a", nbformat.v4.new_notebook(cells=[cell]))
    >>> notebook.number, notebook.title, notebook.claims
    ('12', 'A', (Claim(id='two', statement='It is 2.', cell=0),))
    """

    def __init__(self, name: str, node: NotebookNode) -> None:
        self.name, self.node = name, node

    @classmethod
    def loads(cls, text: str, name: str = "") -> Notebook:
        """A notebook from its JSON; not validated against nbformat's schema, which would take four times as long.

        Raises
        ------
        BookError
            If it is no notebook of format 4.
        """
        try:
            node = nbformat.v4.reads(text)
            if node["nbformat"] != 4 or not isinstance(node["metadata"], dict):
                raise ValueError(f"nbformat is {node['nbformat']}, metadata {node['metadata']!r}")
            for number, cell in enumerate(node["cells"]):
                if not {"cell_type", "source"} <= set(cell):
                    raise ValueError(f"cell {number} has no type or no source")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BookError(f"{name or 'the text'} is not a notebook of format 4: {error!r}") from error
        return cls(Path(name).stem, node)

    @classmethod
    def read(cls, path: Path) -> Notebook:
        """The notebook in a file.

        Raises
        ------
        BookError
            If it is no notebook of format 4.
        """
        return cls.loads(path.read_text(encoding="utf8"), str(path))

    def dumps(self) -> str:
        """The notebook as the text of a file."""
        return nbformat.v4.writes(self.node) + "\n"

    def with_cells(self, nodes: Iterable[dict]) -> Notebook:
        """The same notebook with other cells."""
        return Notebook(self.name, nbformat.from_dict({**self.node, "cells": list(nodes)}))

    def _lasting(self, nodes: Iterable[dict]) -> Notebook:
        notebook = self.with_cells(node | {"metadata": _lasting(node["metadata"])} for node in nodes)
        notebook.node.metadata = _lasting(notebook.node.metadata)
        return notebook

    def stripped(self) -> Notebook:
        """The same notebook as it is committed: without outputs and what else a run left."""
        empty = {"outputs": [], "execution_count": None}
        return self._lasting(cell.node | (empty if cell.kind == "code" else {}) for cell in self.cells)

    def settled(self) -> Notebook:
        """The same notebook, executed, as every run that gives the same outputs leaves it, byte for byte."""
        nodes = []
        for cell in self.cells:
            # papermill draws an identifier for the cell that it puts in.
            named = {"id": "injected-parameters"} if "injected-parameters" in cell.tags else {}
            told = {"outputs": _joined(cell.outputs)} if cell.kind == "code" else {}
            nodes.append(cell.node | named | told)
        return self._lasting(nodes)

    @property
    def number(self) -> str:
        """The two digits that the name begins with."""
        return self.name.split("-")[0]

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The cells in their order."""
        return tuple(Cell(node, number) for number, node in enumerate(self.node.cells))

    @property
    def prose(self) -> str:
        """All Markdown, cell after cell."""
        return "\n\n".join(cell.text for cell in self.cells if cell.kind == "markdown")

    @cached_property
    def title(self) -> str:
        """The first heading; the name where there is none."""
        heading = re.search(r"^#\s+(.+)$", self._opening, re.MULTILINE)
        return heading[1].strip() if heading else self.name

    @property
    def _opening(self) -> str:
        return next((cell.text for cell in self.cells if cell.kind == "markdown"), "")

    @cached_property
    def _parts(self) -> dict[str, str]:
        """The parts of the first cell by their bold words."""
        found = list(_BOLD.finditer(self._opening))
        ends = [match.start() for match in found[1:]] + [len(self._opening)] * bool(found)
        return {
            match[1].rstrip("."): self._opening[match.end() : end].strip()
            for match, end in zip(found, ends, strict=True)
        }

    @property
    def question(self) -> str:
        """The question that the chapter answers, without the drawing that may stand under it."""
        return self._parts.get("Question", "").split("\n```", 1)[0].strip()

    @property
    def opening(self) -> Block | None:
        """The drawing, or the figure from further down, that the first cell of prose shows."""
        first = next((cell for cell in self.cells if cell.kind == "markdown"), None)
        return next((block for block in (first.blocks if first else ()) if block.kind in OPENINGS), None)

    prerequisites = property(lambda self: self._parts.get("Before you start", ""), doc="What it needs.")
    cost = property(lambda self: self._parts.get("Cost", ""), doc="Time, memory and download.")

    @property
    def objectives(self) -> tuple[str, ...]:
        """What a reader will be able to do."""
        items = re.split(r"^\s*[-*]\s+", self._parts.get("You will be able to", ""), flags=re.MULTILINE)[1:]
        return tuple(" ".join(item.split()) for item in items)

    def _blocks(self, *kinds: str) -> list[Block]:
        return [block for cell in self.cells for block in cell.blocks if block.kind in kinds]

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The boxes of claims in the order of the text."""
        return tuple(
            Claim(block.title, block.text, cell.number)
            for cell in self.cells
            for block in cell.blocks
            if block.kind == "claim"
        )

    def statement(self, claim: str) -> str:
        """The statement of a claim, as one line; empty where no box states it."""
        return next((" ".join(box.statement.split()) for box in self.claims if box.id == claim), "")

    @property
    def measured(self) -> dict[str, dict]:
        """What the cells of an executed notebook measured: claim -> record."""
        records = (output.get("metadata", {}).get("colu_claim") for cell in self.cells for output in cell.outputs)
        return {record["id"]: record for record in records if isinstance(record, dict) and "id" in record}

    @property
    def theorems(self) -> list[Block]:
        """Theorems, propositions, lemmas, corollaries and definitions."""
        return self._blocks(*(f"prf:{kind}" for kind in ("theorem", "proposition", "lemma", "corollary", "definition")))

    @cached_property
    def solutions(self) -> dict[str, tuple[int, ...]]:
        """The cells of each solution by the label of its exercise, the first and the last included."""
        found, began, label = {}, None, ""
        for cell in self.cells:
            for block in cell.blocks:
                if block.kind == "solution-start":
                    began, label = cell.number, block.title
                elif block.kind == "solution-end" and began is not None:
                    found[label] = tuple(range(began, cell.number + 1))
                    began = None
        return found

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """The exercises in the order of the text."""
        return tuple(_exercise(block, self.solutions) for block in self._blocks("exercise"))

    @property
    def errata(self) -> tuple[Erratum, ...]:
        """The boxes on errors in the literature."""
        boxes = self._blocks("admonition")
        return tuple(Erratum(block.title, block.text) for block in boxes if block.title.startswith("Errat"))

    def from_page(self, text: str) -> str:
        """Return text of the notebook with its links as they must read on a page in ``book/``.

        Examples
        --------
        >>> Notebook("12-a", None).from_page("see {doc}`10-b` and {glue:text}`size:.2f`")
        'see {doc}`../notebooks/10-b` and {glue:text}`../notebooks/12-a.ipynb::size:.2f`'
        """

        def document(match: re.Match) -> str:
            label, name = match.groups()
            return f"{{doc}}`{label}<../notebooks/{name}>`" if label else f"{{doc}}`../notebooks/{name}`"

        return _GLUE.sub(rf"\g<1>../notebooks/{self.name}.ipynb::\g<2>\g<3>", _DOC.sub(document, text))


def strip(path: Path) -> bool:
    """Take the outputs out of a committed notebook's file; whether there were any. A clean file stays as it is."""
    notebook = Notebook.read(path)
    if not any(cell.executed for cell in notebook.cells):
        return False
    write_atomically(path, notebook.stripped().dumps())
    return True
