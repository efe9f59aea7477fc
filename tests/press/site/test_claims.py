"""The claim box, the role that links to it, and the table of all claims, on the small book of conftest.py."""

from __future__ import annotations

import re


def test_claim_box_has_number_statement_values_verdict_and_cell(good, text_of):
    html = good.html("notebooks/10-a.html")
    box = html[html.index('id="claim-half"') : html.index('id="claim-small"')]
    assert "Claim 10.1" in box
    assert r"\frac{1}{2}" in box and 'class="math' in box
    assert "Expected 0.5 ± 0.01; measured 0.498: ✓ holds. The check." in text_of(box)
    assert 'href="#cell-half"' in box and 'id="cell-half"' in html and 'id="cell-small"' in html


def test_claim_role_links_to_the_box_from_another_page(good):
    assert re.search(
        r'href="../notebooks/10-a.html#claim-half"[^>]*>Claim 10.1<', good.html("book/index.html")
    )


def test_claims_table_lists_every_claim_in_the_ledgers_order(good, text_of):
    html = good.html("book/claims.html")
    table = html[html.index("<table") : html.rindex("</table>")]
    assert table.count("<table") == 2 and re.search(r'href="#claims-11"[^>]*>11 ', html), "a section a chapter"
    assert [text_of(row) for row in re.findall(r"#claim-[^>]*>(.*?)</a>", table)] == ["10.1", "10.2", "11.1"]
    assert "It is small. Source: arithmetic at most 0.1 0.02 ✓ holds" in text_of(table)
    assert 'href="../notebooks/11-b.html#cell-even"' in table


def test_an_expectation_from_a_run_says_so_in_its_box_and_is_counted(good, text_of):
    assert "Expected true, set after a run; measured" in text_of(good.html("notebooks/11-b.html"))
    said = text_of(good.html("book/claims.html"))
    assert "3 claims in 2 chapters; of their expectations 1 were set after a run; preset" in said
    assert "true, set after a run" in said


def test_everything_wrong_fails_the_build_and_is_named(small_book):
    small_book.page("book/claims.md", "# Claims\n\n{claim}`no-such-role`\n\n```{claims-table}\n```\n")
    small_book.notebook(
        "10-a",
        small_book.markdown("# A\n\n:::{claim} half\nA half.\n:::\n\n:::{claim} no-such-box\nNo.\n:::", "title"),
        small_book.code('claims.check("half", 1)', "check", small_book.recorded("half", 0.7)),
        small_book.code("plt.show()", "bare", small_book.shown({"image/png": small_book.png})),
    )
    small_book.notebook("11-b", small_book.markdown("# Second", "title"), executed=False)
    (small_book.folder / "executed/smoke/11-b.ipynb").unlink()
    result = small_book.build()
    assert result.returncode != 0
    for complaint in (
        'claim "no-such-role" is not in expectations',
        'claim "no-such-box" is not in expectations',
        'claim "half" fails: measured 0.7, expected 0.5 ± 0.01',
        'claim "small" was not measured',
        'claim "small" stands on no page',
        'the figure of cell "bare" has no description',
        "no executed copy of notebooks/11-b",
    ):
        assert complaint in result.stderr
