"""Answers are checked without being told."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from colu.testing import answers as answers_module
from colu.testing import check_answer, seal_answer

ROOT = Path(__file__).resolve().parents[2]

RIGHT = {
    "01.2": [5, 1, 0, 1],
    "01.4": [21, 20, 999],
    "01.6": [2**-0.5, 1 / 4, 1 / 8],
    "02.1": [71, 19],
    "02.2": [625, 25],
    "02.6": [6, 10],
    "10.3": [2 / math.sqrt(3), 2.0],
    "11.1": [[2, 1.2, 1.6], [6, 3, 4], [-1, 0, 0]],
    "12.1": [1, 2, 2, 2, 2, 2, 4, 4],
    "12.2": [6, 6, 0],
    "14.2": [1 / 4, 3 / 4, 1],
    "22.1": [1.5, 0.851],
    "22.4": [6, 1 / 30],
    "22.5": [-0.5, 0.30853754, 0.0],
    "21.1": [3, 3],
    "21.4": [3.5, 1.5],
    "21.5": [8.0, 0.125],
    "20.1": 1.1996786,
    "20.3": [1.0, 0.86],
    "20.4": [0.69314718, 0.25],
    "20.5": [0.375, -0.5, -0.125],
    "25.1": [-1, 3],
    "25.2": [100 / 101, 100],
    "25.4": [12, 8, 0],
    "25.5": [0.70710678, 0.93541435],
    "23.1": [0, -2 / 3],
    "23.2": -600.0,
    "23.4": [2362368, 38, 18874368],
    "23.5": [0.3, 0.3, 2.0],
    "26.1": [3, 3],
    "26.3": [0.02, 0.002],
    "26.4": [14, 382],
    "24.1": [2.82842712, 0.0],
    "24.2": [1.0, 0.0],
    "24.3": [2.0, 0.0],
    "24.4": [1.0, 1.46211716, 2.0, 3.52318831],
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_are_accepted_and_wrong_ones_get_a_hint(exercise):
    assert check_answer(exercise, RIGHT[exercise])
    flat = answers_module._numbers(RIGHT[exercise])
    wrong = check_answer(exercise, [flat[0] + 0.7, *flat[1:]])
    assert not wrong and "Hint: " in wrong.message
    # Which of several numbers is wrong is said; of a single one there is nothing to say.
    assert ("number 1 of" in wrong.message) == (len(flat) > 1)


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


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="99.9.*nearest are"):
        check_answer("99.9", 1)
    with pytest.raises(ValueError, match="finite numbers"):
        seal_answer("0.1", "x", 0.1, "h")
    with pytest.raises(ValueError, match="tolerance is 0"):
        seal_answer("0.1", 1, 0, "h")
