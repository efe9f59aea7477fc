"""The Sphinx extensions, on a small book (made in conftest.py)."""

from __future__ import annotations

import json
import re

from colu.press.site.executed import glued_documents
from colu.press.site.figures import undescribed
from colu.press.site.offline import figure_html


def text_of(html: str) -> str:
    """The words of a page, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_page_shows_the_executed_copy_without_the_injected_cell(good):
    html = good.html("notebooks/10-a.html")
    assert "image/png" not in html and 'alt="a line"' in html
    assert "PRESET" not in html


def test_value_returned_by_a_check_is_not_shown_beside_its_line(good):
    assert "0.0200001" not in good.html("notebooks/10-a.html")


def test_download_button_gives_the_committed_notebook(good):
    downloaded = json.loads((good.out / "_sources/notebooks/10-a.ipynb").read_text())
    assert "_sources/notebooks/10-a.ipynb" in good.html("notebooks/10-a.html")
    assert all(not cell.get("outputs") for cell in downloaded["cells"])


def test_claim_box_has_number_statement_values_verdict_and_cell(good):
    html = good.html("notebooks/10-a.html")
    box = html[html.index('id="claim-half"') : html.index('id="claim-small"')]
    assert "Claim 10.1" in box
    assert r"\frac{1}{2}" in box and 'class="math' in box
    assert "Expected 0.5 ± 0.01; measured 0.498: ✓ holds" in text_of(box)
    assert 'href="#cell-half"' in box and 'id="cell-half"' in html and 'id="cell-small"' in html


def test_claim_role_links_to_the_box_from_another_page(good):
    assert re.search(
        r'href="../notebooks/10-a.html#claim-half"[^>]*>Claim 10.1<', good.html("book/index.html")
    )


def test_claims_table_lists_every_claim_in_the_ledgers_order(good):
    html = good.html("book/claims.html")
    table = html[html.index("<table") : html.rindex("</table>")]
    assert table.count("<table") == 2 and re.search(r'href="#claims-11"[^>]*>11 ', html), "a section a chapter"
    assert [text_of(row) for row in re.findall(r"#claim-[^>]*>(.*?)</a>", table)] == ["10.1", "10.2", "11.1"]
    assert "It is small. Source: arithmetic at most 0.1 0.02 ✓ holds" in text_of(table)
    assert 'href="../notebooks/11-b.html#cell-even"' in table


def test_glued_value_stands_on_another_page(good):
    assert "0.498" in text_of(good.html("book/index.html"))


def test_only_a_page_with_a_plotly_figure_loads_plotly_and_all_load_it_locally(good):
    assert 'src="../_static/plotly.min.js' in good.html("notebooks/10-a.html")
    assert "plotly.min.js" not in good.html("notebooks/11-b.html")
    assert (good.out / "_static/plotly.min.js").stat().st_size > 1e6


def test_mathjax_is_local(good):
    assert 'src="../_static/mathjax/tex-chtml.js' in good.html("notebooks/10-a.html")
    assert (good.out / "_static/mathjax/tex-chtml.js").exists()
    assert list((good.out / "_static/mathjax/output/chtml/fonts").rglob("*.woff"))


def test_everything_wrong_fails_the_build_and_is_named(small_book):
    small_book.page("book/claims.md", "# Claims\n\n{claim}`no-such-role`\n\n```{claims-table}\n```\n")
    small_book.notebook(
        "10-a",
        small_book.markdown("# A\n\n:::{claim} half\nA half.\n:::\n\n:::{claim} no-such-box\nNo.\n:::", "title"),
        small_book.code('claims.check("half", 1)', "check", small_book.recorded("half", 0.7)),
        small_book.code("plt.show()", "bare", small_book.shown({"image/png": small_book.png})),
        small_book.code("show(fig)", "surface", small_book.surface()),
    )
    small_book.notebook("11-b", small_book.markdown("# Second", "title"), executed=False)
    (small_book.folder / "executed/smoke/11-b.ipynb").unlink()
    result = small_book.build()
    assert result.returncode != 0
    for complaint in (
        'claim "no-such-role" is not in expectations.yml',
        'claim "no-such-box" is not in expectations.yml',
        'claim "half" fails: measured 0.7, expected 0.5 ± 0.01',
        'claim "small" was not measured',
        'claim "small" stands on no page',
        'the figure of cell "bare" has no description',
        "interactive figure 1 has no description",
        "no executed copy of notebooks/11-b",
    ):
        assert complaint in result.stderr


def test_new_run_refreshes_the_pages_that_glue_from_it_and_those_that_show_its_claims(small_book):
    assert small_book.build().returncode == 0
    copy = small_book.folder / "executed/smoke/10-a.ipynb"
    copy.write_text(copy.read_text().replace("0.498", "0.503"))
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    for page in ("book/index.html", "book/claims.html", "notebooks/10-a.html"):
        assert "0.503" in small_book.html(page) and "0.498" not in small_book.html(page)


def test_folder_of_executed_copies_follows_the_preset_and_the_variable(small_book):
    (small_book.folder / "executed/smoke").rename(small_book.folder / "executed/laptop")
    assert "no executed copy" in small_book.build().stderr
    ledger = small_book.folder / "expectations.yml"
    ledger.write_text(ledger.read_text().replace("laptop: 0.6", "laptop: 0.5"))
    for variables in ({"COLU_PRESET": "laptop"}, {"COLU_EXECUTED_DIR": str(small_book.folder / "executed/laptop")}):
        result = small_book.build(**variables)
        assert result.returncode == 0, result.stderr


def test_glue_in_a_directive_and_from_the_root_is_seen():
    text = "```{glue:} table\n:doc: ../notebooks/30-c.ipynb\n```\n{glue:text}`/notebooks/10-a.ipynb::x`"
    assert glued_documents("book/index", text) == {"notebooks/30-c", "notebooks/10-a"}


def test_hidden_figure_needs_no_description():
    cell = {"id": "a", "metadata": {"tags": ["remove-output"]}, "outputs": [{"data": {"image/png": ""}}]}
    assert undescribed({"cells": [cell]}) == []
    cell["metadata"]["tags"] = []
    assert undescribed({"cells": [cell]}) == ["a"]


def test_figure_data_cannot_end_its_script():
    html = figure_html({"data": [{"name": "</script><b>"}]}, "f", 'a "quoted" <name>')
    assert html.count("</script>") == 1
    assert 'aria-label="a &quot;quoted&quot; &lt;name&gt;"' in html
