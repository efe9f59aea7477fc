"""What a slide block says, and what a chapter's slides can show."""

from __future__ import annotations

import nbformat

from colu.press.notebook import Notebook
from colu.press.teach.blocks import SlideBlock, part_at, showable, slide_blocks


def notebook(*texts, **metadata):
    cells = [nbformat.v4.new_markdown_cell(text, id=f"m{number}") for number, text in enumerate(texts)]
    cells.append(nbformat.v4.new_code_cell("draw()", id="c", metadata=metadata))
    return Notebook("12-a", nbformat.v4.new_notebook(cells=cells))


def test_slides_come_in_their_order_with_all_their_parts():
    first = "```{slide} Why $x$\n:show: fig-a\n\nLook\n\n- here.\n\n---\n\nTen\n\n---\ntimes.\n```"
    found = slide_blocks(notebook("Text.\n\n" + first, ":::{slide}\nBare.\n:::", "# None"))
    assert found == [
        SlideBlock("Why $x$", "fig-a", "Look\n\n- here.", "Ten\n\n---\ntimes.", "m0"),
        SlideBlock("", "", "Bare.", "", "m1"),
    ]


def test_only_a_line_of_three_dashes_parts_a_slide():
    assert part_at(["| a |", "|---|", "----", " ---", "---  ", "---"]) == 4
    assert part_at([]) == 0


def test_figures_drawings_theorems_exercises_claims_and_named_tables_can_be_shown():
    book = notebook(
        "```{drawing} scheme\n:alt: A.\n```\n\n```{prf:theorem} T\n:label: thm-t\n\nSo.\n```",
        "```{exercise} E\n:label: ex-e\n\nDo.\n```\n\n:::{claim} two\nIt is 2.\n:::",
        "```{table} T\n:name: tab-t\n\n| a |\n|---|\n| 1 |\n```\n\n```{prf:proof}\nIt is.\n```",
        mystnb={"figure": {"caption": "A.", "name": "fig-a"}},
    )
    assert showable(book) == {"scheme", "thm-t", "ex-e", "two", "tab-t", "fig-a"}
