"""A sheet has the exercises, and the solutions stand on a page of their own."""

from __future__ import annotations

import re

from colu.press.teach.sheets import sheet_html, solutions_html
from colu.press.teach.slide_parts import cleaned


def test_the_sheet_has_exercises_and_points_and_neither_answer_nor_solution(page):
    sheet = sheet_html(cleaned(page, "12-a"), "12-a")
    assert "Exercises 12: Cones" in sheet and "Exercise 12.1 (★★ Draw)" in sheet
    assert sheet.count("2 points") == 2 and 'class="expected"' not in sheet
    hidden = ("a drawing", "The solution.", "draw()", "secret", "A cone is a cone.", "nudge")
    assert not any(word in sheet for word in hidden)


def test_a_number_to_check_oneself_by_stands_on_the_sheet_and_its_reason_does_not(page):
    sheet = sheet_html(cleaned(page.replace("a drawing.", "0.5 and &lt; 3; by Moreau."), "12-a"), "12-a")
    assert "<em>Expected:</em> 0.5 and &lt; 3</p>" in sheet and "Moreau" not in sheet


def test_an_exercise_is_printed_with_its_room_on_one_page(page):
    sheet = sheet_html(cleaned(page, "12-a"), "12-a")
    item = sheet[sheet.index('<div class="item"') :]
    assert item.index('style="--points: 2"') < item.index("Draw.") < item.index('class="room"')
    assert re.search(r"\.item, [^{]*\{ break-inside: avoid;", sheet)


def test_the_solutions_stand_under_their_own_exercises_with_their_code(page):
    second = '<div class="exercise admonition" id="ex-b"><p class="admonition-title">Exercise 12.2 (★ Think)</p></div>'
    top = cleaned(page.replace('<div class="solution', f'{second}<div class="solution'), "12-a")
    page = solutions_html(top, "12-a")
    first, second = page.index("Exercise 12.1"), page.index("Exercise 12.2")
    # The box stands after the second exercise on the page, and names the first.
    assert first < page.index("draw()") < page.index("The solution.") < second
    assert "dot.png" in page and "dark.png" not in page, "paper is light"
    assert "The code of this figure" not in page and "a drawing." in page
    assert "Solutions 12: Cones" in page and "secret_code" not in page and "Solution to" not in page


def test_hints_stand_open_between_their_exercise_and_its_solution(page):
    second = '<div class="exercise admonition" id="ex-b"><p class="admonition-title">Exercise 12.2 (★ Think)</p></div>'
    top = cleaned(page.replace('<div class="solution', f'{second}<div class="solution'), "12-a")
    page = solutions_html(top, "12-a")
    first, push = (page.index(f"<em>Hint {n} of 2:</em> <p>A {word}.</p>") for n, word in ((1, "nudge"), (2, "push")))
    assert page.index("Exercise 12.1") < first < push < page.index("The solution.") and page.count("A push.") == 1


def test_neither_changes_the_chapter_for_the_deck(page):
    top = cleaned(page, "12-a")
    before = str(top)
    solutions_html(top, "12-a"), sheet_html(top, "12-a")
    assert str(top) == before
