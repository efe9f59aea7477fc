"""Three-dimensional figures of the Lorentz cone for plotly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from .style import COLOURS, PALETTE

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D
    from plotly.graph_objects import Figure, Surface

__all__ = ["cone_surface", "draw_cone", "moving_point_figure", "orbit_figure", "section_figure"]


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
        For :func:`colu.lab.plot.show_interactive`.

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
            marker = {"size": [1, 10], "color": COLOURS[index], "symbol": ("circle", "square", "diamond")[index % 3]}
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
            go.Frame(name=name, data=moving(height), traces=moved) for name, height in zip(names, heights, strict=True)
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
            "camera": {"eye": {"x": 1.7, "y": -1.7, "z": 0.8}, "center": {"x": 0, "y": 0, "z": -0.15}},
        },
        legend={"orientation": "h", "y": 1.05},
    )
    return figure


def draw_cone(ax: Axes3D, *, size: float = 1.6, target: bool = True) -> None:
    """Draw the 45 degree cone on a matplotlib 3-D axes whose zorder is not computed.

    Parameters
    ----------
    ax : matplotlib 3-D axes
        Made with ``subplot_kw={"projection": "3d", "computed_zorder": False}``,
        so that what is drawn later lies on top.
    size : float
        Half the width of the box.
    target : bool
        Whether to draw the negative half-axis, which belongs to the target of the skew projection.
    """
    turn, up = np.meshgrid(np.linspace(0, 2 * np.pi, 33), np.linspace(0, size, 5))
    ax.plot_surface(up * np.cos(turn), up * np.sin(turn), up, color=PALETTE["cone"], alpha=0.3, linewidth=0)
    if target:
        ax.plot([0, 0], [0, 0], [-size, 0], color=PALETTE["cone"], linewidth=3, linestyle="-")
    box = (-size, size)
    ax.set(xlim=box, ylim=box, zlim=box, xticks=[], yticks=[], zticks=[-1, 0, 1])
    ax.view_init(elev=15, azim=-35)


def section_figure(
    sections: torch.Tensor, levels: Sequence[float], f: Callable[[torch.Tensor], torch.Tensor]
) -> Figure:
    """The plane of the section: where a map of cones of dimension 3 sends points, by axis value.

    Parameters
    ----------
    sections : torch.Tensor, shape (n, 2)
    levels : sequence of float
        Axis values, one a slider step.
    f : callable
        Takes and returns a tensor of shape (n, 3), axis first.

    Returns
    -------
    plotly.graph_objects.Figure
        For :func:`colu.lab.plot.show_interactive`.

    Examples
    --------
    >>> figure = section_figure(torch.eye(2), [0.0, 1.0], lambda x: x)
    >>> len(figure.frames), figure.data[1].x.tolist()
    (2, [1.0, 0.0])
    """
    import plotly.graph_objects as go

    def traces(level: float) -> list:
        column = torch.full_like(sections[:, :1], level)
        image = f(torch.cat([column, sections], dim=1))[:, 1:]
        gaps = torch.full_like(sections, math.nan)  # so that the lines do not join up
        paths = torch.stack([sections, image, gaps], dim=1).reshape(-1, 2).round(decimals=3).numpy()
        ends = image.round(decimals=3).numpy()
        return [
            go.Scatter(x=paths[:, 0], y=paths[:, 1], mode="lines", line={"color": PALETTE["neutral"]}, name="move"),
            go.Scatter(x=ends[:, 0], y=ends[:, 1], mode="markers", marker={"color": PALETTE["colu"]}, name="output"),
        ]

    names = [f"{level:.2f}" for level in levels]
    frames = [go.Frame(name=name, data=traces(level)) for name, level in zip(names, levels, strict=True)]
    steps = [
        {"label": name, "method": "animate", "args": [[name], {"mode": "immediate", "frame": {"duration": 0}}]}
        for name in names
    ]
    start = len(levels) // 2
    figure = go.Figure(data=traces(levels[start]), frames=frames)
    size = 1.1 * float(sections.abs().max())
    figure.update_xaxes(title="section 1", range=[-size, size], constrain="domain")
    figure.update_yaxes(title="section 2", range=[-size, size], scaleanchor="x")
    figure.update_layout(
        sliders=[{"active": start, "steps": steps, "currentvalue": {"prefix": "axis value: "}, "pad": {"t": 60}}],
        legend={"orientation": "h", "y": 1.08},
    )
    return figure


def orbit_figure(orbits: Mapping[str, torch.Tensor], *, size: float = 2.0) -> Figure:
    """A phase portrait: where points of the plane are after each pass of some maps.

    Parameters
    ----------
    orbits : mapping of name to torch.Tensor, shape (passes + 1, n, 2)
        Positions after 0, 1, 2, ... passes, axis first; the same starts for all.
    size : float
        Half the width of the picture.

    Returns
    -------
    plotly.graph_objects.Figure
        For :func:`colu.lab.plot.show_interactive`; a slider sets the number of passes.

    Raises
    ------
    ValueError
        If the shapes differ or are not as above.

    Examples
    --------
    >>> path = torch.tensor([[[1.0, 2.0]], [[1.0, 1.0]]])
    >>> figure = orbit_figure({"hard": path})
    >>> len(figure.frames), figure.frames[1].data[0].x.tolist()
    (2, [1.0])
    """
    import plotly.graph_objects as go

    shapes = {tuple(path.shape) for path in orbits.values()}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 3 or shape[2] != 2:
        raise ValueError(f"orbits have the shapes {sorted(shapes)}; use one shape (passes + 1, n, 2) for all")

    def traces(count: int) -> list:
        look = (("circle", 8), ("square-open", 9), ("diamond-open", 9))
        return [
            go.Scatter(
                x=path[count, :, 1].numpy().round(3),
                y=path[count, :, 0].numpy().round(3),
                mode="markers",
                marker={"color": COLOURS[index], "symbol": look[index % 3][0], "size": look[index % 3][1]},
                name=name,
            )
            for index, (name, path) in enumerate(orbits.items())
        ]

    frames = [go.Frame(name=str(count), data=traces(count)) for count in range(shape[0])]
    steps = [
        {"label": f.name, "method": "animate", "args": [[f.name], {"mode": "immediate", "frame": {"duration": 0}}]}
        for f in frames
    ]
    first = next(iter(orbits.values()))[0].numpy().round(3)
    starts = {"symbol": "x-thin", "size": 7, "line": {"width": 1, "color": PALETTE["neutral"]}}
    cone = {"fill": "toself", "line": {"width": 0}, "fillcolor": "rgba(120, 120, 120, 0.15)"}
    still = [
        go.Scatter(x=first[:, 1], y=first[:, 0], mode="markers", marker=starts, name="start"),
        go.Scatter(x=[0, -size, size, 0], y=[0, size, size, 0], mode="lines", name="cone", hoverinfo="skip", **cone),
    ]
    # Frames replace the first traces, so those that stay come last.
    begin = min(1, shape[0] - 1)
    figure = go.Figure(data=[*traces(begin), *still], frames=frames)
    figure.update_xaxes(title="section", range=[-size, size], scaleanchor="y", constrain="domain")
    figure.update_yaxes(title="axis", range=[-0.9 * size, 0.9 * size])
    figure.update_layout(
        sliders=[{"active": begin, "steps": steps, "currentvalue": {"prefix": "passes: "}, "pad": {"t": 60}}],
        legend={"orientation": "h", "y": 1.08},
    )
    return figure
