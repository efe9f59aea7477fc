"""Every figure that a notebook draws has a description for readers who do not see it."""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.util import logging

from colu.press.notebook import Notebook

logger = logging.getLogger(__name__)

HIDDEN = {"remove-cell", "remove-output", "remove_cell", "remove_output"}


def undescribed(notebook: Notebook) -> list[str]:
    """Return the ids of the cells that show an image without alternative text."""
    found = []
    for cell in notebook.cells:
        images = any(mime.startswith("image/") for output in cell.outputs for mime in output.get("data", {}))
        if images and not HIDDEN & set(cell.tags) and not cell.figure.alt:
            found.append(cell.id or f"number {cell.number}")
    return found


def check_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Warn of each figure of a notebook that has no description."""
    if not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    for cell in undescribed(Notebook.loads(source[0], docname)):
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
