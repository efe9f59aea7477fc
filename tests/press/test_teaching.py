"""A lesson is read from its file, which the number of its chapter does not name, or refused with the fault."""

from __future__ import annotations

import nbformat
import pytest

from colu.press.notebook import Notebook
from colu.press.project import BookError
from colu.press.teaching import Lesson, Misconception, headings, read_lesson, teaching_path

GOOD = """
minutes: {"Why: a cone": 40, "The norm": 30}
break: The norm
misconceptions:
- says: It is the
    nearest point.
  answer: It is another one.
  asks: nearest
skip: The proof.
board: |
  1. A cone,
     and a point.
  2. The axis.
"""


def test_a_lesson_has_minutes_misconceptions_and_a_board(tmp_path):
    path = teaching_path(tmp_path, "12-a-cone")
    assert path == teaching_path(tmp_path, "09-a-cone") == tmp_path / "teaching" / "a-cone.yml"
    assert read_lesson(path) is None
    path.parent.mkdir()
    path.write_text(GOOD)
    said = Misconception("It is the nearest point.", "It is another one.", "nearest")
    minutes, board = {"Why: a cone": 40, "The norm": 30}, ("A cone, and a point.", "The axis.")
    assert read_lesson(path) == Lesson(minutes, (said,), "The proof.", board, "The norm")
    assert read_lesson(path).lectures == ({"Why: a cone": 40}, {"The norm": 30})
    path.write_text(GOOD.replace("break: The norm\n", ""))
    assert read_lesson(path).lectures == (minutes,)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (GOOD, "minutes: {", "is no YAML"),
        (GOOD, "- minutes", "and nothing else"),
        ("skip: The proof.", "", "it has board, minutes, misconceptions, skip"),
        ("skip:", "draw: A.\nskip:", "and nothing else"),
        ("skip: The proof.", "skip: 3", "skip is 3, wanted a text"),
        ('{"Why: a cone": 40, "The norm": 30}', "[40, 30]", "minutes maps headings"),
        ("30", "half", "'The norm': 'half'"),
        ("30", "0", "'The norm': 0"),
        ("30", "true", "'The norm': True"),
        ("break: The norm", "break: The end", "break is 'The end'"),
        ("break: The norm", "break: 'Why: a cone'", "is not the first"),
        ("  asks: nearest\n", "", "a misconception has says, answer and asks"),
        ("asks: nearest", "asks:", "asks is None"),
        ("1. A cone", "A cone", "begins with '1. '"),
        ("2. The axis.", "2. ", "a step of the board is"),
    ],
)
def test_a_faulty_file_is_refused_with_the_fault(tmp_path, before, after, said):
    path = tmp_path / "a-cone.yml"
    assert before in GOOD
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(BookError, match="teaching/a-cone.yml") as caught:
        read_lesson(path)
    assert said in str(caught.value)


def test_headings_are_those_of_sections_in_their_order():
    texts = ("# A\n\n## Why: a cone ", "### Not this\n\n## The norm\n\nSo ## what")
    cells = [nbformat.v4.new_markdown_cell(text, id=f"c{number}") for number, text in enumerate(texts)]
    cells.append(nbformat.v4.new_code_cell("## not this", id="code"))
    assert headings(Notebook("12-a", nbformat.v4.new_notebook(cells=cells))) == ("Why: a cone", "The norm")
