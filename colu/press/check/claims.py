"""Hold boxes in the text, cells that check, and the ledger against each other."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from colu.claims.ledger import load_expectations

__all__ = ["Cell", "lint", "read_cells"]

_DIRECTIVE = re.compile(r"^:::+\{claim\}[ \t]+(\S+)[ \t]*\n(.*?)^:::+[ \t]*$", re.M | re.S)
_CHECK = re.compile(r"""claims\.check\(\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Cell:
    """What the rules look at in a cell; ``outputs`` counts outputs and execution counts."""

    kind: str
    id: str
    text: str
    tags: tuple[str, ...]
    metadata: dict
    outputs: int


def read_cells(path: Path) -> list[Cell]:
    """Cells of a committed notebook."""
    notebook = json.loads(path.read_text(encoding="utf8"))
    return [
        Cell(
            cell["cell_type"],
            cell.get("id", ""),
            "".join(cell["source"]),
            tuple(cell["metadata"].get("tags", ())),
            cell["metadata"],
            len(cell.get("outputs", ())) + (cell.get("execution_count") is not None),
        )
        for cell in notebook["cells"]
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def lint(notebooks: Path, pages: Path, *, ledger: Path | None = None) -> list[str]:
    """Problems of the claims: each must have one box, one cell and one expectation, with one statement.

    Parameters
    ----------
    notebooks, pages : Path
        The folders of the chapters and of the prose around them.
    ledger : Path, optional
        Another ledger than the package's.

    Returns
    -------
    list of str
        Each a line that says where; empty if all agree.
    """
    expectations = load_expectations(ledger)
    found, boxes, checks = [], {}, {}
    for path in sorted(notebooks.glob("*.ipynb")):
        for cell in read_cells(path):
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
    for page in sorted(pages.rglob("*.md")):
        for claim_id, _ in _DIRECTIVE.findall(page.read_text(encoding="utf8") + "\n"):
            found.append(f"{page.name}: claim {claim_id!r} is stated on a page without cells; state it in a notebook")
    for claim_id, (notebook, statement) in boxes.items():
        if claim_id not in checks:
            found.append(f"{notebook}: claim {claim_id!r} is stated and no cell checks it")
        elif checks[claim_id] != notebook:
            found.append(f"{notebook}: claim {claim_id!r} is checked in another notebook, {checks[claim_id]}")
        entry = expectations.get(claim_id)
        if entry is None:
            found.append(f"{notebook}: claim {claim_id!r} has no entry in the ledger")
        elif _one_line(entry.statement) != _one_line(statement):
            found.append(f"{notebook}: claim {claim_id!r} is worded otherwise in the ledger")
        elif entry.notebook != notebook:
            found.append(f"{notebook}: claim {claim_id!r} belongs to {entry.notebook} in the ledger")
    for claim_id, notebook in checks.items():
        if claim_id not in boxes:
            found.append(f"{notebook}: a cell checks claim {claim_id!r}, which no text states")
    for claim_id in expectations:
        if claim_id not in checks:
            found.append(f"the ledger: no cell checks claim {claim_id!r}")
    return found
