"""The one style of the book's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .looks import look
from .notebook import show_as_svg
from .palette import COLOURS, LINESTYLES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["band", "use_style"]


def use_style() -> None:
    """Set matplotlib to the book's style for this process.

    9.5 pt text at final size, lines 2 pt wide, the palette of Okabe and Ito cycled together with line styles.
    In a notebook figures are shown by :func:`colu.lab.plot.with_narrow`: on white there, and on the pages of the
    book without a ground, in the colours of the page's mode, on a telephone with panels one above the other.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from colu.lab.plot import use_style
    >>> with plt.rc_context():
    ...     use_style()
    ...     plt.rcParams["figure.facecolor"]
    'white'
    """
    import matplotlib as mpl

    cycle = mpl.cycler(color=COLOURS) + mpl.cycler(linestyle=LINESTYLES)
    mpl.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": ".15",
            "axes.facecolor": "white",
            "axes.labelcolor": ".15",
            "axes.labelsize": 10,
            "axes.linewidth": 1.0,
            "axes.prop_cycle": cycle,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 9.6,
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.figsize": (5.6, 3.4),
            "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
            "font.size": 9.5,
            "grid.color": ".8",
            "legend.fontsize": 9.5,
            "legend.frameon": False,
            "legend.title_fontsize": 9.6,
            "lines.linewidth": 2,
            "lines.markersize": 5,
            "lines.solid_capstyle": "round",
            "patch.edgecolor": "w",
            "patch.force_edgecolor": True,
            "patch.linewidth": 0.8,
            "savefig.dpi": 144,
            "savefig.facecolor": "white",
            "svg.fonttype": "none",
            "svg.hashsalt": "colu",
            "text.color": ".15",
        }
    )
    for axis in ("xtick", "ytick"):
        mpl.rcParams.update(
            {
                f"{axis}.color": ".15",
                f"{axis}.labelsize": 9.5,
                f"{axis}.major.size": 4.8,
                f"{axis}.major.width": 1.0,
                f"{axis}.minor.size": 3.2,
                f"{axis}.minor.width": 0.8,
            }
        )
    show_as_svg()


def band(ax: Axes, x, low, centre, high, *, label: str, index: int = 0, of: str | None = None):
    """Draw a curve and the band between ``low`` and ``high``.

    Parameters
    ----------
    ax : matplotlib axes
    x, low, centre, high : array_like, shape (n,)
        The band's meaning (interval, quartiles, n) belongs in the figure's caption.
    label : str
        Name in the legend.
    index : int
        Which colour, marker and line style.
    of : str, optional
        The activation, whose look it then has; see :func:`colu.lab.plot.look`.

    Returns
    -------
    matplotlib.lines.Line2D
        The centre line.
    """
    n = index % len(COLOURS)
    how = look(of) if of else {"color": COLOURS[n], "linestyle": LINESTYLES[n], "marker": MARKERS[n]}
    (line,) = ax.plot(x, centre, markevery=0.2, label=label, **how)
    ax.fill_between(np.asarray(x), low, high, color=how["color"], alpha=0.2, linewidth=0)
    return line
