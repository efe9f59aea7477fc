"""What is left to do for exercises: hints under each, and of its result no more than a number or a shape."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from colu.press.notebook import Notebook

__all__ = ["LONGEST_RESULT", "telling_results", "without_hints"]

#: Characters in which a number or a shape can be said.
LONGEST_RESULT = 85


def without_hints(notebooks: Iterable[Notebook]) -> list[str]:
    r"""The labels of exercises that no hints follow.

    Examples
    --------
    >>> import nbformat
    >>> cell = nbformat.v4.new_markdown_cell("```{exercise} ★ Count\n:label: ex-count\n\nTo two.\n```")
    >>> without_hints([Notebook("12-a", nbformat.v4.new_notebook(cells=[cell]))])
    ['ex-count']
    """
    found = []
    for notebook in notebooks:
        blocks = [block for cell in notebook.cells for block in cell.blocks]
        for block, after in pairwise([*blocks, None]):
            if block.kind == "exercise" and (after is None or after.kind != "hints"):
                found.append(block.options.get("label", block.title))
    return found


def telling_results(notebooks: Iterable[Notebook]) -> list[str]:
    """The labels of exercises whose expected result is longer than a number or a shape is.

    Its reasons belong into the solution: who reads them before has nothing left to find.
    """
    return [
        exercise.label
        for notebook in notebooks
        for exercise in notebook.exercises
        if len(exercise.expected) > LONGEST_RESULT
    ]
