"""Each rule for slides, kept and broken."""

from __future__ import annotations

import nbformat
import pytest

from colu.press.check.slides import WORDS, lint_slides
from colu.press.notebook import Notebook

GOOD = "```{slide} Why\n:show: two\n\nLook.\n\n---\n\nSay it.\n```"
CLAIM = ":::{claim} two\nIt is 2.\n:::"


def linted(slide, code="draw()"):
    cells = [nbformat.v4.new_markdown_cell(CLAIM, id="m"), nbformat.v4.new_code_cell(code, id="c")]
    cells.append(nbformat.v4.new_markdown_cell(slide, id="s"))
    return lint_slides(Notebook("12-a", nbformat.v4.new_notebook(cells=cells)))


def test_good_slides_and_chapters_without_any_pass():
    assert linted(GOOD) == linted("# No slide") == []
    assert linted(GOOD.replace("two", "slider-1"), "slider_figure(draw, alt='A')") == []
    assert linted(GOOD.replace("Look.", "word " * WORDS)) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{slide} Why", "{slide}", "the slide '' has no heading"),
        ("two", "three", "the slide 'Why' shows 'three', which is no figure"),
        ("two", "slider-1", "shows 'slider-1'"),
        (":show: two\n\nLook.\n", "", "is empty: give it text or ':show:'"),
        ("Look.", "word " * (WORDS + 1), f"has {WORDS + 1} words, at most {WORDS}"),
        ("\n---\n\nSay it.", "", "does not say what is said to it"),
    ],
)
def test_a_broken_rule_is_named_with_its_cell(before, after, said):
    (problem,) = linted(GOOD.replace(before, after))
    assert problem.startswith("cell 's': ") and said in problem


def test_sliders_are_counted():
    two = "slider_figure(draw, alt='A')"
    assert len(linted(GOOD.replace("two", "slider-2"), two)) == 1
