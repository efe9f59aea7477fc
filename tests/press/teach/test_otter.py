"""Sources for otter-grader: the marks that it wants, solutions that it can take out, and tests without answers."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from colu.press.notebook import Notebook
from colu.press.project import Project
from colu.press.teach.otter import otter_notebook, parted_code
from colu.press.teach.student import write_teaching_notebooks
from colu.testing import answer_ids

from ...testing.test_answers import RIGHT

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: A question with its solution, and with tests where a program can decide.
FORM = re.compile(r"(BEGIN QUESTION m?BEGIN SOLUTION (m?c)+m?END SOLUTION (BEGIN TESTS cEND TESTS )?END QUESTION )+")
TESTED = {"ex-why-collapse", "ex-which-colu", "ex-gates-product", "ex-gates-own", "ex-low-tail"}


def _source(name: str, **options) -> Notebook:
    path = next(path for path in NOTEBOOKS if path.stem.startswith(name))
    return otter_notebook(Notebook.read(path), "https://example.org/colu", **options)


def _questions(notebook: Notebook) -> dict[str, tuple[dict, list]]:
    """What otter is told of each question, and its cells, by name."""
    found, cells = {}, None
    for cell in notebook.cells:
        if cell.kind == "raw" and cell.text.startswith("# BEGIN QUESTION\n"):
            config, cells = yaml.safe_load(cell.text), []
            found[config["name"]] = (config, cells)
        elif cell.kind == "raw" and cell.text == "# END QUESTION":
            cells = None
        elif cells is not None:
            cells.append(cell)
    return found


def _test(cells: list) -> str:
    """The code of a question's test; empty where it has none."""
    begins = [number for number, cell in enumerate(cells) if cell.text == "# BEGIN TESTS"]
    return cells[begins[0] + 1].text if begins else ""


def _for_students(notebook: Notebook) -> str:
    """What otter leaves: no text of solutions, none of their code, no tests."""
    kept, block = [], ""
    for cell in notebook.cells:
        if cell.kind == "raw":
            begun = re.match(r"# (BEGIN|END) (SOLUTION|TESTS)$", cell.text)
            block = (begun[2] if begun[1] == "BEGIN" else "") if begun else block
        elif not block or (block == "SOLUTION" and cell.kind == "code"):
            kept.append(re.sub(r"# BEGIN SOLUTION NO PROMPT\n.*# END SOLUTION", "", cell.text, flags=re.DOTALL))
    return "\n".join(kept)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_each_exercise_is_a_question_of_its_points(path):
    notebook = Notebook.read(path)
    source = otter_notebook(notebook, "https://example.org/colu")
    first = source.cells[0]
    assert first.kind == "raw" and first.text.startswith("# ASSIGNMENT CONFIG\n")
    assert yaml.safe_load(first.text)["name"] == path.stem
    marks = [
        cell.text.splitlines()[0].removeprefix("# ") + " " if cell.kind == "raw" else cell.kind[0]
        for cell in source.cells[1:]
    ]
    inside = "".join(marks).partition("BEGIN QUESTION")
    assert FORM.fullmatch("".join(inside[1:]).rstrip("mc"))
    questions = _questions(source)
    assert [(name, config["points"]) for name, (config, _) in questions.items()] == [
        (exercise.label, exercise.stars) for exercise in notebook.exercises
    ]
    for name, (config, cells) in questions.items():
        test = _test(cells)
        ast.parse(test)
        assert config.get("manual", False) == (not test)
        assert (name in answer_ids()) == (f'check_answer("{name}", answer_' in test)
    assert len({cell.id for cell in source.cells}) == len(source.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_students_get_no_solution(path):
    notebook, source = Notebook.read(path), otter_notebook(Notebook.read(path), "https://example.org/colu")
    whole, left = "\n".join(cell.text for cell in source.cells), _for_students(source)
    assert "{solution" not in whole and "{exercise}" not in whole and "SOLUTION" not in left
    for exercise in notebook.exercises:
        for cell in (notebook.cells[number] for number in exercise.solution):
            if cell.kind == "code":
                assert cell.text in whole and cell.text not in left
        assert exercise.expected in whole
        assert exercise.label not in answer_ids() or f"*Expected:* {exercise.expected}" not in left


def test_code_that_a_chapter_gives_is_tried_by_its_test():
    found = {}
    for name in ("01", "02", "06", "08"):
        found |= _questions(_source(name))
    assert TESTED <= {name for name, (_, cells) in found.items() if "assert" in _test(cells)}
    for name in TESTED:
        begin = next(cell.text for cell in found[name][1] if cell.kind == "code").partition("# BEGIN SOLUTION")[0]
        # It runs unfinished: an assertion would stop the notebook.
        assert "TODO" in begin and not any(isinstance(node, ast.Assert) for node in ast.parse(begin).body)
    test = _test(found["ex-gates-product"][1])
    assert test.startswith("def test_product(f):")
    assert test.endswith('verdict = test_product(product)\nassert verdict == "right", verdict')


def test_code_is_parted_behind_its_last_function():
    given = "def one(x):\n    ...\n\ndef two(x):\n    return x\n\ny = two(1)\nassert y == 1\n"
    assert parted_code(given) == ("def one(x):\n    ...\n\ndef two(x):\n    return x", "y = two(1)\nassert y == 1")
    assert parted_code("x = 1\n") == ("x = 1", "")
    assert parted_code("") == ("", "")


def test_a_missing_answer_is_none_and_says_what_is_wanted():
    cells = _questions(_source("12"))["ex-symmetry-norm"][1]
    code = next(cell.text for cell in cells if cell.kind == "code")
    assert code.startswith("# Exercise 12.3\nanswer_3 = None  # put your 2 numbers, as a list, here\n")


def test_hidden_tests_are_marked_and_leave_no_call_of_them():
    for hidden in (False, True):
        config, cells = _questions(_source("12", hidden=hidden))["ex-symmetry-norm"]
        assert _test(cells).startswith("# HIDDEN\n") == hidden
        assert config.get("check_cell", True) != hidden


def test_marks_are_left_by_the_plain_form(tmp_path, monkeypatch):
    monkeypatch.setattr("colu.press.teach.plain._Writer._glue", lambda self, content: "0")
    (path,) = write_teaching_notebooks(
        Project(ROOT), tmp_path, ["12-symmetry"], copies=ROOT / "notebooks", form="otter"
    )
    assert path == tmp_path / "otter" / "12-symmetry.ipynb"
    nbformat.validate(nbformat.read(path, as_version=4))
    source = Notebook.read(path)
    assert source.cells[0].text.startswith("# ASSIGNMENT CONFIG") and len(_questions(source)) == 4
    assert not any(cell.metadata.get("jupyter") for _, cells in _questions(source).values() for cell in cells)


def _otter() -> list[str]:
    """How otter is called; empty where it is not installed."""
    if importlib.util.find_spec("otter"):
        return [sys.executable, "-m", "otter"]
    return [found] if (found := shutil.which("otter")) else []


def _scores(autograder: Path, notebook: Path, folder: Path) -> dict[str, float]:
    """What otter gives for each question; an error of any cell fails."""
    words = [*_otter(), "run", "--no-logo", "--debug", "-a", str(autograder), "-o", str(folder), str(notebook)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {test["name"]: test.get("score") for test in json.loads((folder / "results.json").read_text())["tests"]}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(not _otter(), reason="otter is not on PATH: otter-grader 7, in an environment that has colu too")
@pytest.mark.parametrize("name", ["10-cones-and-projections", "12-symmetry"])
def test_otter_gives_points_for_right_answers_alone(name, tmp_path, monkeypatch):
    monkeypatch.setattr("colu.press.teach.plain._Writer._glue", lambda self, content: "0")
    (path,) = write_teaching_notebooks(Project(ROOT), tmp_path, [name], copies=ROOT / "notebooks", form="otter")
    subprocess.run([*_otter(), "assign", str(path), str(tmp_path / "made")], check=True, capture_output=True)
    (autograder,) = (tmp_path / "made" / "autograder").glob("*.zip")
    untouched = tmp_path / "made" / "student" / path.name
    questions = {key: config for key, (config, _) in _questions(Notebook.read(path)).items()}
    scores = _scores(autograder, untouched, tmp_path)
    assert {key for key, config in questions.items() if not config.get("manual")} == set(scores) - {"Public Tests"}
    assert not any(scores.values())

    node = nbformat.read(untouched, as_version=4)
    for cell, check in zip(node.cells, node.cells[1:], strict=False):
        label = re.fullmatch(r'grader\.check\("(.*)"\)', check.source)
        if label and label[1] in RIGHT:
            cell.source = re.sub(r"^(answer_\d+) = None", rf"\1 = {RIGHT[label[1]]}", cell.source, flags=re.MULTILINE)
    # Under its own name, which otter looks for.
    filled = tmp_path / "filled" / path.name
    filled.parent.mkdir()
    nbformat.write(node, filled)
    right = {key: config["points"] for key, config in questions.items() if key in RIGHT}
    scores = _scores(autograder, filled, filled.parent)
    assert right and right == {key: scores[key] for key in right}
    assert sum(filter(None, scores.values())) == sum(right.values())
