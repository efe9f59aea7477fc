"""The chapters as plain notebooks beside the site, ``plain/NN-topic.ipynb``, to which the buttons of a page lead."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.files import write_atomically
from colu.press.project import Project
from colu.press.teach.plain import Shelf, plain_notebook

from .executed import PREFIX


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the plain form of every chapter whose page was rendered."""
    if error or app.builder.name != "html":
        return
    copies = Path(app.srcdir, app.config.colu_executed_dir)
    ledger = Path(app.srcdir, app.config.colu_expectations)
    shelf = Shelf(Project(Path(app.srcdir)), copies, os.environ.get("COLU_PRESET") or "smoke", ledger)
    for name in shelf.names:
        if PREFIX + name in app.env.found_docs:
            path = Path(app.outdir, "plain", f"{name}.ipynb")
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, plain_notebook(shelf.copy(name), shelf).dumps())
    # What Binder installs where it opens one: as in the repository, whose package is not beside the pages.
    for path in sorted(Path(app.srcdir, "binder").glob("*.txt")):
        package = f"colu[lab] @ git+{shelf.repository}"
        text = re.sub(r"^\.\[lab\]$", package, path.read_text(encoding="utf8"), flags=re.M)
        target = Path(app.outdir, "binder", path.name)
        target.parent.mkdir(exist_ok=True)
        write_atomically(target, text)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
