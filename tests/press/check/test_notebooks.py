"""Each rule for committed notebooks, kept and broken."""

import json

import pytest

from colu.press.check.notebooks import lint

FIGURE = {"mystnb": {"figure": {"caption": "A line.", "name": "fig-line"}, "image": {"alt": "A line"}}}
OPENED = "```{opening} fig-line\nIt falls.\n```\n"


EXERCISE, HINTS = "\n\n```{exercise} ★ E\nDo.\n```\n", "\n\n```{hints}\nNudge.\n---\nPush.\n```\n"


def _good():
    code = {"cell_type": "code", "outputs": [], "execution_count": None}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}},
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": OPENED + "a word " * 100},
            code | {"id": "parameters", "metadata": {"tags": ["parameters"]}, "source": 'PRESET = "smoke"'},
            code | {"id": "plot", "metadata": FIGURE, "source": "plt.plot(x)\nplt.show()"},
        ],
    }


def _linted(toy, notebook, toc="notebooks/01-one"):
    (toy.ledger / "01-one.yml").unlink()
    (toy.root / "_toc.yml").write_text(f"format: jb-book\nroot: book/index\nchapters:\n- file: {toc}\n")
    (toy.notebooks / "01-one.ipynb").write_text(json.dumps(notebook))
    return lint(toy)


def test_good_notebook_passes(toy):
    assert _linted(toy, _good()) == []


def test_an_exercise_may_have_hints(toy):
    notebook = _good()
    notebook["cells"][0]["source"] += EXERCISE + HINTS
    questions = "01-one has exercises and no questions: write five into book/quizzes/01-one.yml"
    assert _linted(toy, notebook) == [questions]


def test_spelling_of_prose_is_checked_and_code_is_not(toy):
    notebook = _good()
    notebook["cells"][0]["source"] += "\nThe the `color` of of $color$ is a gray color.\n```python\ncolor = gray\n```\n"
    (toy.pages / "page.md").write_text("# Normalize\n")
    problems = _linted(toy, notebook)
    assert [problem.rpartition(": ")[2] for problem in problems] == [
        "'gray' is not British",
        "'color' is not British",
        "'The the' is doubled",
        "'of of' is doubled",
        "'Normalize' is not British",
    ]


def _change(path, value):
    def change(notebook):
        place = notebook
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_change(("cells", 2, "outputs"), [{}]), "in 1 cells from 'plot' on: 'colu book strip 01-one'"),
        (_change(("cells", 2, "execution_count"), 3), "holds outputs"),
        (_change(("cells", 1, "metadata"), {}), "tagged 'parameters'"),
        (_change(("cells", 1, "source"), "SEED = 0"), "sets PRESET"),
        (_change(("cells", 2, "source"), "x\n" * 31), "31 lines"),
        (_change(("cells", 2, "metadata"), {"mystnb": {"figure": FIGURE["mystnb"]["figure"]}}), "image.alt"),
        (_change(("cells", 2, "metadata"), {"mystnb": {"image": {"alt": "A"}}}), "caption"),
        (_change(("cells", 2, "source"), "slider_figure(draw, controls)"), "without alt="),
        (_change(("cells", 2, "source"), "ax.plot(x, color='C1')"), "draws in 'C1'"),
        (_change(("cells", 2, "source"), 'ax.plot(x, markerfacecolor="#0072b2")'), "draws in '#0072b2'"),
        (_change(("cells", 0, "source"), OPENED + "a word " * 100 + HINTS), "follow no exercise"),
        (_change(("cells", 0, "source"), OPENED + "a word " * 100 + EXERCISE + HINTS.replace("Push.", "")), "nudge"),
        (_change(("metadata",), {}), "kernelspec"),
        (_change(("cells", 2, "id"), "title"), "id of its own"),
        (_change(("cells", 0, "source"), "few words"), "at least 4 a line"),
        (_change(("cells", 0, "source"), "a word " * 100), "no figure opens it"),
        (_change(("cells", 0, "source"), OPENED.replace("line", "circle") + "a word " * 100), "none of its figures"),
    ],
)
def test_broken_rule_is_named(change, said, toy):
    notebook = _good()
    change(notebook)
    assert any(said in problem for problem in _linted(toy, notebook))


def test_notebook_outside_the_contents_is_no_chapter(toy):
    (toy.notebooks / "Untitled.ipynb").write_text("no notebook")
    assert _linted(toy, _good()) == []
