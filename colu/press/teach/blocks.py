"""What a ``{slide}`` of a notebook says: its heading, what it shows large, its text, and what the teacher says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colu.press.myst import Block
from colu.press.notebook import Notebook

__all__ = ["SAID", "SlideBlock", "part_at", "showable", "slide_blocks"]

#: The line between what stands on a slide and what is said to it.
SAID = "---"
#: Blocks that a slide shows by their label.
_LABELLED = ("theorem", "proposition", "lemma", "corollary", "definition", "exercise")


@dataclass(frozen=True)
class SlideBlock:
    """One slide as its notebook has it."""

    heading: str
    show: str
    text: str
    said: str
    cell: str = ""


def part_at(lines: Sequence[str]) -> int:
    """The number of the line that parts the slide from what is said; of none after the last.

    Examples
    --------
    >>> part_at(["on it", "", "---", "said"]), part_at(["on it"])
    (2, 1)
    """
    return next((number for number, line in enumerate(lines) if line.rstrip() == SAID), len(lines))


def _read(block: Block, cell: str) -> SlideBlock:
    lines = block.text.splitlines()
    at = part_at(lines)
    text, said = ("\n".join(part).strip() for part in (lines[:at], lines[at + 1 :]))
    return SlideBlock(block.title, block.options.get("show", ""), text, said, cell)


def slide_blocks(notebook: Notebook) -> list[SlideBlock]:
    """The slides of a chapter, in the order of its text; empty for one without.

    Examples
    --------
    >>> import nbformat
    >>> cell = nbformat.v4.new_markdown_cell("```{slide} Why\\n:show: fig-a\\n\\nLook.\\n---\\nTwice.\\n```", id="c")
    >>> slide_blocks(Notebook("12-a", nbformat.v4.new_notebook(cells=[cell])))
    [SlideBlock(heading='Why', show='fig-a', text='Look.', said='Twice.', cell='c')]
    """
    return [_read(block, cell.id) for cell in notebook.cells for block in cell.blocks if block.kind == "slide"]


def showable(notebook: Notebook) -> set[str]:
    """What the slides of a chapter can show: figures and drawings by name, theorems by label, claims by id."""
    found = {cell.figure.name for cell in notebook.cells} | {claim.id for claim in notebook.claims}
    for cell in notebook.cells:
        for block in cell.blocks:
            if block.kind.removeprefix("prf:") in _LABELLED:
                found.add(block.options.get("label", ""))
            elif block.kind == "drawing":
                found.add(block.title)
            elif "name" in block.options:
                found.add(block.options["name"])
    return found - {""}
