"""Each rule for the questions of a chapter, kept and broken."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import nbformat
import pytest
import yaml

from colu.press.check.quizzes import lint_quizzes, without_questions
from colu.press.notebook import Notebook
from colu.press.quiz import read_quiz

ROOT = Path(__file__).resolve().parents[3]

EXERCISE = "```{exercise} ★ E\n:label: ex-e\n\nDo.\n```"


def chapter(name="12-a", text=EXERCISE):
    return Notebook(name, nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="m")]))


def good():
    """Five questions whose answers are A, B, C, A and B."""
    found = []
    for number in range(5):
        options = [{"wrong": f"Not {letter}, and longer.", "why": "It is not."} for letter in "abc"]
        options[number % 3] = {"right": "Yes.", "why": "It is."}
        found.append({"id": f"q{number}", "ask": "Is it?", "options": options})
    return found


def linted(tmp_path, questions, name="12-a", chapters=("12-a",)):
    (tmp_path / "quizzes").mkdir(exist_ok=True)
    (tmp_path / "quizzes" / f"{name}.yml").write_text(yaml.safe_dump(questions))
    return lint_quizzes([chapter(each) for each in chapters], tmp_path)


def test_good_questions_pass(tmp_path):
    assert linted(tmp_path, good()) == []


def test_every_chapter_with_exercises_has_questions_and_no_other_needs_them(tmp_path):
    linted(tmp_path, good())
    chapters = [chapter("03-b"), chapter("12-a"), chapter("14-c", "No exercise.")]
    assert without_questions(chapters, tmp_path) == ["03-b"]
    assert lint_quizzes(chapters, tmp_path) == [
        "03-b has exercises and no questions: write five into book/quizzes/03-b.yml"
    ]


def swap(question, first, second):
    options = question["options"]
    options[first], options[second] = options[second], options[first]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda q: q.pop(), "4 questions, wanted 5"),
        (lambda q: swap(q[2], 0, 2), "3 of the answers are A, at most 2"),
        (
            lambda q: [q[n]["options"][n % 3].update(right="Y" * 99) for n in range(3)],
            "the right option is the longest in 3 questions, at most 2",
        ),
        (lambda q: q[3].update(ask="Is the color it?"), "'q3': 'color' is not British"),
        (lambda q: q[3]["options"][1].update(why="It is the the one."), "'the the' is doubled"),
        (lambda q: q[3]["options"][1].update(why=""), "'q3': has an empty text"),
        (lambda q: q[3]["options"][1].update(why="So.\n\nAnd so."), "has a text of two paragraphs"),
        (lambda q: q[0]["options"].pop(), "has 2 options, wanted 3 or four"),
        (lambda q: q[3]["options"][1].update(wrong="Not c, and longer."), "has the same option twice"),
        (lambda q: q[3].update(ask="It is."), "asks nothing"),
        (lambda q: q[3].update(id="q0"), "the id 'q0' is that of a question in quizzes/12-a.yml"),
        (lambda q: q[3].update(id="Q 0"), "question 4: its id is 'Q 0'"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(tmp_path, change, said):
    questions = good()
    change(questions)
    (problem,) = linted(tmp_path, questions)
    assert "12-a.yml" in problem and said in problem


def test_a_file_of_no_chapter_is_named(tmp_path):
    linted(tmp_path, good())
    assert linted(tmp_path, good()[:1], name="12-b") == [
        "quizzes/12-b.yml belongs to no chapter: name it as the notebook, NN-topic.yml"
    ]


def test_an_id_of_another_chapter_is_named(tmp_path):
    linted(tmp_path, good())
    problems = linted(tmp_path, good(), name="13-b", chapters=("12-a", "13-b"))
    assert len(problems) == 5 and all("is that of a question in quizzes/12-a.yml" in each for each in problems)


def test_over_the_book_no_letter_is_the_better_guess():
    questions = [each for path in sorted((ROOT / "book/quizzes").glob("*.yml")) for each in read_quiz(path)]
    for count, most in ((3, 0.4), (4, 0.32)):
        letters = Counter(each.letter for each in questions if len(each.options) == count)
        assert len(letters) == count and max(letters.values()) <= most * letters.total(), letters
