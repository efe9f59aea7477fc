"""What others show of a page: its description, a card for those who share its address, and a page for wrong addresses.

Nothing here makes a reader's browser ask another host for anything: the addresses stand in the head as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx

from .formulas import as_words

__all__ = ["described", "grounded", "setup"]

CARD = "_static/card.png"
CARD_ALT = "A rose of five leaves and the part of it inside a disc, which turns as the rose turns; the word colu."
LENGTH = 200
MISSING = "404"
#: The doors of the page for wrong addresses, each with what stands behind it.
DOORS = (
    ("book/index", "Read: all chapters, and what was found"),
    ("book/use", "Use: install the package, swap it into a model"),
    ("book/rerun", "Rerun: every chapter and every recorded run"),
    ("book/instructors", "Teach: slides, sheets, solutions"),
    ("genindex", "The index of words and names"),
)


def _text(paragraph: nodes.Node) -> str:
    copy = paragraph.deepcopy()
    for formula in list(copy.findall(nodes.math)):
        formula.replace_self(nodes.Text(as_words(formula.astext())))
    return " ".join(copy.astext().split())


def described(doctree: nodes.document | None) -> str:
    """The first paragraph of a page, which is the question of a chapter, cut after a sentence or a word."""
    found = (paragraph for paragraph in doctree.findall(nodes.paragraph)) if doctree is not None else iter(())
    text = next(filter(None, map(_text, found)), "").removeprefix("Question. ")
    if len(text) <= LENGTH:
        return text
    end = max(text.rfind(mark, 0, LENGTH) for mark in (". ", "? ", "! "))
    return text[: end + 1] if end > LENGTH / 3 else text[: text.rfind(" ", 0, LENGTH)] + " …"


def add_head(app: Sphinx, pagename: str, _template: str, context: dict, doctree: nodes.document | None) -> None:
    """Describe the page of the site in its head; an EPUB describes itself."""
    if app.builder.name != "html":
        return
    base = app.config.html_baseurl
    title = re.sub(r"<[^>]+>", "", context.get("title") or app.config.html_title)
    said = escape(described(doctree) or app.config.epub_description, quote=True)
    facts = [f'<meta name="description" content="{said}">']
    facts += [f'<meta property="og:title" content="{title}">', f'<meta property="og:description" content="{said}">']
    facts.append('<meta property="og:type" content="article">')
    facts.append('<meta name="twitter:card" content="summary_large_image">')
    if base:
        facts.append(f'<meta property="og:url" content="{base}{app.builder.get_target_uri(pagename)}">')
        facts.append(f'<meta property="og:image" content="{base}{CARD}">')
        facts += ['<meta property="og:image:width" content="1200">', '<meta property="og:image:height" content="630">']
        facts.append(f'<meta property="og:image:alt" content="{escape(CARD_ALT, quote=True)}">')
    context["metatags"] = "\n".join([context.get("metatags", ""), *facts])


def missing_page(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    """The page that a host shows where there is none: what it is, a search, and the doors."""
    if app.builder.name != "html":
        return
    up = app.builder.get_relative_uri(MISSING, "search")
    doors = "".join(
        f'<li><a class="reference internal" href="{app.builder.get_relative_uri(MISSING, page)}">{words}</a></li>'
        for page, words in DOORS
        if page in app.env.found_docs
    )
    body = (
        "<section><h1>There is no such page</h1>"
        "<p>The address may be an old one: pages were renamed. Search the book, or go in by a door.</p>"
        f'<form class="missing-search" action="{up}" method="get" role="search">'
        '<input type="search" name="q" aria-label="Search the book" placeholder="Search the book">'
        f"<button>Search</button></form><ul>{doors}</ul></section>"
    )
    yield MISSING, {"title": "There is no such page", "body": body}, "page.html"


def grounded(page: str, base: str) -> str:
    """A page whose links begin at the root of the host, since it is shown at any address.

    Parameters
    ----------
    page : str
        HTML of a page at the root of the site.
    base : str
        Where the site is published; its path is taken.

    Examples
    --------
    >>> grounded('<a href="book/use.html"> <a href="#top"> <a href="https://x.y/">', "https://host/colu/")
    '<a href="/colu/book/use.html"> <a href="#top"> <a href="https://x.y/">'
    """
    root = urlsplit(base).path.rstrip("/") + "/"
    page = re.sub(
        r'\b(href|src|action)="(?!#|/|[a-z]+:)(?:\./)?([^"]*)"',
        lambda match: f'{match[1]}="{root}{match[2]}"',
        page,
    )
    return page.replace('data-content_root="./"', f'data-content_root="{root}"')


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("html-page-context", add_head)
    app.connect("html-collect-pages", missing_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
