"""A drawn scheme stands in the page, described, and follows the page's mode."""

import re
from pathlib import Path

import pytest

DRAWINGS = sorted((Path(__file__).resolve().parents[3] / "book/_static/drawings").glob("*.svg"))
SVG = '<svg xmlns="http://www.w3.org/2000/svg" class="drawn"><title>T</title><text>in it</text></svg>'
TEXT = "# Second\n\n:::{claim} even\nTwo is even.\n:::\n\n```{drawing} NAME\nALT\n\nThe $x$.\n```"


def build(small_book, name="cone", alt=":alt: A <cone>."):
    """Build a book whose second chapter has a drawing; what Sphinx said."""
    folder = small_book.folder / "book/_static/drawings"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cone.svg").write_text(SVG)
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.drawings", '))
    small_book.notebook(
        "11-b",
        small_book.markdown(TEXT.replace("NAME", name).replace("ALT", alt), "title"),
        small_book.code('claims.check("even", True)', "check", small_book.recorded("even", True), tags=["claim"]),
    )
    return small_book.build()


def test_a_drawing_is_in_the_page_with_description_and_caption(small_book):
    result = build(small_book)
    assert result.returncode == 0, result.stderr
    page = small_book.html("notebooks/11-b.html")
    assert 'id="drawing-cone"' in page, "slides show it by its name"
    assert '<div role="img" aria-label="A &lt;cone&gt;.">' in page and "in it" in page and "<title>T" not in page
    assert re.search(r'class="drawing-caption.*?The <span class="with-mark"><span class="math', page, re.DOTALL)
    plain = (small_book.out / "plain/11-b.ipynb").read_text()
    assert "![A <cone>.](https://example.org/toy/_static/drawings/cone.svg)" in plain


def test_in_an_epub_a_drawing_is_a_picture_of_its_own(small_book):
    assert build(small_book).returncode == 0
    page = (small_book.epub() / "notebooks/11-b.xhtml").read_text()
    assert re.search(r'<img alt="A &lt;cone&gt;." src="../_images/cone.svg"', page) and "<svg" not in page


@pytest.mark.parametrize(
    ("name", "alt", "complaint"),
    [("cube", ":alt: A.", "there is no drawing"), ("cone", "", "the drawing 'cone' has no description")],
)
def test_a_missing_drawing_or_description_is_named(small_book, name, alt, complaint):
    result = build(small_book, name, alt)
    assert result.returncode != 0 and complaint in result.stderr


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_keeps_its_style_to_itself_and_is_legible_on_a_telephone(path):
    text = path.read_text()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@media[^{]*\{(.*?\})\s*\}", r"\1", style, flags=re.DOTALL))
    assert all(selector.strip().startswith(".drawn") for selector in selectors)
    width = float(re.search(r'viewBox="0 0 (\d+)', text)[1])
    sizes = [float(size) for size in re.findall(r"(?:font: |font-size: )(\d+)px", style)]
    assert sizes and min(sizes) * 350 / width >= 8, "350 of 390 pixels are left beside the margins"
    assert re.search(r"<title>\S", text)
