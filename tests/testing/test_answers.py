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
    "ex-frame-step": [-1, -1, 0, -(2**0.5), 45],
    "ex-verdict-margin": 0.424,
    "ex-audit-two": 7 / 8,
    "ex-audit-noise": 128 * (0.9 / 1.1) / (0.1 / 1.9),
    "ex-threshold-empty": [3, 3],
    "ex-threshold-fixed": [0.02, 0.002],
    "ex-threshold-count": [14, 382],
    "ex-vector-sort": [2.82842712, 0.0],
    "ex-vector-one": [1.0, 0.0],
    "ex-vector-householder": [2.0, 0.0],
    "ex-vector-gate": [1.0, 1.46211716, 2.0, 3.52318831],
    "ex-cost-amdahl": [1.75, 1.56],
    "ex-ae-larger": [1 / 4, 7 / 16, 15 / 32, 2],
    "ex-colu-turn": [2**-0.5, 1, 2**0.5],
    "ex-evonorm-v": [-1, 3],
    "ex-evonorm-shift": [100 / 101, 100],
    "ex-evonorm-open": [12, 8, 0],
    "ex-evonorm-bias": [0.70710678, 0.93541435],
    "ex-rational-homogeneous": [0, -2 / 3],
    "ex-rational-steep": -600.0,
    "ex-kan-parameters": [2362368, 38, 18874368],
    "ex-rational-ends": [0.3, 0.3, 2.0],
    "ex-rational-poles": [4, -0.5, 5],
    "ex-kan-maximum": [-0.5, 1.5],
    "ex-kan-constants": [89, 445],
    "ex-piecewise-apalu": [1.5, 0.851],
    "ex-piecewise-knots": [6, 1 / 30],
    "ex-piecewise-dead": [-0.5, 0.30853754, 0.0],
    "ex-lslu-narrow": [3, 3],
    "ex-lslu-sum": [3.5, 1.5],
    "ex-lslu-scale": [8.0, 0.125],
    "ex-acon-abs": 1.1996786,
    "ex-acon-moment": [1.0, 0.86],
    "ex-acon-logsumexp": [0.69314718, 0.25],
    "ex-acon-uniform": [0.375, -0.5, -0.125],
    "ex-orthant-dual": [[3, 0, 0.5, 0], [0, -1, 0, -2]],
    "ex-simplex-three": [0.6, 0.4, 0],
    "ex-variants-lengths": [1, math.sqrt(5), 5 * math.log(1.2)],
    "ex-variants-double": [1, 1, 0, 0],
    "ex-skew-rectangle": [2, 0, -2],
    "ex-skew-ranks": [1.5, 1.5 + (1 - 2**-0.5) / 2, 2 - (1 - 2**-0.5) / 2],
    "ex-colour-primary": [(1 + 2**0.5) / 3, (1 - 2**-0.5) / 3, (1 - 2**-0.5) / 3, 1, 1, 0],
    "ex-colour-mirror": [1, 1, 0, 1, 0, 0],
    "ex-colour-group": [144, 6, 2],
    "ex-why-kinks": [5, 1, 0, 1],
    "ex-why-zigzag": [21, 20, 999],
    "ex-why-conics": [2**-0.5, 1 / 4, 1 / 8],
    "ex-which-width": [71, 19],
    "ex-which-root": [625, 25],
    "ex-which-directions": [6, 10],
    "ex-skew-angle": [2 / math.sqrt(3), 2.0],
    "ex-colu-one-cone": [[2, 1.2, 1.6], [6, 3, 4], [-1, 0, 0]],
    "ex-symmetry-order": [1, 2, 2, 2, 2, 2, 4, 4],
    "ex-symmetry-leaky": [6, 6, 0],
    "ex-turn-period": 5,
    "ex-denoiser-turn": [0.6, 1.6],
    "ex-denoiser-two": [9, 9 / math.cosh(9 / 4) ** 2],
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_are_accepted_and_wrong_ones_get_a_hint(exercise):
    assert check_answer(exercise, RIGHT[exercise])
    flat = answers_module._numbers(RIGHT[exercise])
    wrong = check_answer(exercise, [flat[0] + 0.7, *flat[1:]])
    assert not wrong and "Hint: " in wrong.message
    assert ("number 1 of" in wrong.message) == (len(flat) > 1)


def test_tolerance_is_kept(monkeypatch):
    entry = seal_answer("ex-count", 3.0, 0.1, "Count.")
    monkeypatch.setattr(answers_module, "_answers", lambda: {"ex-count": entry})
    assert all(check_answer("ex-count", value) for value in (2.91, 3.0, 3.09))
    assert not any(check_answer("ex-count", value) for value in (2.87, 3.13, float("nan"), float("inf")))
    assert "sign" in check_answer("ex-count", -3.0).message
    assert "reciprocal" in check_answer("ex-count", 1 / 3).message
    assert "wanted 1 number(s), got 2" in check_answer("ex-count", [3, 3]).message
    assert "got str" in check_answer("ex-count", "three").message


def test_the_answer_is_neither_in_the_file_nor_in_a_message():
    entries = json.loads((ROOT / "colu/testing/answers.json").read_text())
    for exercise, entry in entries.items():
        assert set(entry) == {"salt", "tolerance", "hint", "buckets"}
        for attempt in (0.123, [0.5] * len(entry["buckets"])):
            message = check_answer(exercise, attempt).message
            for number in answers_module._numbers(RIGHT.get(exercise, [])) or []:
                if number not in (0, 1, 2, 3, 4, 6, -1):
                    assert f"{number:.3g}" not in message


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="ex-nowhere.*nearest are"):
        check_answer("ex-nowhere", 1)
    with pytest.raises(ValueError, match="finite numbers"):
        seal_answer("ex-count", "x", 0.1, "h")
    with pytest.raises(ValueError, match="tolerance is 0"):
        seal_answer("ex-count", 1, 0, "h")
