"""Code that a student reads is commented, narrow, has no comprehension inside another and writes no table by hand."""

import nbformat
import pytest

from colu.press.check.code import WIDTH, lint_code
from colu.press.notebook import Notebook


def _notebook(*sources, tags=()):
    new = nbformat.v4
    cells = [new.new_code_cell(text, id=f"c{k}", metadata={"tags": list(tags)}) for k, text in enumerate(sources)]
    return Notebook("12-a", new.new_notebook(cells=cells))


def test_a_wide_line_is_named_in_folded_cells_too():
    wide = "x = " + "1 + " * 30 + "1"
    for tags in ((), ("hide-input",)):
        assert lint_code(_notebook("x = 1\n" + wide, tags=tags)) == [
            f"cell 'c0', line 2: {len(wide)} characters, at most {WIDTH}"
        ]


@pytest.mark.parametrize("text", ["[sum(i for i in a) for a in b]", "{k: [i for i in v] for k, v in d.items()}"])
def test_a_comprehension_inside_another_is_named_where_code_is_open(text):
    assert len(lint_code(_notebook(text))) == 1
    assert lint_code(_notebook(text, tags=("claim",))) == []


def test_two_loops_of_one_comprehension_and_magics_pass():
    assert lint_code(_notebook("[i for a in b for i in a]", "%pip install colu")) == []


@pytest.mark.parametrize(
    "text",
    [
        'rows = ["| a | b |", "|---|---|"]',
        'rule = "|---" * (n + 1) + "|"',
        'rows = ["| a |", "| --- |"]',
        'rows = ["| a |", "|:--|"]',
        'rows = ["| a |", "| -: |"]',
        'table = f"""| {name} |\n|:-:|\n| 1 |"""',
    ],
)
def test_a_table_by_hand_is_named_in_folded_cells_too(text):
    for tags in ((), ("hide-input",)):
        (said,) = lint_code(_notebook("x = 1\n" + text, tags=tags))
        assert said == "cell 'c0', line 2: a table by hand: give its rows to colu.lab.results.show"


def test_pipes_that_make_no_table_pass():
    assert lint_code(_notebook('row = row | {"-": 1}', 'plot("|", "--")', 'say = "|x| - 1, |-1|"', "# |---|")) == []


def test_one_line_in_five_says_why():
    bare = "\n".join(f"x{k} = {k}" for k in range(24))
    assert "0% of 24 open lines" in lint_code(_notebook(bare))[0]
    assert lint_code(_notebook(bare, *["# Why."] * 6)) == []
    assert lint_code(_notebook(bare, tags=("hide-input",))) == [] == lint_code(_notebook("x = 1"))
