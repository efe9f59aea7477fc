"""Intervals for means of repeated runs, and for differences of paired runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["PairedDifference", "Summary", "holm", "paired_difference", "summarise"]


@dataclass(frozen=True)
class Summary:
    """Mean of ``n`` values with a two-sided Student t-interval for that mean.

    Attributes
    ----------
    mean, low, high : float
        In the unit of the values.
    n : int
    level : float
        Confidence level of ``[low, high]``.
    """

    mean: float
    low: float
    high: float
    n: int
    level: float = 0.95

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    def __format__(self, spec: str) -> str:
        spec = spec or ".3g"
        return f"{self.mean:{spec}} ± {self.half_width:{spec.lstrip('+')}} (n = {self.n})"

    def __str__(self) -> str:
        return format(self, "")


@dataclass(frozen=True)
class PairedDifference(Summary):
    """A :class:`Summary` of differences between two arms run on the same seeds."""

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the paired t-test, from mean, interval and level; 0 where all differences are equal."""
        from scipy.special import stdtr, stdtrit

        if self.half_width == 0:
            return 1.0 if self.mean == 0 else 0.0
        standard_error = self.half_width / stdtrit(self.n - 1, (1 + self.level) / 2)
        return float(2 * stdtr(self.n - 1, -abs(self.mean) / standard_error))

    @property
    def decided(self) -> bool:
        """Whether the interval of the mean difference leaves out 0."""
        return self.low > 0 or self.high < 0

    def verdict(self, first: str, second: str, *, higher_is_better: bool = True) -> str:
        """Say in words which arm is ahead, or that the interval contains 0.

        Examples
        --------
        >>> paired_difference([3.0, 3.2, 3.1], [1.0, 1.1, 1.2]).verdict("A", "B")
        'A is ahead of B'
        >>> paired_difference([1.0, 2.0, 3.0], [2.0, 1.0, 3.1]).verdict("A", "B")
        'no difference between A and B is shown'
        """
        if not self.decided:
            return f"no difference between {first} and {second} is shown"
        ahead = (self.low > 0) == higher_is_better
        return f"{first} is ahead of {second}" if ahead else f"{second} is ahead of {first}"


def _interval(values: np.ndarray, level: float) -> tuple[float, float, float]:
    # The quantile that scipy.stats.t gives; scipy.stats takes a third as long to import as PyTorch.
    from scipy.special import stdtrit

    n = len(values)
    mean = float(values.mean())
    standard_error = float(values.std(ddof=1)) / np.sqrt(n)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * standard_error
    return mean, float(mean - half), float(mean + half)


def _checked(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float).ravel()
    if len(array) < 2:
        raise ValueError(f"{name} has {len(array)} value(s), an interval needs at least 2: run more seeds")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is not finite: {array.tolist()}; mend or exclude that run by name")
    return array


def summarise(values: Sequence[float], *, level: float = 0.95) -> Summary:
    r"""Mean and t-interval :math:`\bar v \pm t_{n-1,(1+\ell)/2}\, s/\sqrt n`.

    Parameters
    ----------
    values : sequence of float, shape (n,)
        One value a run, ``n >= 2``; what varies between runs is for the caller to say.
    level : float
        Confidence level :math:`\ell` in (0, 1).

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        With fewer than two values, or one that is not finite.

    Examples
    --------
    >>> print(f"{summarise([1.0, 2.0, 3.0]):.2f}")
    2.00 ± 2.48 (n = 3)
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, it must lie strictly between 0 and 1, for example 0.95")
    array = _checked(values, "values")
    return Summary(*_interval(array, level), n=len(array), level=level)


def paired_difference(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> PairedDifference:
    """Mean of ``first - second`` over pairs (same seed, same data) with its paired t-interval.

    Parameters
    ----------
    first, second : sequence of float, shape (n,)
        Entry ``i`` of both comes from the same seed.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    PairedDifference

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than two pairs, or a value is not finite.

    Examples
    --------
    >>> paired_difference([2.0, 3.1, 4.0], [1.0, 2.0, 3.0]).decided
    True
    """
    a, b = _checked(first, "first"), _checked(second, "second")
    if len(a) != len(b):
        raise ValueError(f"first has {len(a)} values and second {len(b)}: pairs need the same seeds in both arms")
    summary = summarise(a - b, level=level)
    return PairedDifference(summary.mean, summary.low, summary.high, summary.n, level)


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Holm's corrected p-values, in the order given.

    Sorted :math:`p_{(1)} \le \dots \le p_{(m)}` become
    :math:`\tilde p_{(k)} = \max_{j \le k} \min(1, (m - j + 1)\, p_{(j)})`;
    rejecting where :math:`\tilde p \le \alpha` keeps the chance of any false rejection below :math:`\alpha`,
    whatever the dependence.

    Parameters
    ----------
    p_values : sequence of float, shape (m,)

    Returns
    -------
    list of float

    Raises
    ------
    ValueError
        If a value lies outside [0, 1].

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    array = np.asarray(p_values, dtype=float).ravel()
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p_values are {array.tolist()}, wanted numbers between 0 and 1")
    order = np.argsort(array, kind="stable")
    raised = np.minimum(1.0, (len(array) - np.arange(len(array))) * array[order])
    corrected = np.empty_like(array)
    corrected[order] = np.maximum.accumulate(raised)
    return [float(value) for value in corrected]
