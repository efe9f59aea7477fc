"""Rules for committed notebooks and for claims, checked before anything runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from colu.book.project import Project

__all__ = ["lint"]

LONGEST_CELL = 30
WORDS_PER_LINE = 4

_DIRECTIVE = re.compile(r"^:::+\{claim\}[ \t]+(\S+)[ \t]*\n(.*?)^:::+[ \t]*$", re.M | re.S)
_CHECK = re.compile(r"""claims\.check\(\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class _Cell:
    kind: str
    id: str
    text: str
    tags: tuple[str, ...]
    metadata: dict
    outputs: int


def _cells(path: Path) -> list[_Cell]:
    notebook = json.loads(path.read_text(encoding="utf8"))
    return [
        _Cell(
            cell["cell_type"],
            cell.get("id", ""),
            "".join(cell["source"]),
            tuple(cell["metadata"].get("tags", ())),
            cell["metadata"],
            len(cell.get("outputs", ())) + (cell.get("execution_count") is not None),
        )
        for cell in notebook["cells"]
    ]


def _lint_notebook(path: Path) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf8"))
    cells = _cells(path)
    found = []
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        found.append("its kernelspec is not 'python3'")
    parameters = [cell for cell in cells if "parameters" in cell.tags]
    if len(parameters) != 1 or not re.search(r"^PRESET = ", parameters[0].text, re.M):
        found.append("it needs exactly one cell tagged 'parameters', which sets PRESET")
    ids = [cell.id for cell in cells]
    if not all(ids) or len(set(ids)) != len(ids):
        found.append("every cell needs an id of its own")
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


def _lint_figure(cell: _Cell) -> list[str]:
    meta = cell.metadata.get("mystnb", {})
    figure, alt = meta.get("figure", {}), meta.get("image", {}).get("alt", "")
    wanted = {
        "mystnb.figure.caption": figure.get("caption"),
        "mystnb.figure.name (fig-...)": str(figure.get("name", "")).startswith("fig-"),
        "mystnb.image.alt": alt.strip(),
    }
    return [f"cell {cell.id!r} draws a figure without {what}" for what, there in wanted.items() if not there]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _lint_claims(project: Project) -> list[str]:
    """Each claim: one box, one cell and one expectation, with one statement."""
    from colu.claims import load_expectations

    expectations = load_expectations(project.ledger)
    found, boxes, checks = [], {}, {}
    for path in project.select():
        for cell in _cells(path):
            if cell.kind == "markdown":
                for claim_id, statement in _DIRECTIVE.findall(cell.text + "\n"):
                    if claim_id in boxes:
                        found.append(f"{path.name}: claim {claim_id!r} is stated twice")
                    boxes[claim_id] = (path.stem, statement)
                continue
            called = _CHECK.findall(cell.text)
            if called and not {"claim", "nbval-check-output"} <= set(cell.tags):
                found.append(
                    f"{path.name}: cell {cell.id!r} checks a claim and lacks a tag 'claim' or 'nbval-check-output'"
                )
            if "claim" in cell.tags and not called:
                found.append(f"{path.name}: cell {cell.id!r} is tagged 'claim' and checks none")
            for claim_id in called:
                if claim_id in checks:
                    found.append(f"{path.name}: claim {claim_id!r} is checked twice")
                checks[claim_id] = path.stem
    for page in sorted(project.pages.rglob("*.md")):
        for claim_id, _ in _DIRECTIVE.findall(page.read_text(encoding="utf8") + "\n"):
            found.append(f"{page.name}: claim {claim_id!r} is stated on a page without cells; state it in a notebook")
    for claim_id, (notebook, statement) in boxes.items():
        if claim_id not in checks:
            found.append(f"{notebook}: claim {claim_id!r} is stated and no cell checks it")
        elif checks[claim_id] != notebook:
            found.append(f"{notebook}: claim {claim_id!r} is checked in another notebook, {checks[claim_id]}")
        entry = expectations.get(claim_id)
        if entry is None:
            found.append(f"{notebook}: claim {claim_id!r} has no entry in expectations.yml")
        elif _one_line(entry.statement) != _one_line(statement):
            found.append(f"{notebook}: claim {claim_id!r} is worded otherwise in expectations.yml")
        elif entry.notebook != notebook:
            found.append(f"{notebook}: claim {claim_id!r} belongs to {entry.notebook} in expectations.yml")
    for claim_id, notebook in checks.items():
        if claim_id not in boxes:
            found.append(f"{notebook}: a cell checks claim {claim_id!r}, which no text states")
    for claim_id in expectations:
        if claim_id not in checks:
            found.append(f"expectations.yml: no cell checks claim {claim_id!r}")
    return found


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
    found = []
    for path in project.select():
        found += _lint_notebook(path)
        if f"notebooks/{path.stem}" not in toc:
            found.append(f"{path.name}: it is not in _toc.yml")
    return found + _lint_claims(project)
