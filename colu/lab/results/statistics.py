"""Intervals for means of repeated runs, and for differences of paired runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Difference",
    "Rate",
    "Summary",
    "equivalence_power",
    "fisher_p_value",
    "holm",
    "paired_difference",
    "power",
    "rate",
    "summarise",
    "welch_difference",
]


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
        return f"{self.brief(spec)} (n = {self.n})"

    def brief(self, spec: str = ".3g") -> str:
        """Mean ± half the interval, where the text says of how many values.

        Examples
        --------
        >>> summarise([1.0, 2.0, 3.0]).brief(".1f")
        '2.0 ± 2.5'
        """
        return f"{self.mean:{spec}} ± {self.half_width:{spec.lstrip('+')}}"

    def __str__(self) -> str:
        return format(self, "")


@dataclass(frozen=True)
class Difference(Summary):
    """A :class:`Summary` of the mean difference between two arms, paired or not.

    Attributes
    ----------
    freedom : float
        Degrees of freedom of its Student t; ``n - 1`` for pairs.
    """

    freedom: float = 0.0

    @property
    def standard_error(self) -> float:
        """Of the mean difference, from the interval and its level."""
        from scipy.special import stdtrit

        return self.half_width / float(stdtrit(self.freedom, (1 + self.level) / 2))

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the t-test that the mean is 0; 0 where all differences are equal and not 0."""
        from scipy.special import stdtr

        if self.half_width == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.mean) / self.standard_error))

    def equivalence_p_value(self, margin: float) -> float:
        r"""p-value of two one-sided t-tests that :math:`|\delta| \ge` ``margin``, the larger of both.

        .. math:: p = P\Bigl(T_\nu > \frac{m - |d|}{s}\Bigr)

        with the mean difference :math:`d`, its standard error :math:`s` and :math:`\nu` degrees of freedom.

        Raises
        ------
        ValueError
            If the margin is not positive.

        Examples
        --------
        >>> near = paired_difference([1.00, 1.01, 0.99, 1.02], [1.01, 1.00, 1.00, 1.01])
        >>> near.equivalence_p_value(0.1) < 0.01 < near.equivalence_p_value(0.001)
        True
        """
        from scipy.special import stdtr

        _check_margin(margin)
        if self.half_width == 0:
            return 0.0 if abs(self.mean) < margin else 1.0
        return float(stdtr(self.freedom, (abs(self.mean) - margin) / self.standard_error))

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
        'A and B are not told apart'
        """
        if not self.decided:
            return f"{first} and {second} are not told apart"
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


def paired_difference(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Difference:
    """Mean of ``first - second`` over pairs (same seed, same data) with its paired t-interval.

    Parameters
    ----------
    first, second : sequence of float, shape (n,)
        Entry ``i`` of both comes from the same seed.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Difference

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
    return Difference(summary.mean, summary.low, summary.high, summary.n, level, summary.n - 1)


def welch_difference(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Difference:
    r"""Difference of the means of two arms whose runs are not paired, with Welch's interval.

    .. math::

        s^2 &= \frac{s_1^2}{n_1} + \frac{s_2^2}{n_2}, \\
        \frac{s^4}{\nu} &= \frac{s_1^4}{n_1^2 (n_1 - 1)} + \frac{s_2^4}{n_2^2 (n_2 - 1)}

    Parameters
    ----------
    first, second : sequence of float, shapes (n1,) and (n2,)
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Difference
        ``n`` is that of the smaller arm.

    Raises
    ------
    ValueError
        With fewer than two values in an arm, or one that is not finite.

    Examples
    --------
    >>> print(f"{welch_difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 2.0]):.2f}")
    1.00 ± 1.99 (n = 3)
    """
    from scipy.special import stdtrit

    a, b = _checked(first, "first"), _checked(second, "second")
    parts = [float(v.var(ddof=1)) / len(v) for v in (a, b)]
    mean, error = float(a.mean() - b.mean()), sum(parts) ** 0.5
    n = min(len(a), len(b))
    if error == 0:
        return Difference(mean, mean, mean, n, level, n - 1)
    freedom = error**4 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, (a, b), strict=True))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return Difference(mean, mean - half, mean + half, n, level, freedom)


def _check_margin(margin: float) -> None:
    if not 0 < margin < float("inf"):
        raise ValueError(f"margin is {margin!r}, wanted a positive number in the unit of the metric")


def power(effect: float, sd: float, n: int, *, alpha: float = 0.05) -> float:
    r"""Chance that ``n`` pairs decide, if the true mean difference is ``effect``.

    .. math:: P\bigl(|T_{n-1,\delta\sqrt n/\sigma}| > t_{n-1,1-\alpha/2}\bigr)

    with Student's noncentral distribution.

    Parameters
    ----------
    effect, sd : float
        True mean and standard deviation of the differences.
    n : int
        Pairs, at least 2.
    alpha : float
        Of the test; a family of ``m`` tests corrected by Holm has at least the power at ``alpha / m``.

    Examples
    --------
    >>> round(power(1.0, 1.0, 10), 2)
    0.8
    """
    from scipy.special import nctdtr, stdtrit

    shift, limit = abs(effect) / sd * n**0.5, float(stdtrit(n - 1, 1 - alpha / 2))
    return float(1 - nctdtr(n - 1, shift, limit) + np.nan_to_num(nctdtr(n - 1, shift, -limit)))


def equivalence_power(margin: float, sd: float, n: int, *, alpha: float = 0.05) -> float:
    r"""Chance that two one-sided tests of ``n`` pairs say equal within ``margin``, if the true difference is 0.

    At least :math:`1 - 2\,P\bigl(T_{n-1,m\sqrt n/\sigma} < t_{n-1,1-\alpha}\bigr)`, which is what is returned, or 0.

    Examples
    --------
    >>> equivalence_power(1.0, 1.0, 5) < 0.5 < equivalence_power(1.0, 1.0, 20)
    True
    """
    from scipy.special import nctdtr, stdtrit

    _check_margin(margin)
    return max(0.0, float(1 - 2 * nctdtr(n - 1, margin / sd * n**0.5, float(stdtrit(n - 1, 1 - alpha)))))


@dataclass(frozen=True)
class Rate:
    """How many of how many, with an exact interval.

    Attributes
    ----------
    count, n : int
    low, high : float
        Of the interval of Clopper and Pearson, at ``level``.
    """

    count: int
    n: int
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.count} of {self.n} ({self.low:.0%} to {self.high:.0%})"


def rate(count: int, n: int, *, level: float = 0.95) -> Rate:
    r"""The exact interval of a rate, by Clopper and Pearson.

    From the :math:`(1-\ell)/2` quantile of :math:`\mathrm{Beta}(k, n-k+1)` to the :math:`(1+\ell)/2` quantile of
    :math:`\mathrm{Beta}(k+1, n-k)`, with 0 and 1 at the ends.

    Raises
    ------
    ValueError
        If ``count`` is not between 0 and ``n``, or ``n`` is 0.

    Examples
    --------
    >>> print(rate(0, 10))
    0 of 10 (0% to 31%)
    """
    from scipy.special import betaincinv

    if not (n > 0 and 0 <= count <= n):
        raise ValueError(f"{count} of {n} is no rate: wanted 0 <= count <= n and n > 0")
    low = 0.0 if count == 0 else float(betaincinv(count, n - count + 1, (1 - level) / 2))
    high = 1.0 if count == n else float(betaincinv(count + 1, n - count, (1 + level) / 2))
    return Rate(count, n, low, high, level)


def fisher_p_value(first: Rate, second: Rate) -> float:
    """Two-sided p-value of Fisher's exact test that two rates are equal.

    Examples
    --------
    >>> fisher_p_value(rate(8, 10), rate(0, 10)) < 0.001
    True
    """
    from scipy.stats import fisher_exact

    return float(fisher_exact([[r.count, r.n - r.count] for r in (first, second)]).pvalue)


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
