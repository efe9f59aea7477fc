"""What stands open on a page is measured in a browser; what is folded is not counted."""

import shutil

import pytest

from colu.press.check import budget as budgets
from colu.press.check.browser import find_chromium
from colu.press.check.budget import MARK, Budget, budget_table, fill_budget, measure_chapters

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<style>* {{ margin: 0; padding: 0; }} summary {{ height: 10px; }}</style></head>
<body><article><div style="height:{before}px"></div>
<div class="cell_input" style="height:200px"></div>
<details class="fold"><summary></summary><div class="cell_input" style="height:500px"></div></details>
<div class="cell_output">
<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" style="height:300px;width:9px;display:block"></div>
<div class="admonition claim" style="height:90px">{said}</div>
{more}</article></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks/10-a.html").write_text(PAGE.format(before=400, said="", more=""))
    (tmp_path / "notebooks/11-b.html").write_text(PAGE.format(before=1400, said="<p style='height:10px'></p>", more=""))
    (tmp_path / "book/status.html").write_text(f"<article>{MARK}</article>")
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")
def test_open_parts_are_measured_and_the_status_page_lists_them(site):
    assert measure_chapters(site) == {
        "10-a": Budget(height=1000, code=200, claims=90, figures=300, first=610, silent=1000),
        "11-b": Budget(height=2000, code=200, claims=90, figures=300, first=1610, silent=1910),
    }
    fill_budget(site)
    page = (site / "book/status.html").read_text()
    assert MARK not in page and '<tr><td><a href="../notebooks/10-a.html">10-a</a></td>' in page
    assert "<td>1.0</td><td>20 %</td><td>9 %</td><td>30 %</td><td>0.6</td><td>1.0</td>" in page
    fill_budget(site)
    assert (site / "book/status.html").read_text() == page, "once"


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")
def test_questions_are_sentences_and_count_for_no_share(site):
    legend = "<legend style='height:10px'>?</legend><div style='height:800px'></div>"
    quiz = f"<div class='quiz'>{legend}{legend}</div>"
    (site / "notebooks/10-a.html").write_text(PAGE.format(before=400, said="", more=quiz))
    assert measure_chapters(site)["10-a"] == Budget(1000, 200, 90, 300, first=610, silent=1000)


def test_without_chromium_the_page_says_that_nothing_was_measured(site, monkeypatch):
    monkeypatch.setattr(budgets, "find_chromium", lambda: None)
    fill_budget(site)
    assert "Not measured: that needs Chromium." in (site / "book/status.html").read_text()


def test_a_site_without_a_status_page_is_left_alone(site, monkeypatch):
    monkeypatch.setattr(budgets, "measure_chapters", None)
    shutil.rmtree(site / "book")
    fill_budget(site)


def test_the_last_row_has_the_medians_and_a_chapter_without_a_figure_a_dash():
    made = {"10-a": Budget(2000, 400, 0, 200, 500, 900), "11-b": Budget(4000, 400, 0, 0, None, 1900)}
    table = budget_table(made)
    assert "<td>11-b" not in table and table.count("–") == 1
    medians = ("<strong>Median</strong>", "3.0", "15 %", "0 %", "5 %", "0.5", "1.4")
    assert "".join(f"<td>{each}</td>" for each in medians) in table
