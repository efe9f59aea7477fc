"""Runs of several seeds, drawn the same way everywhere: a point for each, and the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .looks import look
from .palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["seed_points"]


def seed_points(ax: Axes, values: Mapping[str, Sequence[float]], *, looks: Mapping[str, str] | None = None) -> None:
    """Draw one row for each name: a pale point a seed, and on it the mean with its 95 % t-interval.

    Parameters
    ----------
    ax : matplotlib axes
    values : mapping of name to sequence of float
        The first is the highest row; a single value has no interval.
    looks : mapping of name to str, optional
        The activation of a row, for :func:`colu.lab.plot.look`; rows without one are neutral.

    Raises
    ------
    ValueError
        If a row is empty or holds a value that is not finite, which seaborn would leave out without a word.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> seed_points(ax, {"ReLU": [97.1, 97.4, 97.3]}, looks={"ReLU": "relu"})
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['ReLU']
    """
    import seaborn as sns

    from colu.lab.results import summarise

    def interval(column) -> tuple[float, float]:
        found = summarise([float(value) for value in column])
        return found.low, found.high

    if empty := [name for name, row in values.items() if len(row) == 0]:
        raise ValueError(f"no values for {', '.join(map(repr, empty))}: leave the row out")
    if broken := [name for name, row in values.items() if not all(math.isfinite(value) for value in row)]:
        raise ValueError(f"a value of {', '.join(map(repr, broken))} is not finite: tell failed runs as a rate")
    order = list(values)
    for name, row in values.items():
        named = (looks or {}).get(name)
        how = look(named) if named else {"color": PALETTE["neutral"], "marker": "o"}
        same = {"x": list(row), "y": [name] * len(row), "order": order, "color": how["color"], "ax": ax}
        sns.stripplot(**same, marker=how["marker"], jitter=False, alpha=0.4, size=5)
        bar = interval if len(row) > 1 else None
        sns.pointplot(
            **same, marker=how["marker"], errorbar=bar, linestyle="none", markersize=7, capsize=0.3,
            err_kws={"linewidth": 1.5, "linestyle": "-"},
        )  # fmt: skip
    ax.set(xlabel="", ylabel="")
