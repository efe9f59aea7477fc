"""What others show of a page, and the page for wrong addresses."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

from docutils import nodes
from PIL import Image

from colu.press.site.heads import LENGTH, add_head, described, grounded

ROOT = Path(__file__).resolve().parents[3]


def _doctree(*paragraphs: nodes.Node) -> nodes.document:
    from docutils.utils import new_document

    document = new_document("x")
    document += paragraphs
    return document


def test_a_chapter_is_described_by_its_question():
    asked = nodes.paragraph("", "", nodes.strong("", "Question."), nodes.Text(" Is "), nodes.math("", r"\lambda \le 1"))
    assert described(_doctree(asked, nodes.paragraph("", "Later."))) == "Is λ ≤ 1"


def test_a_long_description_ends_with_a_sentence_or_a_word():
    sentence = "It is so and so. "
    cut = described(_doctree(nodes.paragraph("", sentence * 30)))
    assert len(cut) <= LENGTH and cut.endswith("so.")
    words = described(_doctree(nodes.paragraph("", "word " * 90)))
    assert len(words) <= LENGTH + 2 and words.endswith("word …")
    assert described(None) == described(_doctree()) == ""


def test_every_link_of_the_page_for_wrong_addresses_begins_at_the_root():
    page = (
        '<html data-content_root="./"><link href="_static/a.css"><script src="_static/b.js"></script>'
        '<form action="search.html"><a href="book/use.html#install"><a href="#top"><a href="mailto:a@b"></form>'
    )
    done = grounded(page, "https://host/colu/")
    assert re.findall(r'(?:href|src|action)="([^"]*)"', done) == [
        "/colu/_static/a.css",
        "/colu/_static/b.js",
        "/colu/search.html",
        "/colu/book/use.html#install",
        "#top",
        "mailto:a@b",
    ]
    assert 'data-content_root="/colu/"' in done
    assert '"/book/x.html"' in grounded('<a href="book/x.html">', "https://host")


def test_the_card_is_as_large_as_those_who_show_it_want_and_light():
    path = ROOT / "book" / "_static" / "card.png"
    assert Image.open(path).size == (1200, 630) and path.stat().st_size < 60_000


def _head(builder: str) -> str:
    builder = SimpleNamespace(name=builder, get_target_uri=lambda page: f"{page}.html")
    config = SimpleNamespace(html_baseurl="https://host/colu/", html_title="The book", epub_description="All of it")
    context = {"title": "Colour <em>&amp; more</em>"}
    question = _doctree(nodes.paragraph("", 'Is "x" < 1?'))
    add_head(SimpleNamespace(builder=builder, config=config), "book/x", "page.html", context, question)
    return context.get("metatags", "")


def test_a_page_says_what_it_is_and_loads_nothing():
    head = _head("html")
    assert '<meta name="description" content="Is &quot;x&quot; &lt; 1?">' in head
    assert '<meta property="og:title" content="Colour &amp; more">' in head
    assert '<meta property="og:url" content="https://host/colu/book/x.html">' in head
    assert "https://host/colu/_static/card.png" in head and not re.search(r"\b(?:src|href)=", head)


def test_an_epub_describes_itself():
    assert _head("epub") == ""
