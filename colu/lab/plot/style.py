"""The one style of the book's figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from plotly.graph_objects import Figure

__all__ = ["COLOURS", "LINESTYLES", "MARKERS", "PALETTE", "band", "show_interactive", "use_style"]

#: Okabe and Ito's eight colours, in the order in which the book uses them.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]

#: What a colour means, the same on every page.
PALETTE = {
    "relu": COLOURS[0],
    "colu": COLOURS[1],
    "soft": COLOURS[2],
    "mpu": COLOURS[3],
    "axis": COLOURS[6],
    "section": COLOURS[4],
    "cone": COLOURS[5],
    "neutral": "#5F6B73",
}

#: Redundant marks, so that no figure depends on colour alone.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
LINESTYLES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2))]


def use_style() -> None:
    """Set matplotlib and seaborn to the book's style for this process.

    White figure and axes (also in dark mode), 9.5 pt text at final size, lines 2 pt wide,
    the palette of Okabe and Ito cycled together with line styles, SVG output that keeps text as text
    and is the same on every run.

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
    import seaborn as sns

    sns.set_theme(context="paper", style="ticks", palette=COLOURS)
    cycle = mpl.cycler(color=COLOURS) + mpl.cycler(linestyle=LINESTYLES)
    mpl.rcParams.update(
        {
            "axes.facecolor": "white",
            "axes.labelsize": 9.5,
            "axes.prop_cycle": cycle,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.figsize": (6.4, 3.6),
            "font.size": 9.5,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "lines.markersize": 5,
            "savefig.dpi": 144,
            "savefig.facecolor": "white",
            "svg.fonttype": "none",
            "svg.hashsalt": "colu",
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
        }
    )


def band(ax: Axes, x, low, centre, high, *, label: str, index: int = 0):
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

    Returns
    -------
    matplotlib.lines.Line2D
        The centre line.
    """
    n = index % len(COLOURS)
    (line,) = ax.plot(
        x, centre, color=COLOURS[n], linestyle=LINESTYLES[n], marker=MARKERS[n], markevery=0.2, label=label
    )
    ax.fill_between(np.asarray(x), low, high, color=COLOURS[n], alpha=0.2, linewidth=0)
    return line


def show_interactive(fig: Figure, *, alt: str, height: int = 480) -> None:
    """Show a plotly figure so that the built page draws it without a network.

    The output keeps plotly's plain MIME type: Jupyter draws it, the validation compares it as JSON,
    and the site turns it into a local figure whose description is ``alt``.

    Parameters
    ----------
    fig : plotly.graph_objects.Figure
    alt : str
        What the figure shows, for readers who do not see it; must not be empty.
    height : int
        Height in CSS pixels.

    Raises
    ------
    ValueError
        If ``alt`` is empty.
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty: describe in a sentence what the figure shows")
    fig.update_layout(
        template="plotly_white",
        height=height,
        meta={"alt": alt},
        font={"size": 13},
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        paper_bgcolor="white",
    )
    bundle = json.loads(fig.to_json()) | {"config": {"displaylogo": False}}
    display({"application/vnd.plotly.v1+json": bundle}, raw=True)
