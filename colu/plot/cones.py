"""Three-dimensional figures of the Lorentz cone for plotly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from colu.plot.style import COLOURS, PALETTE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Surface

__all__ = ["cone_surface", "moving_point_figure"]


def cone_surface(height: float = 2.0, angle: float = math.pi / 4, *, points: int = 25) -> Surface:
    """Boundary of the cone about the vertical axis, as a plotly surface.

    Parameters
    ----------
    height : float
        Largest axis value.
    angle : float
        Half-apex angle in radians.
    points : int
        Grid points in each direction.

    Returns
    -------
    plotly.graph_objects.Surface
        Section coordinates are horizontal, the axis is vertical.

    Examples
    --------
    >>> float(cone_surface(1.0).z.max())
    1.0
    """
    import plotly.graph_objects as go

    turn, up = np.meshgrid(np.linspace(0, 2 * np.pi, points), np.linspace(0, height, 2 + points // 4))
    radius = up * math.tan(angle)
    return go.Surface(
        x=np.round(radius * np.cos(turn), 3),
        y=np.round(radius * np.sin(turn), 3),
        z=np.round(up, 3),
        opacity=0.35,
        showscale=False,
        colorscale=[[0, PALETTE["cone"]], [1, PALETTE["cone"]]],
        hoverinfo="skip",
        name="cone",
    )


def _scatter(rows: np.ndarray, **options):
    import plotly.graph_objects as go

    rows = np.round(np.atleast_2d(rows), 3)
    # Plotly's vertical axis is z; ours is the first coordinate.
    return go.Scatter3d(x=rows[:, 1], y=rows[:, 2], z=rows[:, 0], **options)


def moving_point_figure(
    section: Sequence[float],
    heights: Sequence[float],
    maps: Mapping[str, Callable[[torch.Tensor], torch.Tensor]],
    *,
    size: float = 2.0,
) -> Figure:
    """A cone, a point that a slider moves along the axis, and where each map sends it.

    Parameters
    ----------
    section : sequence of two floats
        Section of the point; it stays.
    heights : sequence of float
        Axis values, one a slider step.
    maps : mapping of name to function
        Each takes and returns a tensor of shape (..., 3), axis first.
    size : float
        Half the width of the box.

    Returns
    -------
    plotly.graph_objects.Figure
        For :func:`colu.plot.show_interactive`.

    Examples
    --------
    >>> figure = moving_point_figure([1.0, 0.5], [-1.0, 0.0, 1.0], {"identity": lambda x: x})
    >>> len(figure.frames), len(figure.data)
    (3, 4)
    """
    import plotly.graph_objects as go

    def moving(height: float) -> list:
        point = np.array([height, *section])
        traces = [_scatter(point, mode="markers", marker={"size": 7, "color": PALETTE["axis"]}, name="input")]
        for index, (name, f) in enumerate(maps.items()):
            image = f(torch.tensor(point)).numpy()
            style = {"color": COLOURS[index], "width": 5, "dash": ("solid", "dash", "dot")[index % 3]}
            marker = {"size": [1, 7], "color": COLOURS[index], "symbol": ("circle", "square", "diamond")[index % 3]}
            rows = np.stack([point, image])
            traces.append(_scatter(rows, mode="lines+markers", line=style, marker=marker, name=name))
        return traces

    past = _scatter(
        np.array([[-size, 0, 0], [0, 0, 0]]),
        mode="lines",
        line={"color": PALETTE["cone"], "width": 6},
        name="negative half-axis",
        hoverinfo="skip",
    )
    fixed = [cone_surface(size), past]
    start = len(heights) // 2
    names = [f"{height:.2f}" for height in heights]
    moved = list(range(len(fixed), len(fixed) + 1 + len(maps)))
    figure = go.Figure(
        data=fixed + moving(heights[start]),
        frames=[
            go.Frame(name=name, data=moving(height), traces=moved)
            for name, height in zip(names, heights, strict=True)
        ],
    )
    steps = [
        {"label": name, "method": "animate", "args": [[name], {"mode": "immediate", "frame": {"duration": 0}}]}
        for name in names
    ]
    box = [-size, size]
    figure.update_layout(
        sliders=[{"active": start, "steps": steps, "currentvalue": {"prefix": "axis value of the input: "}}],
        scene={
            "xaxis": {"title": {"text": "section 1"}, "range": box},
            "yaxis": {"title": {"text": "section 2"}, "range": box},
            "zaxis": {"title": {"text": "axis"}, "range": box},
            "aspectmode": "cube",
            "camera": {"eye": {"x": 1.5, "y": -1.5, "z": 0.7}},
        },
        legend={"orientation": "h", "y": 1.05},
    )
    return figure
