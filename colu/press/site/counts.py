"""The number of runs of a table once, under it, where it is the same in every cell; where it differs, in each."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["common_count"]

_COUNT = re.compile(r"\s*\(n = (\d+)\)")
#: Cells that say it, from which on it is said once.
CELLS = 2


def common_count(texts: list[str]) -> str:
    """Return the number of runs that all cells share which say one; empty where they differ, or hardly any does.

    A cell with an interval that does not say its number has another, so that nothing is shared.

    Examples
    --------
    >>> common_count(["ReLU", "1 ± 2 (n = 5)", "3 ± 1 (n = 5)"])
    '5'
    >>> common_count(["1 ± 2 (n = 5)", "3 ± 1 (n = 4)"]), common_count(["1 ± 2 (n = 5)", "3 ± 1", "2 (n = 5)"])
    ('', '')
    """
    told = [_COUNT.findall(text) for text in texts]
    every = [count for counts in told for count in counts]
    silent = any("±" in text and not counts for text, counts in zip(texts, told, strict=True))
    return every[0] if len(every) >= CELLS and len(set(every)) == 1 and not silent else ""


def say_once(app: Sphinx, doctree: nodes.document) -> None:
    """Take the number out of the cells of a page's tables, and put it under them."""
    for table in list(doctree.findall(nodes.table)):
        cells = list(table.findall(nodes.entry))
        count = common_count([cell.astext() for cell in cells])
        if not count:
            continue
        for text in [text for cell in cells for text in cell.findall(nodes.Text)]:
            if (shorter := _COUNT.sub("", text)) != text:
                text.parent.replace(text, nodes.Text(shorter))
        note = nodes.paragraph("", f"n = {count} in every cell.", classes=["table-count"])
        table.parent.insert(table.parent.index(table) + 1, note)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("doctree-read", say_once, priority=940)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
