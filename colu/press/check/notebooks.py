"""Rules for committed notebooks and for claims, checked before anything runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from colu.press.build.project import BookError, Project

from .claims import Cell, read_cells
from .claims import lint as lint_claims
from .spelling import misspelt

__all__ = ["lint"]

LONGEST_CELL = 30
WORDS_PER_LINE = 4
#: Texts outside of the book that are held to its spelling.
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def _lint_notebook(path: Path) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf8"))
    cells = read_cells(path)
    found = []
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        found.append("its kernelspec is not 'python3'")
    parameters = [cell for cell in cells if "parameters" in cell.tags]
    if len(parameters) != 1 or not re.search(r"^PRESET = ", parameters[0].text, re.M):
        found.append("it needs exactly one cell tagged 'parameters', which sets PRESET")
    ids = [cell.id for cell in cells]
    if not all(ids) or len(set(ids)) != len(ids):
        found.append("every cell needs an id of its own")
    for cell in cells:
        if cell.kind == "markdown":
            found += [f"cell {cell.id!r}: {problem}" for problem in misspelt(cell.text)]
    words = sum(len(cell.text.split()) for cell in cells if cell.kind == "markdown")
    lines = 0
    for cell in cells:
        if cell.kind != "code":
            continue
        length = len(cell.text.splitlines())
        lines += length
        if cell.outputs:
            found.append(f"cell {cell.id!r} holds outputs: strip them")
        if length > LONGEST_CELL:
            found.append(f"cell {cell.id!r} has {length} lines, at most {LONGEST_CELL}: move code into the package")
        if "plt.show()" in cell.text:
            found += _lint_figure(cell)
        if re.search(r"show_interactive\((?!.*alt=)", cell.text, re.S):
            found.append(f"cell {cell.id!r} shows an interactive figure without alt=")
    if words < WORDS_PER_LINE * lines:
        found.append(f"{words} words for {lines} lines of code: a chapter explains (at least {WORDS_PER_LINE} a line)")
    return [f"{path.name}: {problem}" for problem in found]


def _lint_figure(cell: Cell) -> list[str]:
    meta = cell.metadata.get("mystnb", {})
    figure, alt = meta.get("figure", {}), meta.get("image", {}).get("alt", "")
    wanted = {
        "mystnb.figure.caption": figure.get("caption"),
        "mystnb.figure.name (fig-...)": str(figure.get("name", "")).startswith("fig-"),
        "mystnb.image.alt": alt.strip(),
    }
    return [f"cell {cell.id!r} draws a figure without {what}" for what, there in wanted.items() if not there]


def lint(project: Project) -> list[str]:
    """Problems of the committed notebooks and of the ledger, each a line that says where.

    Parameters
    ----------
    project : Project

    Returns
    -------
    list of str
        Empty if all rules hold.
    """
    toc = (project.root / "_toc.yml").read_text(encoding="utf8")
    listed = set(re.findall(r"notebooks/([\w.-]+?)(?:\.ipynb)?[\"']?\s*$", toc, re.M))
    found = []
    for path in project.select():
        try:
            found += _lint_notebook(path)
        except (ValueError, KeyError) as error:
            raise BookError(f"{path} is not a notebook of format 4: {error!r}") from error
        if path.stem not in listed:
            found.append(f"{path.name}: it is not in _toc.yml")
    for page in [*sorted(project.pages.rglob("*.md")), *(project.root / name for name in TEXTS)]:
        if page.is_file():
            found += [f"{page.name}: {problem}" for problem in misspelt(page.read_text(encoding="utf8"))]
    return found + lint_claims(project.notebooks, project.pages, ledger=project.ledger)
