"""The teacher's page has a section a chapter, with minutes, answers, questions and the board."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

QUIZ = """
- id: thrice
  ask: And thrice?
  options: [{right: Six., why: So.}, {wrong: Two., why: No.}]
- id: twice
  ask: And twice?
  options: [{right: Four., why: So.}, {wrong: Two., why: No.}]
"""
LESSON = """
minutes: {"Why: $x$": 40, "The norm": 30}
break: The norm
misconceptions:
- says: Twice $x$ is $x$.
  answer: It is *not*.
  asks: twice
skip: The proof.
board: |
  1. A cone, and $y$.
  2. An axis.
"""
TOC = "format: jb-book\nroot: book/index\nparts:\n- caption: One\n  chapters:\n"


def prepared(book):
    conf = book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.teaching", '))
    lines = [f"  - file: notebooks/{name}\n" for name in ("10-a", "11-b")]
    (book.folder / "_toc.yml").write_text(
        TOC + "".join(lines) + "- caption: Pages\n  chapters:\n  - file: book/claims\n"
    )
    index = book.folder / "book/index.md"
    index.write_text(index.read_text().replace("claims\n```", "claims\nteachers\n```"))
    book.page("book/teachers.md", "# Teachers\n\nGuesses.\n\n```{teaching}\n```\n")
    book.page("book/quizzes/11-b.yml", QUIZ)
    book.page("book/teaching/b.yml", LESSON)
    return book


@pytest.fixture(scope="module")
def page(new_book):
    book = prepared(new_book("teaching"))
    result = book.build()
    assert result.returncode == 0, result.stderr
    return BeautifulSoup(book.html("book/teachers.html"), "html.parser")


def test_a_chapter_has_a_section_under_its_part_and_one_without_a_lesson_has_none(page):
    assert [heading.contents[0] for heading in page.select("article :is(h2, h3)")] == ["One", "11 Second"]
    assert page.select_one("section#teaching-b h3") and page.select('nav a[href="#teaching-b"]')


def test_it_has_minutes_by_lecture_and_the_board_in_its_order(page):
    texts = [" ".join(part.get_text().split()) for part in page.select("#teaching-b > p")]
    assert texts[0] == "Chapter 11, 70 minutes in 2 lectures, with the break before The norm."
    assert texts[1].startswith("First lecture, 40 minutes: 40 Why: ")
    assert texts[2] == "Second lecture, 30 minutes: 30 The norm"
    assert texts[3] == "When time is short. The proof."
    steps = page.select("#teaching-b > ol > li")
    assert len(steps) == 2 and steps[1].get_text().strip() == "An axis." and steps[0].select("span.math")
    assert page.select_one("#teaching-b > p a")["href"] == "../notebooks/11-b.html"


def test_what_a_student_says_is_answered_and_leads_to_the_question_that_reveals_it(page):
    (item,) = page.select("#teaching-b > ul > li")
    assert item.em.get_text().startswith("Twice") and "It is not. (question 2)" in item.get_text()
    link = item.select_one("a")
    assert (link["href"], link["title"]) == ("../notebooks/11-b.html#quiz-twice", "question 2 of chapter 11")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("asks: twice", "asks: once", "'once' is no question of chapter 11-b; known are thrice, twice"),
        ("skip: The proof.", "skip: 3", "teaching/b.yml: skip is 3"),
    ],
)
def test_a_faulty_lesson_breaks_the_build_and_is_named(small_book, before, after, said):
    prepared(small_book).page("book/teaching/b.yml", LESSON.replace(before, after))
    result = small_book.build()
    assert result.returncode != 0 and said in result.stderr
