"""A notebook says what its cells hold."""

import json

import nbformat
import pytest

from colu.press.notebook import SLIDER, Cell, Notebook
from colu.press.project import BookError

FIRST = """# The first

**Question.** Does it $x$?

```{drawing} cone
:alt: A cone.

A cone.
```

**You will be able to**

- see {doc}`11-b`;
- count
  to two.

**Before you start.** Nothing.

**Cost.** None.

```{admonition} Erratum
:class: warning

Equation 5 is wrong.
```

```{exercise} ★★ Count
:label: ex-count

Count to two.

*Expected:* 2.
```

````{solution-start} ex-count
:class: dropdown
````
"""
END = """Two.

````{solution-end}
````

:::{claim} half
A half
is half.
:::

```{prf:theorem} Halves
:label: thm-halves
Two of them are one.
```

```{prf:proof}
By adding.
```"""
CHECK = 'claims.check("half", h, preset=PRESET)\nglue("h", h)'


@pytest.fixture
def notebook():
    new = nbformat.v4
    record = {"id": "half", "measured": 0.5}
    output = new.new_output("display_data", data={"text/plain": "0.5"}, metadata={"colu_claim": record})
    plot = {"mystnb": {"figure": {"caption": "A line.", "name": "fig-a"}, "image": {"alt": " a line "}}}
    cells = [
        new.new_markdown_cell(FIRST, id="title"),
        new.new_code_cell("1 + 1", id="sum", metadata=plot),
        new.new_markdown_cell(END, id="end"),
        new.new_code_cell(CHECK, id="check", metadata={"tags": ["claim"]}, outputs=[output]),
    ]
    return Notebook("10-a", new.new_notebook(cells=cells))


def test_the_opening_says_what_the_chapter_is(notebook):
    assert (notebook.title, notebook.question, notebook.number) == ("The first", "Does it $x$?", "10")
    assert notebook.objectives == ("see {doc}`11-b`;", "count to two.")
    assert (notebook.prerequisites, notebook.cost[:5]) == ("Nothing.", "None.")


def test_an_exercise_knows_its_result_and_the_cells_of_its_solution(notebook):
    (exercise,) = notebook.exercises
    assert (exercise.label, exercise.stars, exercise.title, exercise.expected) == ("ex-count", 2, "Count", "2.")
    assert exercise.text.startswith("Count to two.") and exercise.solution == (0, 1, 2)


def test_boxes_and_checks_of_claims_are_found_with_what_was_measured(notebook):
    (claim,) = notebook.claims
    assert (claim.id, claim.cell, notebook.statement("half")) == ("half", 2, "A half is half.")
    assert notebook.statement("third") == ""
    assert [cell.checks for cell in notebook.cells] == [[], [], [], ["half"]]
    assert notebook.measured == {"half": {"id": "half", "measured": 0.5}}


def test_theorems_and_errata_are_boxes_of_their_own(notebook):
    assert [(box.title, box.options["label"]) for box in notebook.theorems] == [("Halves", "thm-halves")]
    assert [(box.title, box.text) for box in notebook.errata] == [("Erratum", "Equation 5 is wrong.")]


def test_a_cell_has_tags_outputs_and_the_description_of_its_figure(notebook):
    _, plot, _, check = notebook.cells
    assert check.tags == ("claim",) and check.executed and not plot.executed
    assert (plot.figure.caption, plot.figure.name, plot.figure.alt) == ("A line.", "fig-a", "a line")
    assert (check.figure.caption, check.figure.alt) == ("", "")
    plot.node["execution_count"] = 3
    assert plot.executed


def test_what_is_written_is_read_again(notebook, tmp_path):
    path = tmp_path / "10-a.ipynb"
    path.write_text(notebook.dumps())
    assert isinstance(json.loads(path.read_text())["cells"][0]["source"], list), "lines, for git to compare"
    again = Notebook.read(path)
    assert again.name == "10-a" and [cell.node for cell in again.cells] == [cell.node for cell in notebook.cells]


def test_other_cells_leave_the_notebook_as_it_was(notebook):
    before = notebook.dumps()
    other = notebook.with_cells([notebook.cells[0].node])
    other.cells[0].node["source"] = "# Other"
    assert other.title == "Other" and notebook.dumps() == before


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '"a"', '{"nbformat": 3, "worksheets": []}', '{"nbformat": 4, "cells": [{}], "metadata": {}}']
    + ['{"nbformat": 4, "cells": [], "metadata": 3}', '{"nbformat": 4, "cells": {}}'],
)
def test_what_is_no_notebook_is_named(text, tmp_path):
    (tmp_path / "10-a.ipynb").write_text(text)
    with pytest.raises(BookError, match=r"10-a.ipynb is not a notebook of format 4"):
        Notebook.read(tmp_path / "10-a.ipynb")


def _run(*outputs, **metadata):
    new, extra = nbformat.v4, {"papermill": {"duration": 1}, "execution": {}, "tags": ["a"]}
    cell = new.new_code_cell("1", id="a", execution_count=2, metadata=extra | metadata, outputs=list(outputs))
    injected = new.new_code_cell("PRESET = 1", metadata={"tags": ["injected-parameters"]})
    told = {"papermill": {"end_time": "now"}, "language_info": {"name": "python"}}
    return Notebook("10-a", new.new_notebook(cells=[injected, cell], metadata=told))


def _stream(name, text):
    return nbformat.v4.new_output("stream", name=name, text=text)


def test_where_a_stream_was_cut_and_when_a_cell_ran_leave_no_trace():
    whole = _run(_stream("stdout", "ab"), _stream("stderr", "c"), _stream("stdout", "d"))
    cut = _run(_stream("stdout", "a"), _stream("stdout", "b"), _stream("stderr", "c"), _stream("stdout", "d"))
    assert whole.settled().dumps() == cut.settled().dumps() != cut.dumps()
    settled = cut.settled()
    assert settled.node.metadata == {"language_info": {"name": "python"}}
    assert [cell.id for cell in settled.cells] == ["injected-parameters", "a"]
    assert settled.cells[1].metadata == {"tags": ["a"]} and settled.cells[1].node.execution_count == 2
    shown = [nbformat.v4.new_output("display_data", data={"text/plain": str(k)}) for k in range(2)]
    assert _run(*shown).settled().cells[1].outputs == shown


def test_a_stripped_notebook_keeps_its_cells_alone():
    stripped = _run(_stream("stdout", "a")).stripped()
    assert not any(cell.executed for cell in stripped.cells)
    assert stripped.cells[1].metadata == {"tags": ["a"]} and stripped.cells[1].text == "1"


@pytest.mark.parametrize(
    ("source", "metadata", "announced"),
    [
        ("1", {}, ""),
        ("1", {"mystnb": {"figure": {"name": "fig-a"}, "image": {"alt": "a"}}}, "fig-a"),
        ("1", {"mystnb": {"image": {"alt": " a line "}}}, "a line"),
        ("1", {"mystnb": {"figure": {"caption": "C."}}}, "C."),
        ("slider_figure(draw, controls, alt='a')", {}, "slider_figure(...)"),
    ],
)
def test_a_cell_says_which_figure_it_announces(source, metadata, announced):
    assert Cell(nbformat.v4.new_code_cell(source, metadata=metadata), 0).announced == announced


@pytest.mark.parametrize(
    ("mime", "data", "pictured"),
    [("image/png", "x", True), ("image/svg+xml", "x", True), ("text/html", SLIDER, True), ("text/html", "x", False)],
)
def test_a_picture_is_an_image_or_a_figure_with_sliders(mime, data, pictured):
    output = nbformat.v4.new_output("display_data", data={mime: data, "text/plain": "y"})
    assert Cell(nbformat.v4.new_code_cell("1", outputs=[output]), 0).pictured is pictured
