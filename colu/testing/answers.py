"""Check the answer to an exercise: right, or a hint; the answer itself is never shown.

What is kept of an answer are slow hashes of the small intervals ("buckets") around it.
This keeps it from a glance and from a search in the files, not from somebody who tries all numbers.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

__all__ = ["Verdict", "answer_ids", "answer_size", "check_answer", "seal_answer"]

#: Buckets on each side of the expected one; a bucket is this part of the tolerance wide.
SIDE = 5
ROUNDS = 5_000

_SLIPS: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("look at the sign", lambda v: -v),
    ("a factor of two is lost somewhere", lambda v: 2 * v),
    ("a factor of two is too much somewhere", lambda v: v / 2),
    ("is a square asked for, or its root?", lambda v: v * v),
    ("is a root asked for, or the square?", lambda v: math.sqrt(v)),
    ("it looks like the reciprocal", lambda v: 1 / v),
    ("is it one minus this?", lambda v: 1 - v),
    ("degrees or radians?", lambda v: math.degrees(v)),
    ("degrees or radians?", lambda v: math.radians(v)),
    ("per cent or a fraction?", lambda v: 100 * v),
    ("per cent or a fraction?", lambda v: v / 100),
    ("nats or bits?", lambda v: v / math.log(2)),
)


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what to think about if not."""

    correct: bool
    message: str

    def __repr__(self) -> str:
        return self.message

    def __bool__(self) -> bool:
        return self.correct


@functools.cache
def _answers() -> dict[str, dict]:
    return json.loads(resources.files("colu.testing").joinpath("answers.json").read_text(encoding="utf8"))


def answer_ids() -> list[str]:
    """The exercises whose answers can be checked.

    Examples
    --------
    >>> "ex-symmetry-norm" in answer_ids()
    True
    """
    return list(_answers())


def answer_size(exercise: str) -> int:
    """How many numbers the answer to an exercise has; raises as :func:`check_answer` does.

    Examples
    --------
    >>> answer_size("ex-symmetry-norm")
    2
    """
    return len(_entry(exercise)["buckets"])


def _entry(exercise: str) -> dict:
    """What is kept of an answer."""
    answers = _answers()
    if exercise not in answers:
        near = difflib.get_close_matches(str(exercise), answers, n=3, cutoff=0.3) or list(answers)[:3]
        raise ValueError(f"no answer to exercise {exercise!r} is kept; the nearest are {', '.join(near)}")
    return answers[exercise]


def _digest(salt: str, place: int, bucket: int) -> str:
    text = f"{salt}/{place}/{bucket}".encode()
    return hashlib.pbkdf2_hmac("sha256", text, b"colu answers", ROUNDS).hex()[:24]


def _bucket(value: float, tolerance: float) -> int:
    return math.floor(value / (tolerance / SIDE))


def _numbers(value: object) -> list[float] | None:
    """A flat list of floats, or None where ``value`` is something else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool | int | float):
        return [float(value)]
    if isinstance(value, str) or not isinstance(value, Sequence):
        return None
    parts = [_numbers(part) for part in value]
    return None if any(part is None for part in parts) else [number for part in parts for number in part]


def seal_answer(exercise: str, value: object, tolerance: float, hint: str) -> dict:
    """Return the entry for ``answers.json``.

    Parameters
    ----------
    exercise : str
        Its label, such as ``"ex-symmetry-norm"``, under which the entry stands.
    value : number, tensor or nested sequence
        What is expected.
    tolerance : float
        Answers within it are accepted, up to a fifth of it more; above 0.
    hint : str
        Said after a wrong answer; must not contain the answer.

    Raises
    ------
    ValueError
        For an answer that is not made of finite numbers, or a tolerance that is not positive.

    Examples
    --------
    >>> sorted(seal_answer("ex-count", 2.0, 0.1, "Count."))
    ['buckets', 'hint', 'salt', 'tolerance']
    """
    numbers = _numbers(value)
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ValueError(f"the answer {value!r} is not made of finite numbers; give a number or a list of numbers")
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance!r}, wanted more than 0; for whole numbers take 0.4")
    buckets = [
        [_digest(exercise, place, _bucket(number, tolerance) + step) for step in range(-SIDE, SIDE + 1)]
        for place, number in enumerate(numbers)
    ]
    return {"salt": exercise, "tolerance": tolerance, "hint": hint, "buckets": buckets}


def _fits(entry: dict, place: int, value: float) -> bool:
    if not math.isfinite(value) or abs(value) > 1e12:
        return False
    return _digest(entry["salt"], place, _bucket(value, entry["tolerance"])) in entry["buckets"][place]


def _slip(entry: dict, place: int, value: float) -> str | None:
    """Name the usual slip that explains a wrong number."""
    for words, repair in _SLIPS:
        try:
            repaired = repair(value)
        except (ValueError, ZeroDivisionError, OverflowError):
            continue
        if abs(repaired - value) > entry["tolerance"] and _fits(entry, place, repaired):
            return words
    return None


def check_answer(exercise: str, value: object) -> Verdict:
    """Check the answer to an exercise.

    Parameters
    ----------
    exercise : str
        Its label, such as ``"ex-symmetry-norm"``, which stays where its number changes; :func:`answer_ids` lists
        those that can be checked.
    value : number, tensor or nested sequence of numbers
        Your answer; ``None`` where there is none yet.

    Returns
    -------
    Verdict
        True where right; otherwise its message has a hint, and never the answer.

    Raises
    ------
    ValueError
        For an exercise that is not known; names the nearest.

    Examples
    --------
    >>> check_answer("ex-symmetry-norm", None)
    Exercise ex-symmetry-norm: no answer yet.
    >>> bool(check_answer("ex-symmetry-norm", [1, 2]))
    False
    """
    entry, begin = _entry(exercise), f"Exercise {exercise}: "
    if value is None:
        return Verdict(False, begin + "no answer yet.")
    numbers = _numbers(value)
    wanted = len(entry["buckets"])
    if numbers is None:
        return Verdict(False, begin + f"wanted {wanted} number(s), got {type(value).__name__}.")
    if len(numbers) != wanted:
        return Verdict(False, begin + f"wanted {wanted} number(s), got {len(numbers)}. Hint: {entry['hint']}")
    wrong = [place for place, number in enumerate(numbers) if not _fits(entry, place, number)]
    if not wrong:
        return Verdict(True, begin + "right.")
    slip = _slip(entry, wrong[0], numbers[wrong[0]])
    where = "" if wanted == 1 else f"number {wrong[0] + 1} of {wanted} first; "
    return Verdict(False, begin + f"not yet: {where}{slip + '. ' if slip else ''}Hint: {entry['hint']}")
