"""Student notebooks hold no solution, run, and their answers are checked without being told."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from colu.press.build.project import Project
from colu.press.teach.student import exercise_sheet, student_notebook, write_student_files
from colu.testing import answer_ids, check_answer, seal_answer
from colu.testing import answers as answers_module

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _sources(notebook: dict) -> str:
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_no_solution_is_left(path):
    notebook = json.loads(path.read_text())
    text = _sources(student_notebook(notebook, path.stem[:2]))
    assert "{solution" not in text and "{exercise}" not in text
    starts = len(re.findall(r"\{solution-start\}", _sources(notebook)))
    assert text.count("### Exercise") == text.count("# Exercise " + path.stem[:2]) // 2 == starts > 0
    whole = _sources(student_notebook(notebook, path.stem[:2], solutions=True))
    assert whole.count("**Solution.**") == starts
    assert len(whole) > len(text)


def test_solution_code_is_gone_and_the_rest_stays():
    path = next(path for path in NOTEBOOKS if path.stem.startswith("11"))
    notebook = json.loads(path.read_text())
    text = _sources(student_notebook(notebook, "11"))
    assert "torch.linalg.lstsq" in _sources(notebook) and "torch.linalg.lstsq" not in text
    assert "In all three $|s| = 5$" not in text
    assert "# From ReLU to CoLU" in text and "claims.check" in text


@pytest.mark.slow
def test_a_student_notebook_runs(tmp_path):
    import papermill

    name = "12-symmetry"
    write_student_files(Project(ROOT), tmp_path, [name])
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


def test_sheet_has_points_and_expected_results():
    sheet = exercise_sheet(ROOT / "notebooks" / "12-symmetry.ipynb")
    points = [int(number) for number in re.findall(r"\((\d) points?\)", sheet)]
    assert f"{sum(points)} points. Name" in sheet
    assert sheet.count("*Expected:*") == len(points)


RIGHT = {
    "10.3": [2 / math.sqrt(3), 2.0],
    "11.1": [[2, 1.2, 1.6], [6, 3, 4], [-1, 0, 0]],
    "12.1": [1, 2, 2, 2, 2, 2, 4, 4],
    "12.2": [6, 6, 0],
    "14.2": [1 / 4, 3 / 4, 1],
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_are_accepted_and_wrong_ones_get_a_hint(exercise):
    assert check_answer(exercise, RIGHT[exercise])
    flat = answers_module._numbers(RIGHT[exercise])
    wrong = check_answer(exercise, [flat[0] + 0.7, *flat[1:]])
    assert not wrong and "Hint: " in wrong.message and "number 1 of" in wrong.message


def test_tolerance_is_kept(monkeypatch):
    entry = seal_answer("0.1", 3.0, 0.1, "Count.")
    monkeypatch.setattr(answers_module, "_answers", lambda: {"0.1": entry})
    assert all(check_answer("0.1", value) for value in (2.91, 3.0, 3.09))
    assert not any(check_answer("0.1", value) for value in (2.87, 3.13, float("nan"), float("inf")))
    assert "sign" in check_answer("0.1", -3.0).message
    assert "reciprocal" in check_answer("0.1", 1 / 3).message
    assert "wanted 1 number(s), got 2" in check_answer("0.1", [3, 3]).message
    assert "got str" in check_answer("0.1", "three").message


def test_the_answer_is_neither_in_the_file_nor_in_a_message():
    entries = json.loads((ROOT / "colu/testing/answers.json").read_text())
    for exercise, entry in entries.items():
        assert set(entry) == {"tolerance", "hint", "buckets"}
        for attempt in (0.123, [0.5] * len(entry["buckets"])):
            message = check_answer(exercise, attempt).message
            for number in answers_module._numbers(RIGHT.get(exercise, [])) or []:
                if number not in (0, 1, 2, 3, 4, 6, -1):
                    assert f"{number:.3g}" not in message


def test_every_kept_answer_belongs_to_an_exercise():
    counts = {path.stem[:2]: exercise_sheet(path).count("### Exercise") for path in NOTEBOOKS}
    for exercise in answer_ids():
        chapter, number = exercise.split(".")
        assert 1 <= int(number) <= counts[chapter]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="99.9.*nearest are"):
        check_answer("99.9", 1)
    with pytest.raises(ValueError, match="finite numbers"):
        seal_answer("0.1", "x", 0.1, "h")
    with pytest.raises(ValueError, match="tolerance is 0"):
        seal_answer("0.1", 1, 0, "h")
