"""Static twins of the interactive figures: matplotlib's drawing as the text of an SVG."""

from __future__ import annotations

import io
from collections.abc import Callable

__all__ = ["drawn"]


def drawn(draw: Callable, shape: tuple[int, int] = (1, 1), size: tuple[float, float] = (7.4, 3.8)) -> str:
    """Draw in the book's style, without a window.

    Parameters
    ----------
    draw : callable
        Takes the figure and its axes, an array of ``shape``.
    shape : pair of int
        Rows and columns of axes.
    size : pair of float
        In inches.

    Returns
    -------
    str
        The SVG, the same at each call.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from colu.lab.plot import use_style

    with mpl.rc_context():
        use_style()
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure, figure.subplots(*shape, squeeze=False))
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
