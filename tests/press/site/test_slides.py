"""A slide leaves the page, the search and the index alone, and comes into the deck with its numbers and links."""

from __future__ import annotations

import re

SLIDE = """```{slide} Two $x$
:show: even

The half is {glue:text}`../notebooks/10-a.ipynb::half:.2f`, of a needle in a haystack at most 1e-12; see {claim}`even`.

---

Ask *first*.
```"""
TOC = "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/10-a\n- file: notebooks/11-b\n"


def build(small_book, slide=SLIDE):
    """Build the book with a slide in its second chapter; what Sphinx said."""
    conf = small_book.folder / "conf.py"
    added = ", ".join(f'"colu.press.site.{name}"' for name in ("glossary", "slides", "decks", "typography"))
    conf.write_text(conf.read_text().replace('"myst_nb", ', f'"myst_nb", {added}, '))
    (small_book.folder / "_toc.yml").write_text(TOC)
    small_book.page("book/glossary.md", "---\norphan:\n---\n\n# G\n\n```{glossary}\nneedle\n  A thin thing.\n```\n")
    small_book.notebook(
        "11-b",
        small_book.markdown("# Second\n\n:::{claim} even\nTwo is even.\n:::", "title"),
        small_book.code('claims.check("even", True)', "check", small_book.recorded("even", True), tags=["claim"]),
        small_book.markdown(slide, "slide"),
    )
    return small_book.build()


def test_a_slide_is_in_the_deck_and_nowhere_else(small_book):
    result = build(small_book)
    assert result.returncode == 0, result.stderr
    deck = small_book.html("slides/11-b.html")
    assert re.search(r'<h2>Two <span class="math.*The half is <span[^>]*>0.50</span>', deck) and "Two is even." in deck
    assert '<a class="reference internal" href="../notebooks/11-b.html#claim-even">Claim 11.1</a>' in deck
    assert "10⁻¹²" in deck and "glossary-use" not in deck
    assert deck.index('class="body"><h2>Two') < deck.index('class="notes"') < deck.index("<em>first</em>")
    for name in ("notebooks/11-b.html", "searchindex.js", "genindex.html", "plain/11-b.ipynb"):
        text = (small_book.out / name).read_text()
        assert not [word for word in ("haystack", "Ask", "{slide}") if word in text], name
    # A chapter without slides has no deck; both have a sheet.
    assert not (small_book.out / "slides/10-a.html").exists()
    assert all((small_book.out / f"sheets/{name}.html").is_file() for name in ("10-a", "11-b"))


def test_a_slide_that_shows_nothing_of_its_chapter_stops_the_build(small_book):
    result = build(small_book, SLIDE.replace(":show: even", ":show: half"))
    assert result.returncode != 0 and "of 11-b shows 'half', which is no figure" in result.stderr


def test_a_chapter_that_lost_its_slides_loses_its_deck(small_book):
    assert build(small_book).returncode == 0
    (small_book.out / "slides/11-b.html").unlink()
    for name in ("notebooks/11-b.ipynb", "executed/smoke/11-b.ipynb"):
        path = small_book.folder / name
        path.write_text(path.read_text().replace("```{slide}", "```{code-block}"))
    build_again = small_book.build()
    assert not (small_book.out / "slides/11-b.html").exists(), build_again.stderr


def test_an_epub_has_no_slide(small_book):
    assert build(small_book).returncode == 0
    page = (small_book.epub() / "notebooks/11-b.xhtml").read_text()
    assert "Two is even" in page and "haystack" not in page and "Ask" not in page
