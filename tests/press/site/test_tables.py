"""Tables that a telephone can't show become cards there, and only those."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colu.press.site.tables import COLUMN, MANY, minimal_width, with_cards, with_windows


def _table(head: list[str], rows: list[list[str]], attributes: str = ' class="table"') -> str:
    top = "".join(f'<th class="head"><p>{name}</p></th>' for name in head)
    body = "".join(f'<tr class="row">{"".join(f"<td><p>{cell}</p></td>" for cell in row)}</tr>' for row in rows)
    return f"<table{attributes}>\n<thead>\n<tr>{top}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def test_a_wide_table_carries_the_names_of_its_columns():
    page = with_cards(
        _table(["arm", "verdict", r"\(\lambda\) &amp; more"], [["relu", "x" * 50, "1"], ["colu", "y", "2"]])
    )
    assert 'class="cards table"' in page and 'role="table"' in page and page.count('role="row"') == 3
    assert page.count('data-label="verdict"') == 2 and page.count('data-label="λ &amp; more"') == 2
    assert 'data-label="arm"' not in page, "the first cell is the head of its card"
    assert page.count('role="cell"') == 6 and page.count('role="columnheader"') == 3


@pytest.mark.parametrize(
    "page",
    [
        _table(["arm", "mean"], [["relu", "1.5"]]),
        _table(["arm", "verdict", "more"], [["relu", "x" * 50, "1"]], ' class="chapters-table"'),
        _table(["arm", "verdict"], [["relu", "x" * 60]]).replace("<td>", '<td colspan="2">'),
        "<table><tbody><tr><td>" + "x" * 80 + "</td></tr></tbody></table>",
    ],
    ids=["narrow", "own form", "joined cells", "no head"],
)
def test_other_tables_stay(page):
    assert with_cards(page) == page


def test_a_long_table_stands_in_a_window_that_takes_the_focus():
    long = _table(["arm", "mean"], [["relu", "1.5"]] * MANY)
    assert with_windows(long).startswith('<div class="long-table" tabindex="0" role="region" aria-label="table of 16')
    short = _table(["arm", "mean"], [["relu", "1.5"]] * (MANY - 1))
    assert with_windows(short) == short
    own = _table(["arm", "mean"], [["relu", "1.5"]] * MANY, ' class="chapters-table"')
    assert with_windows(own) == own


def test_a_window_hides_three_rows_at_least():
    style = (Path(__file__).parents[3] / "book/_static/colu.css").read_text(encoding="utf-8")
    height = float(re.search(r"\.long-table \{[^}]*max-height: ([\d.]+)rem", style)[1])
    row = 2.56  # rem of a row of one line, measured at 1440 px
    assert (MANY + 1) * row > height + 3 * row


def test_a_table_that_pandas_wrote_has_cards_with_the_index_as_head():
    row = "<tr><th>relu</th>" + "".join(f"<td>{k}.123456</td>" for k in range(9)) + "</tr>"
    head = "<thead><tr><th></th>" + "".join(f"<th>column{k}</th>" for k in range(9)) + "</tr></thead>"
    page = with_cards(f'<table border="1" class="dataframe">{head}<tbody>{row}</tbody></table>')
    assert '<th role="rowheader"><div>relu</div></th>' in page and 'data-label="column8"' in page


def test_a_ribbon_of_prose_becomes_a_card_though_its_words_would_fit():
    cells = ["one", "two", "a sentence of short words " * 6]
    assert minimal_width([cells]) < COLUMN and "data-label" in with_cards(_table(["a", "b", "c"], [cells]))
    assert "data-label" not in with_cards(_table(["a", "c"], [[cells[0], cells[2]]]))


def test_code_breaks_at_hyphens_and_formulas_do_not():
    assert minimal_width([["<code>colu run vae --preset laptop</code>"]]) < 100
    assert minimal_width([[r"\(a + b + c + d + e + f + g\)"]]) > 150
