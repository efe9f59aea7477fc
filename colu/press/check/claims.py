"""Hold boxes in the text, cells that check, and the ledger against each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from colu.claims import load_expectations
from colu.press.myst import read_blocks
from colu.press.notebook import Notebook

__all__ = ["lint"]

# How a source says that a run set the value.
_OF_A_RUN = re.compile(r"\b(measured|exploratory|prototype|set after)\b")


def lint(notebooks: Iterable[Notebook], pages: Path, ledger: Path | None = None) -> list[str]:
    """Problems of the claims: each must have one box, one cell and one expectation, all of one notebook.

    An expectation whose source speaks of a run must be marked ``from_run: true``, so that the pages say so, too.

    Parameters
    ----------
    notebooks : iterable of Notebook
        The chapters.
    pages : Path
        The folder of the prose around them.
    ledger : Path, optional
        Another ledger than the package's.

    Returns
    -------
    list of str
        Each a line that says where; empty if all agree.
    """
    expectations = load_expectations(ledger)
    found, boxes, checks = [], {}, {}
    for notebook in notebooks:
        file = f"{notebook.name}.ipynb"
        for claim in notebook.claims:
            if claim.id in boxes:
                found.append(f"{file}: claim {claim.id!r} is stated twice")
            if not claim.statement:
                found.append(f"{file}: claim {claim.id!r} has an empty box")
            boxes[claim.id] = notebook.name
        for cell in notebook.cells:
            if cell.checks and not {"claim", "nbval-check-output"} <= set(cell.tags):
                found.append(f"{file}: cell {cell.id!r} checks a claim and lacks a tag 'claim' or 'nbval-check-output'")
            if "claim" in cell.tags and not cell.checks:
                found.append(f"{file}: cell {cell.id!r} is tagged 'claim' and checks none")
            for claim_id in cell.checks:
                if claim_id in checks:
                    found.append(f"{file}: claim {claim_id!r} is checked twice")
                checks[claim_id] = notebook.name
    for page in sorted(pages.rglob("*.md")):
        for block in read_blocks(page.read_text(encoding="utf8")):
            if block.kind == "claim":
                found.append(
                    f"{page.name}: claim {block.title!r} is stated on a page without cells; state it in a notebook"
                )
    for claim_id, name in boxes.items():
        if claim_id not in checks:
            found.append(f"{name}: claim {claim_id!r} is stated and no cell checks it")
        elif checks[claim_id] != name:
            found.append(f"{name}: claim {claim_id!r} is checked in another notebook, {checks[claim_id]}")
        entry = expectations.get(claim_id)
        if entry is None:
            found.append(f"{name}: claim {claim_id!r} has no entry in the ledger")
        elif entry.notebook != name:
            found.append(f"{name}: claim {claim_id!r} belongs to {entry.notebook} in the ledger")
    for claim_id, name in checks.items():
        if claim_id not in boxes:
            found.append(f"{name}: a cell checks claim {claim_id!r}, which no text states")
    for claim_id, entry in expectations.items():
        if claim_id not in checks:
            found.append(f"the ledger: no cell checks claim {claim_id!r}")
        if (said := _OF_A_RUN.search(entry.source)) and not entry.from_run:
            found.append(
                f"the ledger: the source of claim {claim_id!r} says {said[0]!r}; "
                "mark it 'from_run: true', or give the source of the value in other words"
            )
    return found
