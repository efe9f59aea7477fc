"""Where a function of the plane is positive: an area and its border as shapes, which follow the page's mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["area", "border"]


def _contours(x, y, values, **how):
    from contourpy import contour_generator

    return contour_generator(*(np.asarray(part, dtype=float) for part in (x, y, values)), **how)


def area(ax: Axes, x, y, values, *, color: str, alpha: float = 0.35) -> None:
    """Fill where ``values`` is positive.

    Unlike matplotlib's filled contours, which count as a map of data and keep their colours on dark pages, the area is
    a shape, so that what is drawn over it follows the page.

    Parameters
    ----------
    ax : matplotlib axes
    x, y : array_like, shape (n,), (m,)
    values : array_like, shape (m, n)
        Row by row from the lowest ``y``.
    color : str
    alpha : float

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> side = np.linspace(-1, 1, 21)
    >>> fig, ax = plt.subplots()
    >>> area(ax, side, side, 0.25 - side**2 - side[:, None] ** 2, color="#56B4E9")
    >>> len(ax.patches)
    1
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    found, offsets = _contours(x, y, values, fill_type="OuterOffset").filled(0, np.inf)
    for points, starts in zip(found, offsets, strict=True):
        # The outer ring of an area, then those of its holes.
        rings = [points[begin:end] for begin, end in zip(starts[:-1], starts[1:], strict=True)]
        path = Path.make_compound_path(*(Path(ring, closed=True) for ring in rings))
        ax.add_patch(PathPatch(path, facecolor=color, alpha=alpha, linewidth=0))
    ax.autoscale_view()


def border(ax: Axes, x, y, values, **how) -> None:
    """Draw the line where ``values`` is 0; ``how`` goes to ``ax.plot``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> side = np.linspace(-1, 1, 21)
    >>> fig, ax = plt.subplots()
    >>> border(ax, side, side, np.broadcast_to(side, (21, 21)), color="0.15")
    >>> len(ax.lines)
    1
    """
    for line in _contours(x, y, values, line_type="Separate").lines(0):
        ax.plot(*line.T, **{"linestyle": "-"} | how)
