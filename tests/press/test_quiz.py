"""Questions are read from their file, or refused with the question and the fault; and where they stand."""

from __future__ import annotations

import nbformat
import pytest

from colu.press.notebook import Notebook
from colu.press.project import BookError
from colu.press.quiz import Option, Question, quiz_path, read_quiz, with_questions

GOOD = """
- id: twice
  ask: What is twice two?
  options:
    - wrong: Three.
      why: That adds one.
    - right: Four.
      why: Two and two.
"""


def test_a_question_has_options_of_which_one_is_right(tmp_path):
    path = quiz_path(tmp_path, "12-a")
    assert path == tmp_path / "quizzes" / "12-a.yml" and read_quiz(path) == ()
    path.parent.mkdir()
    path.write_text(GOOD)
    (question,) = read_quiz(path)
    options = (Option("Three.", False, "That adds one."), Option("Four.", True, "Two and two."))
    assert question == Question("twice", "What is twice two?", options)
    assert (question.answer, question.letter) == (1, "B")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (GOOD, "- {", "12-a.yml of the quizzes is no YAML"),
        (GOOD, "id: twice", "12-a.yml of the quizzes is no list of questions"),
        (GOOD, "- twice", "question 1: a question has id, ask and options"),
        ("ask: What", "asks: What", "question 1: a question has id, ask and options"),
        ("id: twice", "id: 2 and 2", "wanted small letters"),
        ("What is twice two?", "[2, 2]", "ask is a text"),
        ("right:", "wrong:", "0 of its options are right, wanted one"),
        ("wrong:", "right:", "2 of its options are right, wanted one"),
        ("    - right: Four.\n      why: Two and two.\n", "    - right: Four.\n", "an option is 'right: TEXT'"),
        ("right: Four.", "right: 4", "an option is 'right: TEXT'"),
        ("wrong: Three.", "wrong: So: three.", "is no YAML"),
        ("    - wrong", "    - wrong: A.\n      why: B.\n" * 3 + "    - wrong", "5 options, at most 4"),
    ],
)
def test_a_faulty_file_is_refused_with_the_question_and_the_fault(tmp_path, before, after, said):
    path = tmp_path / "12-a.yml"
    assert before in GOOD
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(BookError, match="12-a.yml of the quizzes") as caught:
        read_quiz(path)
    assert said in str(caught.value)


def made(*texts):
    cells = [nbformat.v4.new_markdown_cell(text, id=f"c{number}") for number, text in enumerate(texts)]
    cells.append(nbformat.v4.new_code_cell("1\n## Summary", id="code"))
    notebook = with_questions(Notebook("12-a", nbformat.v4.new_notebook(cells=cells)), "Why?")
    return [(cell.id, cell.text) for cell in notebook.cells[:-1]]


@pytest.mark.parametrize("heading", ["Summary", "Exercises", "References"])
def test_questions_stand_before_the_summary_or_else_what_follows_it(heading):
    assert made("# A", f"## {heading}\n\nB") == [("c0", "# A"), ("quiz", "Why?"), ("c1", f"## {heading}\n\nB")]
    text = f"When.\n\n## {heading}\n\nB\n\n## References"
    split = [("c0", "When."), ("quiz", "Why?"), ("c0-end", f"## {heading}\n\nB\n\n## References")]
    assert made(text) == split


def test_the_summary_counts_wherever_it_stands_and_a_word_like_it_does_not():
    texts = ("## References", "### Summary", "## Summary of all", "## Summary")
    assert [name for name, _ in made(*texts)] == ["c0", "c1", "c2", "quiz", "c3"]


def test_without_any_of_them_the_questions_end_the_chapter():
    cell = nbformat.v4.new_markdown_cell("# A", id="c")
    notebook = with_questions(Notebook("12-a", nbformat.v4.new_notebook(cells=[cell])), "Why?")
    assert [each.id for each in notebook.cells] == ["c", "quiz"]
