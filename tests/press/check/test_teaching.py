"""Each rule for the lesson of a chapter, kept and broken; and the lessons that the book has."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import yaml

from colu.press.check.teaching import LECTURE, lint_teaching
from colu.press.notebook import Notebook
from colu.press.teaching import read_lesson, teaching_path
from colu.press.toc import toc_chapters

ROOT = Path(__file__).resolve().parents[3]
QUIZ = [
    {"id": "nearest", "ask": "Is it?", "options": [{"right": "Yes.", "why": "So."}, {"wrong": "No.", "why": "So."}]}
]


def chapter(name="12-a"):
    cell = nbformat.v4.new_markdown_cell("# A\n\n## Why\n\n## The norm\n\n## The end", id="m")
    return Notebook(name, nbformat.v4.new_notebook(cells=[cell]))


def good():
    said = {"says": "It is.", "answer": "It is not.", "asks": "nearest"}
    return {
        "minutes": {"Why": 40, "The end": 50},
        "misconceptions": [said],
        "skip": "The proof.",
        "board": "1. A cone.\n2. An axis.\n",
    }


def linted(tmp_path, lesson, name="a"):
    for folder in ("quizzes", "teaching"):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "quizzes/12-a.yml").write_text(yaml.safe_dump(QUIZ))
    (tmp_path / "teaching" / f"{name}.yml").write_text(yaml.safe_dump(lesson, sort_keys=False))
    return lint_teaching([chapter()], tmp_path)


def test_a_good_lesson_passes_and_so_does_one_in_two_lectures(tmp_path):
    assert linted(tmp_path, good()) == []
    two = good() | {"minutes": {"Why": 40, "The norm": 50, "The end": LECTURE}, "break": "The end"}
    assert linted(tmp_path, two) == []


def test_every_chapter_with_questions_has_a_lesson_and_no_other_needs_one(tmp_path):
    linted(tmp_path, good())
    assert lint_teaching([chapter(), chapter("13-b")], tmp_path) == []
    (tmp_path / "quizzes/13-b.yml").write_text(yaml.safe_dump(QUIZ))
    assert lint_teaching([chapter(), chapter("13-b")], tmp_path) == [
        "13-b has questions and no lesson: write one into book/teaching/b.yml"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda x: x.update(minutes={"The nor": 1}),
            "'The nor' is no heading of the notebook; did you mean 'The norm'",
        ),
        (lambda x: x.update(minutes={"The end": 1, "Why": 1}), "its headings are not in the order of the notebook"),
        (lambda x: x["minutes"].update(Why=41), "a lecture of 91 minutes, at most 90"),
        (
            lambda x: x.update(minutes={"Why": 1, "The norm": 50, "The end": 50}, **{"break": "The norm"}),
            "a lecture of 100 minutes",
        ),
        (
            lambda x: x["misconceptions"][0].update(asks="nearer"),
            "'nearer' is no question of quizzes/12-a.yml; did you",
        ),
        (lambda x: x.update(misconceptions=[]), "0 misconceptions, wanted 1 to 2"),
        (lambda x: x.update(board="1. A cone."), "1 steps on the board, wanted 2 to 4"),
        (lambda x: x.update(skip="The color."), "'color' is not British"),
        (lambda x: x["misconceptions"][0].update(answer="It is the the other."), "'the the' is doubled"),
        (lambda x: x.update(skip=3), "skip is 3"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(tmp_path, change, said):
    lesson = good()
    change(lesson)
    (problem,) = linted(tmp_path, lesson)
    assert problem.startswith("teaching/a.yml: ") and said in problem


def test_a_file_of_no_chapter_is_named(tmp_path):
    linted(tmp_path, good())
    (problem,) = linted(tmp_path, good(), name="12-a")
    assert problem == "teaching/12-a.yml belongs to no chapter: name it as the notebook without its number"


def test_faulty_questions_are_said_and_do_not_stop_the_rest(tmp_path):
    linted(tmp_path, good())
    (tmp_path / "quizzes/12-a.yml").write_text("{")
    assert ["is no YAML" in problem for problem in lint_teaching([chapter()], tmp_path)] == [True]


def test_every_chapter_of_the_book_has_a_lesson():
    chapters = toc_chapters(ROOT)
    assert [each.name for each in chapters if read_lesson(teaching_path(ROOT / "book", each.name)) is None] == []
    assert lint_teaching(chapters, ROOT / "book") == []
