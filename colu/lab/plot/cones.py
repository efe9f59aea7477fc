"""Figures of the Lorentz cone: in space, in the plane of the section, and as a phase portrait."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from .palette import PALETTE
from .slider import SliderFigure, Trace, slider_figure

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D

__all__ = ["draw_cone", "moving_point_figure", "moves", "orbit_figure", "section_figure"]

#: How far the eye is above the floor.
ELEVATION = math.radians(18)
#: Tone and mark of what has a colour in the book, and of the first, second and third thing that has none.
KNOWN = {
    "Euclidean": ("mpu", "dots"),
    "skew": ("colu", "squares"),
    "hard": ("colu", "squares"),
    "soft": ("soft", "crosses"),
}
OTHERS = (("relu", "dots"), ("colu", "squares"), ("soft", "crosses"))


def _looks(names: Iterable[str]) -> list[tuple[str, str]]:
    return [KNOWN.get(name, other) for name, other in zip(names, OTHERS, strict=False)]


def _seen(points: np.ndarray, turn: float = 0.0) -> np.ndarray:
    """Where points (axis first) are in the picture, without perspective; ``turn`` in radians, about the axis."""
    axis, first, second = np.asarray(points, dtype=float).T
    right = first * math.cos(turn) - second * math.sin(turn)
    back = first * math.sin(turn) + second * math.cos(turn)
    return np.stack([right, axis * math.cos(ELEVATION) + back * math.sin(ELEVATION)], axis=1)


def _ring(height: float, points: int = 60) -> np.ndarray:
    """The circle of the cone at a height."""
    angle = np.linspace(0, 2 * math.pi, points + 1)
    return np.stack([np.full_like(angle, height), height * np.cos(angle), height * np.sin(angle)], axis=1)


def moving_point_figure(
    section: Sequence[float],
    heights: Sequence[float],
    maps: Mapping[str, Callable[[torch.Tensor], torch.Tensor]],
    *,
    alt: str,
    size: float = 2.0,
) -> SliderFigure:
    """A cone, a point that a slider moves along the axis, and where each map sends it; another slider turns the view.

    Parameters
    ----------
    section : sequence of two floats
        Section of the point; it stays.
    heights : sequence of float
        Axis values, one a slider step; one at two thirds is shown first.
    maps : mapping of name to function
        At most three; each takes and returns a tensor of shape (..., 3), axis first.
    alt : str
        What the figure shows, for readers who do not see it.
    size : float
        Height of the cone.

    Returns
    -------
    SliderFigure
        See :func:`slider_figure`.

    Examples
    --------
    >>> figure = moving_point_figure([1.0, 0.5], [-1.0, 0.0, 1.0], {"identity": lambda x: x}, alt="A point rises.")
    >>> figure.controls["axis value of the input"]
    ['−1', '0', '1']
    """
    reach = size * (math.cos(ELEVATION) + math.sin(ELEVATION))
    # Where the outline of the cone leaves the rim of its opening.
    edge = -math.tan(ELEVATION)
    sides = [[size, size * sign * math.sqrt(1 - edge**2), size * edge] for sign in (-1, 1)]
    rim = _seen(_ring(size))
    still = [
        Trace(_seen([sides[0], [0, 0, 0], sides[1]]), "", "cone", "area"),
        Trace(rim, "the cone", "cone", "area"),
        Trace(_seen([[-size, 0, 0], [0, 0, 0]]), "negative half-axis", "cone", "line"),
        Trace(_seen([[0, 0, 0], [size, 0, 0]]), "", "neutral", "dashed"),
    ]

    def draw(height: float, turned: str) -> list[Trace]:
        turn = math.radians(float(turned.removesuffix("°")))
        point = np.array([height, *section])
        traces = [Trace(_seen(_ring(max(height, 0.0))), "the cone at this height", "neutral", "thin")]
        for (name, f), (tone, mark) in zip(maps.items(), _looks(maps), strict=False):
            image = f(torch.tensor(point)).numpy()
            path = _seen([point, image], turn)
            traces += [Trace(path, "", tone, "line"), Trace(path[1:], name, tone, mark)]
        return [*traces, Trace(_seen([point], turn), "input", "axis", "dots")]

    return slider_figure(
        draw,
        {"axis value of the input": heights, "view turned by": [f"{angle}°" for angle in range(-90, 91, 15)]},
        alt=alt,
        xlim=(-1.5 * size, 1.5 * size),
        ylim=(-1.05 * size, 1.03 * reach),
        start={"axis value of the input": heights[2 * len(heights) // 3], "view turned by": "0°"},
        still=still,
        equal=True,
    )


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


def moves(starts: torch.Tensor, ends: torch.Tensor) -> list[Trace]:
    """Lines from points to their images, and the images.

    Parameters
    ----------
    starts, ends : torch.Tensor, shape (n, 2)
        In the order of the picture, sideways first.

    Returns
    -------
    list of Trace
        For a frame of :func:`slider_figure`.

    Examples
    --------
    >>> lines, images = moves(torch.zeros(1, 2), torch.ones(1, 2))
    >>> images.points.tolist()
    [[1.0, 1.0]]
    """
    gaps = torch.full_like(starts, math.nan)  # so that the lines do not join up
    lines = torch.stack([starts, ends, gaps], dim=1).reshape(-1, 2)
    return [Trace(lines.numpy(), "move", "neutral", "thin"), Trace(ends.numpy(), "output", "colu", "dots")]


def section_figure(
    sections: torch.Tensor, levels: Sequence[float], f: Callable[[torch.Tensor], torch.Tensor], *, alt: str
) -> SliderFigure:
    """The plane of the section: where a map of cones of dimension 3 sends points, by axis value.

    Parameters
    ----------
    sections : torch.Tensor, shape (n, 2)
    levels : sequence of float
        Axis values, one a slider step; the middle one is shown first.
    f : callable
        Takes and returns a tensor of shape (n, 3), axis first.
    alt : str
        What the figure shows, for readers who do not see it.

    Returns
    -------
    SliderFigure
        See :func:`slider_figure`.

    Examples
    --------
    >>> figure = section_figure(torch.eye(2), [0.0, 1.0], lambda x: x, alt="Two points that stay.")
    >>> len(figure.frames)
    2
    """

    def draw(level: float) -> list[Trace]:
        column = torch.full_like(sections[:, :1], level)
        image = f(torch.cat([column, sections], dim=1))[:, 1:]
        circle = Trace(_ring(max(level, 0.0))[:, 1:], "circle of the axis value", "cone", "thin")
        return [circle, *moves(sections, image)]

    size = 1.1 * float(sections.abs().max())
    return slider_figure(
        draw,
        {"axis value": levels},
        alt=alt,
        xlim=(-size, size),
        ylim=(-size, size),
        xlabel="section 1",
        ylabel="section 2",
        start={"axis value": levels[len(levels) // 2]},
        equal=True,
    )


def orbit_figure(orbits: Mapping[str, torch.Tensor], *, alt: str, size: float = 2.0) -> SliderFigure:
    """A phase portrait: where points of the plane are after each pass of some maps.

    Parameters
    ----------
    orbits : mapping of name to torch.Tensor, shape (passes + 1, n, 2)
        At most three: positions after 0, 1, 2, ... passes, axis first; the same starts for all.
    alt : str
        What the figure shows, for readers who do not see it.
    size : float
        Half the width of the picture.

    Returns
    -------
    SliderFigure
        See :func:`slider_figure`; the slider sets the number of passes.

    Raises
    ------
    ValueError
        If the shapes differ or are not as above.

    Examples
    --------
    >>> path = torch.tensor([[[1.0, 2.0]], [[1.0, 1.0]]])
    >>> orbit_figure({"hard": path}, alt="One point moves once.").controls
    {'passes': ['0', '1']}
    """
    shapes = {tuple(path.shape) for path in orbits.values()}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 3 or shape[2] != 2:
        raise ValueError(f"orbits have the shapes {sorted(shapes)}; use one shape (passes + 1, n, 2) for all")

    def draw(count: int) -> list[Trace]:
        return [
            Trace(path[count].flip(-1).numpy(), name, tone, mark)
            for (name, path), (tone, mark) in zip(orbits.items(), _looks(orbits), strict=False)
        ]

    starts = next(iter(orbits.values()))[0].flip(-1)
    return slider_figure(
        draw,
        {"passes": range(shape[0])},
        alt=alt,
        xlim=(-size, size),
        ylim=(-0.9 * size, 0.9 * size),
        xlabel="section",
        ylabel="axis",
        start={"passes": min(1, shape[0] - 1)},
        still=[
            Trace([[0, 0], [-size, size], [size, size]], "cone", "cone", "area"),
            Trace(starts.numpy(), "start", "neutral", "rings"),
        ],
        equal=True,
    )
