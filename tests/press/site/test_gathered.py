"""Pages that are gathered from the chapters."""

from __future__ import annotations

import re

import pytest

from colu.press.site.gathered import divide_into_weeks


def test_errata_page_has_every_box_and_leads_back(page_of):
    page = page_of("book/errata")
    assert "Equation 5 of" in page and "A slip." in page and "Errata of print" in page
    for name in ("10-a", "11-b"):
        assert f"../notebooks/{name}.html#erratum-1" in page
        assert 'id="erratum-1"' in page_of(f"notebooks/{name}")


def test_first_page_lists_the_chapters_and_the_news(page_of):
    page = page_of("book/index")
    assert page.index("The first") < page.index("The second")
    assert page.index(">new<") < page.index(">middle<") and "older" not in page and ">old<" not in page


def test_exercises_add_up(page_of):
    page = re.sub(r"<[^>]+>", " ", page_of("book/errata"))
    assert re.search(r"together\s+2\b", page)


def test_plans_leave_no_week_empty_and_keep_the_order():
    for count in range(1, 35):
        weights = [1 + (7 * number) % 11 for number in range(count)]
        for weeks in range(1, count + 1):
            placed = divide_into_weeks(weights, weeks)
            assert placed == sorted(placed) and set(placed) == set(range(weeks)), (count, weeks)
    with pytest.raises(ValueError, match="2 chapters do not fill 3 weeks"):
        divide_into_weeks([1, 1], 3)


def test_a_plan_names_its_chapters_in_the_order_of_the_book(page_of):
    page = re.sub(r"<[^>]+>", " ", page_of("book/errata"))
    assert re.search(r"1\s+10\s+The first.*2\s+11\s+The second", page, re.S)
