"""An exercise as the notebooks for teaching state it, and what its cell asks for."""

from __future__ import annotations

from colu.press.notebook import Exercise

__all__ = ["number_of", "plain_exercise", "wanted"]


def number_of(chapter: str, count: int) -> str:
    """The number that an exercise has on the page.

    Examples
    --------
    >>> number_of("12", 3)
    '12.3'
    """
    return f"{chapter}.{count}"


def plain_exercise(exercise: Exercise, number: str, expected: str) -> str:
    """One exercise as Markdown that Jupyter shows, with what is said of its result."""
    points = f"{exercise.stars} point{'s' if exercise.stars != 1 else ''}"
    text = exercise.text.partition("*Expected:*")[0].strip() + (f"\n\n*Expected:* {expected}" if expected else "")
    return f"### Exercise {number} {'★' * exercise.stars} ({points}): {exercise.title}\n\n{text}\n"


def wanted(label: str) -> str:
    """What a cell wants whose answer is checked: how many numbers.

    Examples
    --------
    >>> wanted("ex-symmetry-norm")
    'your 2 numbers, as a list,'
    """
    from colu.testing import answer_size

    count = answer_size(label)
    return f"your {count} numbers, as a list," if count > 1 else "your number"
