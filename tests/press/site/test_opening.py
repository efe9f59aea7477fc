"""A chapter opens with one of its own figures, or the build says that it does not."""

import re

import pytest

from ..conftest import PNG, shown

FIGURE = {"mystnb": {"figure": {"caption": "Axes.", "name": "fig-line"}, "image": {"alt": "A line that falls"}}}
OPENED = "# Second\n\n**Question.** Why?\n\n```{opening} NAME\nTEXT\n```\n\n:::{claim} even\nTwo is even.\n:::"


def build(small_book, text):
    """Build a book whose second chapter begins so and has one figure; what Sphinx said."""
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.opening", '))
    named = '"mystnb": {"figure": {"caption": "A plot.", "name": "fig-plot"}, '
    for first in small_book.folder.glob("*/**/10-a.ipynb"):
        text_of_first = first.read_text().replace("# First", "# First\\n\\n```{opening} fig-plot\\nSee it.\\n```", 1)
        first.write_text(text_of_first.replace('"mystnb": {', named, 1))
    small_book.notebook(
        "11-b",
        small_book.markdown(text, "title"),
        small_book.code("plot()", "plot", shown({"image/png": PNG}), **FIGURE),
        small_book.code('claims.check("even", True)', "check", small_book.recorded("even", True), tags=["claim"]),
    )
    return small_book.build()


def test_the_figure_stands_under_the_question_with_its_own_words_and_a_link(small_book):
    result = build(small_book, OPENED.replace("NAME", "fig-line").replace("TEXT", "It *falls*."))
    assert result.returncode == 0, result.stderr
    page = small_book.html("notebooks/11-b.html")
    opening = page[page.index('class="drawing opening') :]
    opening = opening[: opening.index("Two is even")]
    assert opening.count('alt="A line that falls"') == 1 and "<em>falls</em>" in opening and "Axes." not in opening
    assert re.search(r'href="#fig-line"', opening)
    assert page.count('alt="A line that falls"') == 2 and page.count('id="fig-line"') == 1, "it is a copy"
    plain = (small_book.out / "plain/11-b.ipynb").read_text()
    assert "It *falls*. (below: [Fig. 11.1](https://example.org/toy/notebooks/11-b.html#fig-line))" in plain


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (OPENED.replace("NAME", "fig-other").replace("TEXT", "See."), "'fig-other', which is no figure"),
        (OPENED.replace("NAME", "fig-line").replace("TEXT\n", ""), "does not say what to see"),
        ("# Second\n\n**Question.** Why?\n\n:::{claim} even\nTwo is even.\n:::", "no figure opens this chapter"),
    ],
)
def test_a_chapter_without_an_opening_stops_the_build(small_book, text, complaint):
    result = build(small_book, text)
    assert result.returncode != 0 and complaint in result.stderr
