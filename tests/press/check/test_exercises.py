"""Lint counts the exercises that lack hints, and those that tell more of their result than a number or a shape."""

import nbformat

from colu.press.check.exercises import LONGEST_RESULT, telling_results, without_hints
from colu.press.notebook import Notebook

HINTS = "\n\n```{hints}\nNudge.\n---\nPush.\n```\n"


def _notebook(*texts):
    cells = [nbformat.v4.new_markdown_cell(text) for text in texts]
    return Notebook("12-a", nbformat.v4.new_notebook(cells=cells))


def _exercise(label, expected="2"):
    return f"```{{exercise}} ★ E\n:label: {label}\n\nDo.\n\n*Expected:* {expected}\n```\n"


def test_hints_belong_to_the_exercise_before_them():
    assert without_hints([_notebook(_exercise("ex-a") + HINTS, _exercise("ex-b"), "text")]) == ["ex-b"]
    assert without_hints([_notebook("text")]) == []


def test_a_long_result_is_told():
    chapters = [_notebook(_exercise("ex-a", "x" * LONGEST_RESULT), _exercise("ex-b", "x" * (LONGEST_RESULT + 1)))]
    assert telling_results(chapters) == ["ex-b"]
