"""The two layers of a chapter: which cells explain and stand open, and which serve and are folded."""

from __future__ import annotations

import ast
import re

from .notebook import Cell, Notebook

__all__ = [
    *("ANSWERS", "BADGE", "CHECK", "FIGURE", "HELP", "HINT", "LIVE", "NUMBERS", "OPEN", "PROOF", "SETUP", "TABLE"),
    *("LAYERS", "TAG", "layer_of"),
]

#: Imports, versions, parameters and what else stands before the first section.
SETUP = "setup"
#: What draws a figure or writes a table, which is shown without it.
FIGURE, TABLE = "figure", "table"
#: What hands numbers to the prose and shows nothing.
NUMBERS = "numbers"
#: What checks a claim: it belongs to the claim's box.
CHECK = "check"
#: A claim that holds but for rounding; its line says which, and the box is behind it.
BADGE = "badge"
#: A proof of more than a few lines.
PROOF = "proof"
#: A hint to an exercise: of all that is folded, no code, and not opened with it.
HINT = "hint"
#: The answers to the questions of a chapter; they are not opened with the code either.
ANSWERS = "answers"
#: What helps the cells after it and has nothing to teach; a cell tagged ``serves`` is such.
HELP = "help"
#: A small run of what the records show at full length: the cells tagged ``live``, with all that they show.
LIVE = "live"
#: What is there to be read. A cell tagged ``open`` is, whatever it does.
OPEN = "open"

#: The folded layers and what the line says that opens them.
LAYERS = {
    SETUP: "Set-up",
    FIGURE: "The code of this figure",
    TABLE: "The code of this table",
    NUMBERS: "The numbers of the text",
    CHECK: "The check",
    PROOF: "Proof",
    HELP: "The code behind this",
    LIVE: "Run it yourself",
}
#: What the tag of a cell that is to be folded begins with.
TAG = "layer-"
_SECTION = re.compile(r"^##\s", re.MULTILINE)


def _first_section(notebook: Notebook) -> int:
    """Number of the first cell that begins a section; that of none after the last."""
    found = (cell.number for cell in notebook.cells if cell.kind == "markdown" and _SECTION.search(cell.text))
    return next(found, len(notebook.cells))


def _shows(cell: Cell, *kinds: str) -> bool:
    return any(mime.startswith(kinds) for output in cell.outputs for mime in output.get("data", {}))


def _only_hands_on(cell: Cell) -> bool:
    """Whether all that code does is to hand numbers to the prose: assignments, loops and calls of ``claims.glue``."""
    try:
        body = ast.parse(cell.text).body
    except SyntaxError:
        return False
    plain = all(isinstance(node, ast.Assign | ast.Expr | ast.For | ast.AnnAssign) for node in body)
    return plain and "claims.glue(" in cell.text


def layer_of(notebook: Notebook, cell: Cell) -> str:
    """The layer of a code cell of an executed notebook: one of ``LAYERS``, or ``OPEN``.

    Examples
    --------
    >>> import nbformat
    >>> cells = [nbformat.v4.new_markdown_cell("# A"), nbformat.v4.new_code_cell("import torch")]
    >>> notebook = Notebook("12-a", nbformat.v4.new_notebook(cells=cells))
    >>> layer_of(notebook, notebook.cells[1])
    'setup'
    """
    if OPEN in cell.tags:
        return OPEN
    if cell.checks:
        return CHECK
    if LIVE in cell.tags:
        return LIVE
    if "serves" in cell.tags:
        return HELP
    if cell.pictured:
        return FIGURE
    if cell.number < _first_section(notebook):
        return SETUP
    if _shows(cell, "text/markdown", "text/html"):
        return TABLE
    return NUMBERS if _only_hands_on(cell) else OPEN
