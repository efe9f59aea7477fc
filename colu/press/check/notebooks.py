"""Rules for committed notebooks, claims and records, checked before anything runs."""

from __future__ import annotations

import re

from colu.lab.results import broken_records
from colu.press.moved import lint_moved
from colu.press.notebook import Cell, Notebook, parted_hints
from colu.press.project import Project
from colu.press.toc import select

from .claims import lint as lint_claims
from .code import lint_code
from .quizzes import lint_quizzes
from .references import lint_references
from .slides import lint_slides
from .spelling import misspelt
from .teaching import lint_teaching

__all__ = ["lint"]

LONGEST_CELL = 30
WORDS_PER_LINE = 4
#: A colour that says nothing: of the cycle, or written as a number.
_COLOUR = re.compile(r"""\b(?:colors?|c|ec|fc|\w+color)\s*=\s*["'](C\d+|#[0-9A-Fa-f]{3,8})["']""")
#: Texts outside of the book that are held to its spelling.
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def _lint_notebook(notebook: Notebook) -> list[str]:
    cells, found = notebook.cells, []
    if notebook.node.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("its kernelspec is not 'python3'")
    parameters = [cell for cell in cells if "parameters" in cell.tags]
    if len(parameters) != 1 or not re.search(r"^PRESET = ", parameters[0].text, re.M):
        found.append("it needs exactly one cell tagged 'parameters', which sets PRESET")
    found += _lint_opening(notebook)
    ids = [cell.id for cell in cells]
    if not all(ids) or len(set(ids)) != len(ids):
        found.append("every cell needs an id of its own")
    for cell in cells:
        if cell.kind == "markdown":
            found += _lint_hints(cell)
            found += [f"cell {cell.id!r}: {problem}" for problem in misspelt(cell.text)]
    if executed := [cell.id for cell in cells if cell.kind == "code" and cell.executed]:
        found.append(
            f"it holds outputs, in {len(executed)} cells from {executed[0]!r} on: "
            f"'colu book strip {notebook.name}' takes them out"
        )
    words = len(notebook.prose.split())
    lines = 0
    for cell in cells:
        if cell.kind != "code":
            continue
        length = len(cell.text.splitlines())
        lines += length
        if length > LONGEST_CELL:
            found.append(f"cell {cell.id!r} has {length} lines, at most {LONGEST_CELL}: move code into the package")
        if "plt.show()" in cell.text:
            found += _lint_figure(cell)
        for colour in _COLOUR.findall(cell.text):
            found.append(
                f"cell {cell.id!r} draws in {colour!r}, which has no partner on dark pages and no meaning: "
                "take look(NAME) for an activation, PALETTE or COLOURS for anything else"
            )
        if re.search(r"\b(?:slider|moving_point|section|orbit)_figure\((?!.*alt=)", cell.text, re.S):
            found.append(f"cell {cell.id!r} makes a figure with sliders without alt=")
    found += lint_code(notebook) + lint_slides(notebook)
    if words < WORDS_PER_LINE * lines:
        found.append(f"{words} words for {lines} lines of code: a chapter explains (at least {WORDS_PER_LINE} a line)")
    return [f"{notebook.name}.ipynb: {problem}" for problem in found]


def _lint_opening(notebook: Notebook) -> list[str]:
    opening = notebook.opening
    if opening is None:
        return ["no figure opens it: put '{opening} fig-NAME' or '{drawing} NAME' under its question"]
    figures = {cell.figure.name for cell in notebook.cells}
    if opening.kind == "opening" and opening.title not in figures:
        return [f"it opens with {opening.title!r}, which is none of its figures"]
    return []


def _lint_hints(cell: Cell) -> list[str]:
    found, before = [], None
    for block in cell.blocks:
        if block.kind == "hints":
            parts = parted_hints(block.text.splitlines())
            if before is None or before.kind != "exercise":
                found.append(f"cell {cell.id!r} has hints that follow no exercise: put them right under theirs")
            if len(parts) < 2 or not all("".join(part).strip() for part in parts):
                found.append(f"cell {cell.id!r} has hints that are not a nudge and a stronger one, parted by '---'")
        before = block
    return found


def _lint_figure(cell: Cell) -> list[str]:
    wanted = {
        "mystnb.figure.caption": cell.figure.caption,
        "mystnb.figure.name (fig-...)": cell.figure.name.startswith("fig-"),
        "mystnb.image.alt": cell.figure.alt,
    }
    return [f"cell {cell.id!r} draws a figure without {what}" for what, there in wanted.items() if not there]


def lint(project: Project) -> list[str]:
    """Problems of the chapters, the bibliography, the ledger and the records, each a line that says where.

    A notebook that is not in the table of contents is no chapter: the build says that it leaves it out.

    Parameters
    ----------
    project : Project

    Returns
    -------
    list of str
        Empty if all rules hold.
    """
    notebooks, found = [Notebook.read(path) for path in select(project)], []
    for notebook in notebooks:
        found += _lint_notebook(notebook)
    for page in [*sorted(project.pages.rglob("*.md")), *(project.root / name for name in TEXTS)]:
        if page.is_file():
            found += [f"{page.name}: {problem}" for problem in misspelt(page.read_text(encoding="utf8"))]
    # They need PyTorch, which nothing else here does.
    from colu.lab.verdicts import lint_protocols

    from .controls import lint_controls

    results = project.root / "results"
    found += lint_controls(notebooks, results) + lint_quizzes(notebooks, project.pages)
    found += lint_moved(project, [notebook.name for notebook in notebooks]) + lint_teaching(notebooks, project.pages)
    found += lint_references(notebooks, project)
    found += lint_claims(notebooks, project.pages, project.ledger) + broken_records(results)
    return found + (lint_protocols(results) if (results / "protocols").is_dir() else [])
