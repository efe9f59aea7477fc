"""Every figure that a notebook draws has a description for readers who do not see it."""

from __future__ import annotations

import json

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

HIDDEN = {"remove-cell", "remove-output", "remove_cell", "remove_output"}


def undescribed(notebook: dict) -> list[str]:
    """Return the ids of the cells that show an image without alternative text.

    Examples
    --------
    >>> cell = {"id": "plot", "cell_type": "code", "metadata": {}, "outputs": [{"data": {"image/png": ""}}]}
    >>> undescribed({"cells": [cell]})
    ['plot']
    """
    found = []
    for number, cell in enumerate(notebook["cells"]):
        metadata = cell.get("metadata", {})
        images = any(
            mime.startswith("image/") for output in cell.get("outputs", []) for mime in output.get("data", {})
        )
        if not images or HIDDEN & set(metadata.get("tags", [])):
            continue
        if not str(metadata.get("mystnb", {}).get("image", {}).get("alt") or "").strip():
            found.append(cell.get("id", f"number {number}"))
    return found


def check_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Warn of each figure of a notebook that has no description."""
    if not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    for cell in undescribed(json.loads(source[0])):
        logger.warning(
            'the figure of cell "%s" has no description: set mystnb.image.alt in the cell\'s metadata',
            cell,
            location=docname,
            type="colu",
            subtype="alt",
        )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("source-read", check_page, priority=500)  # after the executed copy was read
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
