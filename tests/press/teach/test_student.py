"""Student's notebooks hold no solution and run; teacher's notebooks hold them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colu.press.notebook import Notebook
from colu.press.project import BookError, Project
from colu.press.teach.expected import number_at_most
from colu.press.teach.student import student_notebook, teacher_notebook, write_teaching_notebooks
from colu.testing import answer_ids, check_answer

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _sources(notebook: Notebook) -> str:
    return "\n".join(cell.text for cell in notebook.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_no_solution_is_left(path):
    notebook = Notebook.read(path)
    text = _sources(student_notebook(notebook))
    assert "{solution" not in text and "{exercise}" not in text
    starts = len(re.findall(r"\{solution-start\}", _sources(notebook)))
    assert text.count("### Exercise") == text.count("# Exercise " + path.stem[:2]) // 2 == starts > 0
    whole = _sources(teacher_notebook(notebook))
    assert whole.count("**Solution.**") == starts
    assert len(whole) > len(text)


def test_solution_code_is_gone_and_the_rest_stays():
    path = next(path for path in NOTEBOOKS if path.stem.startswith("11"))
    notebook = Notebook.read(path)
    text = _sources(student_notebook(notebook))
    assert "rest = y - x @" in _sources(notebook) and "rest = y - x @" not in text
    assert "In all three $|s| = 5$" not in text
    assert "# From ReLU to CoLU" in text and "claims.check" in text


def test_a_checked_cell_says_how_many_numbers_are_wanted():
    path = next(path for path in NOTEBOOKS if path.stem.startswith("27"))
    text = _sources(student_notebook(Notebook.read(path)))
    assert "# Exercise 27.1\nanswer = None  # put your answer here" in text
    assert "# Exercise 27.3\nanswer = None  # put your number here" in text
    path = next(path for path in NOTEBOOKS if path.stem.startswith("10"))
    assert "answer = None  # put your 5 numbers, as a list, here" in _sources(student_notebook(Notebook.read(path)))


def test_what_students_get_shows_its_pictures_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr("colu.press.teach.plain._Writer._glue", lambda self, content: "0")
    written = write_teaching_notebooks(Project(ROOT), tmp_path, copies=ROOT / "notebooks")
    assert len(written) == 2 * len(NOTEBOOKS)
    held = 0
    for path in written:
        for cell in Notebook.read(path).cells:
            text = cell.text if cell.kind == "markdown" else ""
            assert not re.search(r"!\[[^\]]*\]\(|<img", text), path
            names = re.findall(r"!\[[^\]]*\]\[([^]]*)\]", text)
            assert names == re.findall(r"^\[(drawing-\w+)\]: data:image/svg\+xml;base64,", text, re.MULTILINE), path
            held += len(names)
    assert held >= 2 * 20


def test_a_copy_of_another_version_is_named(tmp_path):
    path = NOTEBOOKS[0]
    notebook = Notebook.read(path)
    cells = [
        cell.node | ({"source": cell.text + "\nmore = 1"} if cell.kind == "code" else {}) for cell in notebook.cells
    ]
    (tmp_path / path.name).write_text(notebook.with_cells(cells).dumps())
    with pytest.raises(BookError, match=f"{path.name} is of another version of the chapter: run 'make book' first"):
        write_teaching_notebooks(Project(ROOT), tmp_path / "out", [path.stem], copies=tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.slow
def test_a_student_notebook_runs(tmp_path, monkeypatch):
    import papermill

    name = "12-symmetry"
    # The committed notebook serves as a copy, but for the numbers that a run hands to its text.
    monkeypatch.setattr("colu.press.teach.plain._Writer._glue", lambda self, content: "0")
    write_teaching_notebooks(Project(ROOT), tmp_path, [name], copies=ROOT / "notebooks")
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(tmp_path / "students" / f"{name}.ipynb"),
        str(out),
        parameters={"PRESET": "smoke"},
        kernel_name="python3",
        cwd=str(tmp_path),
        progress_bar=False,
    )
    assert "no answer yet" in out.read_text()


def test_every_kept_answer_belongs_to_an_exercise():
    labels = [exercise.label for path in NOTEBOOKS for exercise in Notebook.read(path).exercises]
    assert len(set(labels)) == len(labels)
    assert set(answer_ids()) - set(labels) == set()


def test_what_an_exercise_expects_is_the_answer_that_is_kept_for_it():
    wrong, tried = [], 0
    for exercise in (each for path in NOTEBOOKS for each in Notebook.read(path).exercises):
        numbers = re.findall(r"-?\d+(?:\.\d+)?", number_at_most(exercise.expected))
        if numbers and exercise.label in answer_ids():
            verdict, tried = check_answer(exercise.label, list(map(float, numbers))), tried + 1
            wrong += [] if verdict else [verdict.message]
    assert tried >= 5 and not wrong
