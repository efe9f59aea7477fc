"""Last hand on the pages: what the theme and the extensions write that readers should not have to pay for.

Two scripts of the theme that these pages do not use are two thirds of what a page loads before its formulas.
A few roles and labels say to a screen reader what is not there.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.book.project import write_atomically

#: Pattern, what stands in its place, and why.
CHANGES = (
    (r'<script defer src="[^"]*/fontawesome\.js.*?</script>\s*', "", "the style sheet has these icons as a font"),
    (r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"', r"\1", "the text inside says more"),
    ('<summary aria-label="Toggle hidden content">', "<summary>", "the text inside says more"),
    (
        '<summary>(?=<span class="toctree-toggle")',
        '<summary aria-label="pages of this part">',
        "an arrow alone has no name",
    ),
    ('<div role="list" class="citation-list">', '<div class="citation-list">', "a list needs items as children"),
    (r' role="doc-biblioentry"', "", "withdrawn from the standard"),
)
#: The search page needs these; elsewhere they serve a search while typing, which is switched off.
SEARCH = r'<script src="[^"]*(?:_static/searchtools|_static/language_data|searchindex)\.js[^"]*"></script>\s*'


def finished(page: str, *, search: bool = False) -> str:
    """Return a page with the changes made.

    Parameters
    ----------
    page : str
        HTML.
    search : bool
        Whether it is the page of the search.

    Examples
    --------
    >>> finished('<summary aria-label="Toggle hidden content">Show</summary>')
    '<summary>Show</summary>'
    """
    for pattern, replacement, _why in CHANGES:
        page = re.sub(pattern, replacement, page)
    return page if search else re.sub(SEARCH, "", page)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Rewrite the pages in which something changes."""
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        before = path.read_text(encoding="utf8")
        after = finished(before, search=path.name == "search.html")
        if after != before:
            write_atomically(path, after)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", finish, priority=400)  # before the slides are made
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
