"""Pages at the old addresses of chapters and pages that moved, each of which sends on to the new one.

The part of the page that an address names after ``#`` goes along where scripts run.
"""

from __future__ import annotations

import posixpath
from html import escape
from pathlib import Path

from sphinx.application import Sphinx

from colu.files import write_atomically
from colu.press.moved import moved_chapters, moved_pages
from colu.press.project import Project
from colu.press.teach.slides import KINDS

FOLDERS = ("notebooks", *KINDS)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>This page has moved</title>
<meta name="robots" content="noindex">
<link rel="canonical" href="{address}">
<script>location.replace("{address}" + location.hash)</script>
<meta http-equiv="Refresh" content="0; url={address}">
</head>
<body><p>This page has moved: <a href="{address}">{address}</a></p></body>
</html>
"""


def forwarding(address: str) -> str:
    """A page that sends its reader on.

    Examples
    --------
    >>> '<a href="09-a.html">' in forwarding("09-a.html")
    True
    """
    return PAGE.format(address=escape(address, quote=True))


def write(app: Sphinx, error: Exception | None) -> None:
    """Write a page at each old address whose new one is there."""
    if error or app.builder.name != "html":
        return
    site = Path(app.outdir)
    project = Project(Path(app.srcdir))
    for old, new in moved_pages(project).items():
        if (site / f"{new}.html").is_file():
            address = posixpath.relpath(f"{new}.html", posixpath.dirname(old))
            write_atomically(site / f"{old}.html", forwarding(address))
    for old, new in moved_chapters(project).items():
        for folder in FOLDERS:
            if (site / folder / f"{new}.html").is_file():
                write_atomically(site / folder / f"{old}.html", forwarding(f"{new}.html"))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; the decks are written before."""
    app.setup_extension("colu.press.site.decks")
    app.connect("build-finished", write, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
