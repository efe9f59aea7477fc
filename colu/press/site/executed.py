"""Render the executed copy of each notebook in the place of the committed one.

The page keeps the committed notebook's address, and its download button gives the committed file.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util import logging

from colu.press.layers import OPEN, TAG, layer_of
from colu.press.notebook import Notebook
from colu.press.project import BookError

logger = logging.getLogger(__name__)

PREFIX = "notebooks/"
_VERDICT = re.compile(r"claim [\w-]+ holds: measured ")
_GLUE = re.compile(r"`([^`\s]+\.ipynb)::|^:doc:\s+(\S+\.ipynb)\s*$", re.MULTILINE)


def default_folder(_config=None) -> str:
    """Name the folder of executed copies: ``COLU_EXECUTED_DIR``, else ``executed/<COLU_PRESET or smoke>``."""
    return os.environ.get("COLU_EXECUTED_DIR") or f"executed/{os.environ.get('COLU_PRESET') or 'smoke'}"


def executed_path(app: Sphinx, docname: str) -> Path | None:
    """Return where the executed copy of a page belongs; None for a page that is no notebook of ours."""
    if not docname.startswith(PREFIX):
        return None
    return Path(app.srcdir, app.config.colu_executed_dir, docname[len(PREFIX) :] + ".ipynb")


def read_executed(path: Path) -> Notebook | None:
    """Read an executed copy; None where it is missing or no notebook."""
    try:
        return Notebook.read(path)
    except (OSError, BookError):
        return None


def glued_documents(docname: str, text: str) -> set[str]:
    """Return the notebooks' document names from which a page glues values.

    Examples
    --------
    >>> glued_documents("book/index", "is {glue:text}`../notebooks/10-a.ipynb::radius:.3f`")
    {'notebooks/10-a'}
    """
    folder = posixpath.dirname(docname)
    found = set()
    for role, directive in _GLUE.findall(text):
        target = role or directive
        path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
        found.add(posixpath.normpath(path).removesuffix(".ipynb"))
    return found


def as_published(notebook: Notebook) -> Notebook:
    """Return the notebook for the page.

    Without papermill's cell of parameters: the preset is said elsewhere, and the page shows the author's cells.
    Without the line of a check that holds: the claim's box has it.
    Code that is to be folded has a tag that says so, in place of those by which the theme would fold it.
    """
    cells = []
    for cell in notebook.cells:
        if "injected-parameters" in cell.tags:
            continue
        if cell.kind != "code":
            cells.append(cell.node)
            continue
        outputs = cell.outputs
        if cell.checks:
            outputs = [shown for output in outputs if (shown := _without_verdicts(output))]
        tags = [tag for tag in cell.tags if not tag.startswith("hide-")]
        if (layer := layer_of(notebook, cell)) != OPEN:
            tags.append(TAG + layer)
        cells.append(cell.node | {"outputs": outputs, "metadata": cell.metadata | {"tags": tags}})
    return notebook.with_cells(cells)


def _without_verdicts(output: NotebookNode) -> NotebookNode | None:
    """An output without the lines that say of a claim that it holds; None if nothing else is in it."""
    if output["output_type"] != "stream":
        return output
    lines = [line for line in output["text"].splitlines(keepends=True) if not _VERDICT.match(line)]
    return NotebookNode(output | {"text": "".join(lines)}) if lines else None


def substitute(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace a notebook's source by its executed copy and note which copies a page depends on."""
    path = executed_path(app, docname)
    is_notebook = str(app.env.doc2path(docname)).endswith(".ipynb")
    text = source[0]
    if is_notebook and path is not None:
        notebook = read_executed(path)
        if notebook is None:
            logger.warning(
                "no executed copy of %s at %s; run 'make book', which executes the notebooks first",
                docname,
                path,
                location=docname,
                type="colu",
                subtype="executed",
            )
            return
        app.env.note_dependency(str(path))
        notebook = as_published(notebook)
        text, source[0] = notebook.prose, notebook.dumps()
    # Without this an incremental build leaves another notebook's old numbers on the page.
    for other in glued_documents(docname, text) - {docname}:
        copy = executed_path(app, other)
        if copy is not None:
            app.env.note_dependency(str(copy))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_config_value("colu_executed_dir", default_folder, "env", str)
    app.connect("source-read", substitute, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
