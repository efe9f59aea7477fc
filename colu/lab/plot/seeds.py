"""Runs of several seeds, drawn the same way everywhere: a point for each, and the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from .looks import look
from .palette import COLOURS, LINESTYLES, MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["seed_points"]

#: How far series stand beside one another, as a share of the least gap of places: at numbers, at names, and of all.
JOINED, NAMED, ALL = 0.08, 0.16, 0.7


def seed_points(
    ax: Axes,
    values: Mapping[str, Sequence[float]] | Mapping[str, Mapping],
    *,
    looks: Mapping[str, str] | None = None,
    hollow: Collection[str] = (),
    reference: float | None = None,
) -> None:
    """Draw a pale point for each seed, and on the points their mean with its 95 % t-interval.

    Parameters
    ----------
    ax : matplotlib axes
        Scales are set before; mean and interval are those of the values, whatever the scale.
    values : mapping of name to sequence of float, or of name to mapping
        Sequences are rows, the first the highest. Mappings from a place on the x-axis to the values there are series
        beside one another: places that are numbers are joined by a line, on a linear or logarithmic axis, and places
        that are names are not. A single value has no interval.
    looks : mapping of name to str, optional
        The activation of a row or series, for :func:`colu.lab.plot.look`; a row without one is neutral, a series
        has the next colour, marker and line.
    hollow : collection of str
        Names whose mean is drawn open.
    reference : float, optional
        Where a dotted line stands, to which values are compared.

    Raises
    ------
    ValueError
        If a row is empty or holds a value that is not finite, which seaborn would leave out without a word; if rows
        and series are mixed, or one in ``looks`` or ``hollow`` is none of them.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> seed_points(ax, {"ReLU": [97.1, 97.4, 97.3]}, looks={"ReLU": "relu"})
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['ReLU']
    >>> ax = Figure().subplots()
    >>> ax.set_xscale("log")
    >>> seed_points(ax, {"ReLU": {10: [0.4, 0.5], 100: [0.1, 0.2]}}, looks={"ReLU": "relu"})
    >>> ax.get_legend_handles_labels()[1]
    ['ReLU']
    """
    looks = looks or {}
    series = {name for name, row in values.items() if isinstance(row, Mapping)}
    if series and len(series) < len(values):
        raise ValueError(f"{min(values.keys() - series)!r} is a row and {min(series)!r} a series: draw one kind")
    if strange := [name for name in (*looks, *hollow) if name not in values]:
        raise ValueError(f"looks and hollow name {', '.join(map(repr, strange))}, values has {', '.join(values)}")
    flat = {(name, at): row for name in series for at, row in values[name].items()}
    _check(flat or values)
    if series:
        _draw_series(ax, values, looks, hollow)
    else:
        _draw_rows(ax, values, looks, hollow)
    if reference is not None:
        line = ax.axhline if series else ax.axvline
        line(reference, color=PALETTE["neutral"], linewidth=1, linestyle=":", zorder=0.5)
    ax.set(xlabel="", ylabel="")


def _check(rows: Mapping) -> None:
    if empty := [name for name, row in rows.items() if len(row) == 0]:
        raise ValueError(f"no values for {', '.join(map(repr, empty))}: leave the row out")
    if broken := [name for name, row in rows.items() if not all(math.isfinite(value) for value in row)]:
        raise ValueError(f"a value of {', '.join(map(repr, broken))} is not finite: tell failed runs as a rate")


def _gap(places: Iterable[float]) -> float:
    """The least distance of two places, in which seaborn counts the width of caps; 1 for a single one."""
    return float(min(np.diff(sorted(set(places))), default=1.0))


def _draw_rows(ax: Axes, values: Mapping[str, Sequence], looks: Mapping[str, str], hollow: Collection[str]) -> None:
    """Rows by number, those of one look together: on an axis of names seaborn would draw every row for each name."""
    alike: dict[tuple, list[tuple[int, float]]] = {}
    for place, (name, row) in enumerate(values.items()):
        how = look(looks[name]) if name in looks else {"color": PALETTE["neutral"], "marker": "o"}
        kind = how["color"], how["marker"], name in hollow
        alike.setdefault(kind, []).extend((place, value) for value in row)
    for (color, marker, is_hollow), pairs in alike.items():
        places, row = (list(part) for part in zip(*pairs, strict=True))
        how = {"color": color, "marker": marker, "linestyle": "none", "capsize": 0.3 / _gap(places), "markersize": 7}
        _draw(ax, row, places, ax.xaxis, how, hollow=is_hollow)
    ax.set_yticks(range(len(values)), values)
    ax.set_ylim(len(values) - 0.5, -0.5)


def _draw_series(ax: Axes, values: Mapping[str, Mapping], looks: Mapping[str, str], hollow: Collection[str]) -> None:
    """Series over places of the x-axis, each a little beside the others in the axis's own scale."""
    keys = list(dict.fromkeys(key for row in values.values() for key in row))
    joined = all(isinstance(key, Real) for key in keys)
    scale = ax.xaxis.get_transform()
    places = dict(zip(keys, scale.transform(keys) if joined else range(len(keys)), strict=True))
    step = _gap(places.values()) * min(JOINED if joined else NAMED, ALL / len(values))
    for index, (name, row) in enumerate(values.items()):
        cycle = {"color": COLOURS, "marker": MARKERS, "linestyle": LINESTYLES}
        how = look(looks[name]) if name in looks else {key: of[index % len(of)] for key, of in cycle.items()}
        if not joined:
            how["linestyle"] = "none"
        shift = step * (index - (len(values) - 1) / 2)
        at = {key: float(scale.inverted().transform(places[key] + shift)) for key in row}
        how |= {"label": name, "capsize": 0.6 * step / _gap(places[key] for key in row), "markersize": 6}
        pairs = [(at[key], value) for key in row for value in row[key]]
        x, y = zip(*pairs, strict=True)
        _draw(ax, list(x), list(y), ax.yaxis, how, hollow=name in hollow)
    if not joined:
        ax.set_xticks(range(len(keys)), keys)
        ax.set_xlim(-0.5, len(keys) - 0.5)


def _draw(ax: Axes, x: list, y: list, scaled: Axis, how: dict, *, hollow: bool) -> None:
    """One row or series, with mean and interval of the values; seaborn alone takes those on the scale of the axis."""
    import seaborn as sns

    from colu.lab.results import summarise

    there = scaled.get_transform()

    def back(column) -> list[float]:
        return there.inverted().transform(np.asarray(column, dtype=float)).tolist()

    def mean(column) -> float:
        return float(there.transform(float(np.mean(back(column)))))

    def interval(column) -> tuple[float, float]:
        found = summarise(back(column))
        return tuple(float(there.transform(end)) for end in (found.low, found.high))

    common = {"x": x, "y": y, "ax": ax, "orient": "y" if scaled.axis_name == "x" else "x", "native_scale": True}
    common |= {"color": how["color"], "marker": how["marker"], "legend": False}
    face = {"markerfacecolor": "white"} if hollow else {}
    sns.pointplot(
        **common, **face, estimator=mean, errorbar=interval, linestyle=how["linestyle"], label=how.get("label"),
        markersize=how["markersize"], linewidth=1.5, markeredgewidth=1.5, capsize=how["capsize"],
        err_kws={"linewidth": 1.5, "linestyle": "-", "zorder": 1.9},
    )  # fmt: skip
    # Last, though they lie below: the first point alone gives a logarithmic axis no width.
    sns.stripplot(**common, jitter=False, alpha=0.4, size=5)
