"""The rule: from a difference and its tests to one word."""

from __future__ import annotations

from colu.lab.results import Difference

__all__ = ["ANSWERS", "WORDS", "rate_word", "word"]

#: All that is ever said of a statement in print.
WORDS = (
    "reproduced",
    "smaller than printed",
    "opposite",
    "equal within the margin",
    "undecided",
    "regime not reached",
    "not tested",
)
#: All that is ever said to a question of our own.
ANSWERS = ("higher", "lower", *WORDS[3:])


def word(
    says: str,
    difference: Difference,
    *,
    p_value: float,
    equivalence_p_value: float,
    printed: float | None = None,
    alpha: float = 0.05,
) -> str:
    r"""What a difference, arm minus baseline, allows one to say of a printed one.

    With the interval :math:`I`, the corrected p-values :math:`p` (of no difference) and :math:`q` (of a difference of
    the margin or more), and the printed size :math:`e`:

    - of *higher* or *lower*: if :math:`p \le \alpha`, *opposite* where the sign is not the printed one,
      *smaller than printed* where all of :math:`I` is nearer to 0 than :math:`e`, and otherwise *reproduced*;
      else *equal within the margin* if :math:`q \le \alpha`, and otherwise *undecided*;
    - of *equal*: *equal within the margin* if :math:`q \le \alpha`, else *opposite* if :math:`p \le \alpha`, and
      otherwise *undecided*;
    - to a question of our own, *asked*, which has no direction: *higher* or *lower* by the sign if
      :math:`p \le \alpha`, else *equal within the margin* if :math:`q \le \alpha`, and otherwise *undecided*.

    Parameters
    ----------
    says : {"higher", "lower", "equal", "asked"}
    difference : Difference
    p_value, equivalence_p_value : float
        Corrected for the family.
    printed : float, optional
        Size of the printed difference, in the unit of the metric; without it only the sign is in print.
    alpha : float

    Returns
    -------
    str
        One of ``WORDS``, or of ``ANSWERS`` to what is asked.

    Raises
    ------
    ValueError
        For another direction.

    Examples
    --------
    >>> from colu.lab.results import paired_difference
    >>> d = paired_difference([1.1, 1.2, 1.15, 1.12, 1.18], [1.0] * 5)
    >>> [word("higher", d, p_value=0.01, equivalence_p_value=1.0, printed=size) for size in (0.15, 0.9)]
    ['reproduced', 'smaller than printed']
    """
    if says not in ("higher", "lower", "equal", "asked"):
        raise ValueError(f"says is {says!r}, wanted higher, lower, equal or asked")
    if says == "equal":
        if equivalence_p_value <= alpha:
            return "equal within the margin"
        return "opposite" if p_value <= alpha else "undecided"
    if p_value > alpha:
        return "equal within the margin" if equivalence_p_value <= alpha else "undecided"
    if says == "asked":
        return "higher" if difference.mean > 0 else "lower"
    sign = 1 if says == "higher" else -1
    if sign * difference.mean < 0:
        return "opposite"
    largest = difference.high if says == "higher" else -difference.low
    return "smaller than printed" if printed is not None and largest < abs(printed) else "reproduced"


def rate_word(arm: float, baseline: float, *, p_value: float, alpha: float = 0.05) -> str:
    """What two rates of failure allow one to say of the statement that an arm is unstable.

    Examples
    --------
    >>> rate_word(0.8, 0.0, p_value=0.001)
    'reproduced'
    """
    if p_value > alpha:
        return "undecided"
    return "reproduced" if arm > baseline else "opposite"
