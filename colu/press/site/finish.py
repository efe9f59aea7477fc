"""Last hand on the pages: what the theme and the extensions write that readers should not have to pay for.

Two scripts of the theme that these pages do not use are two thirds of what a page loads before its formulas.
A few roles and labels say to a screen reader what is not there.
The side bar and the headings get the numbers of the chapters, by which claims, figures and exercises are counted.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.files import write_atomically

from .formulas import reserved
from .heads import MISSING, grounded
from .sidebar import folded
from .tables import with_cards, with_windows
from .typography import kept_together, powers_on

#: The branch on which the site is published, plain notebooks and all: Colab and Binder open them there.
PAGES = "gh-pages"
_REPOSITORY = r"[^/\"]+/[^/\"]+"
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
    (r'<div(?=[^>]*class="citation-list")[^>]*>', '<div class="citation-list">', "a list needs items as children"),
    (
        r"<summary>Expand for references to <a [^>]*>(.*?)</a></summary>",
        r"<summary>Where \1 is used</summary>",
        "a button holds no link, least of all one to its own place",
    ),
    (r'(<a class="reference internal" href="[^"]*">) ', r" \1", "a link begins with its word, and so does its line"),
    (r' role="doc-biblioentry"', "", "withdrawn from the standard"),
    (r'(href="[^"]*)_sources/notebooks/([\w-]+\.ipynb")', r"\1plain/\2", "outside the site the plain form is readable"),
    (rf"(colab\.research\.google\.com/github/{_REPOSITORY}/blob)/[^/\"]+/notebooks/", rf"\1/{PAGES}/plain/", "so"),
    (rf"(mybinder\.org/v2/gh/{_REPOSITORY})/[^/?\"]+(\?urlpath=[a-z/]*tree)/notebooks/", rf"\1/{PAGES}\2/plain/", "so"),
)
#: The search page needs these; elsewhere they serve a search while typing, which is switched off.
SEARCH = r'<script src="[^"]*(?:_static/searchtools|_static/language_data|searchindex)\.js[^"]*"></script>\s*'


_CHAPTER = r"(?:[^\"]*/)?(\d\d)-[\w-]+\.html"
_LINK = re.compile(rf'(<li class="toctree-l1[^"]*"><a)( class="[^"]*" href="{_CHAPTER}">)')
_HERE = re.compile(r'(<li class="toctree-l1 current[^"]*"><a)( class="[^"]*" href="#">)')
#: In the index: the link to a use of a word in a chapter, which Sphinx only counts.
_USE = re.compile(r'(<a href="(?:[^"]*/)?(\d\d)-[\w-]+\.html#[^"]*">)\[\d+\]</a>')


def number_chapters(page: str, name: str) -> str:
    """Mark chapters with their number, for the style sheet to show it.

    Parameters
    ----------
    page : str
        HTML.
    name : str
        The file's own name.

    Examples
    --------
    >>> number_chapters('<li class="toctree-l1"><a class="x" href="../notebooks/12-a.html">A</a>', "index.html")
    '<li class="toctree-l1"><a data-chapter="12" class="x" href="../notebooks/12-a.html">A</a>'
    >>> number_chapters('<a href="notebooks/12-a.html#term-use-3">[7]</a>', "genindex.html")
    '<a href="notebooks/12-a.html#term-use-3">12</a>'
    """
    page = _LINK.sub(r'\1 data-chapter="\3"\2', page)
    page = _USE.sub(r"\1\2</a>", page)
    if own := re.fullmatch(_CHAPTER, name):
        page = _HERE.sub(rf'\1 data-chapter="{own[1]}"\2', page)
        # Twice: the theme repeats the title in a part that only a printer shows.
        page = page.replace("<h1>", f'<h1 data-chapter="{own[1]}">')
    return page


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
        after = number_chapters(finished(before, search=path.name == "search.html"), path.name)
        after = with_cards(kept_together(powers_on(folded(after))))
        if re.fullmatch(_CHAPTER, path.name):
            after = with_windows(after)
        after = reserved(after, "../" * (len(path.relative_to(app.outdir).parts) - 1))
        if path.name == f"{MISSING}.html":
            after = grounded(after, app.config.html_baseurl)
        if after != before:
            write_atomically(path, after)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", finish, priority=400)  # before the slides are made
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
