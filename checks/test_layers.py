"""Pages explain before they compute: what stands open, in shares of a chapter's height."""

import statistics
from pathlib import Path

import pytest

from colu.press.check.browser import find_chromium
from colu.press.check.budget import MARK, SCREEN, measure_chapters

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def budgets():
    return measure_chapters(SITE)


def test_open_code_is_at_most_a_quarter_of_a_chapter_and_15_percent_of_most(budgets):
    shares = {name: budget.share("code") for name, budget in budgets.items()}
    assert {name: share for name, share in shares.items() if share > 0.25} == {}
    assert statistics.median(shares.values()) <= 0.15


def test_figures_are_15_percent_of_most_chapters(budgets):
    assert statistics.median(budget.share("figures") for budget in budgets.values()) >= 0.15


def test_a_figure_is_on_the_first_screen_of_every_chapter(budgets):
    first = {name: budget.first for name, budget in budgets.items()}
    assert {name: top for name, top in first.items() if top is None or top > SCREEN / 2} == {}


def test_no_screen_of_a_chapter_is_without_a_sentence(budgets):
    assert {name: budget.silent for name, budget in budgets.items() if budget.silent > SCREEN} == {}


def test_the_status_page_lists_every_chapter(budgets):
    page = (SITE / "book/status.html").read_text()
    assert MARK not in page and all(f"../notebooks/{name}.html" in page for name in budgets)
