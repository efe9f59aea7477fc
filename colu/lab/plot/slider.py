"""Figures that native sliders change: computed here, drawn as SVG, moved by a script of thirty lines.

Every frame is computed by the package when the figure is made, so the page holds no second definition of a map.
Where no script runs, on paper and in an EPUB, the first frame is the picture.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from .palette import PALETTE

__all__ = ["SliderFigure", "Trace", "slider_figure"]

FOLDER = Path(__file__).parent
#: Units of the picture: its width, the room beside the axes, the size of its letters, and the height of a line of them.
WIDTH, LEFT, LETTERS, LINE = 480, 58, 14, 22
#: Coordinates are whole numbers of a tenth of a unit, which keeps a hundred frames small.
FINE = 10
#: How a trace looks; a mark is a stroke of no length, whose end is round or square.
MARKS = {
    "line": 'fill="none" stroke-width="25"',
    "dashed": 'fill="none" stroke-width="25" stroke-dasharray="80 50"',
    "thin": 'fill="none" stroke-width="12"',
    "dots": 'fill="none" stroke-width="80" stroke-linecap="round"',
    "squares": 'fill="none" stroke-width="60" stroke-linecap="square"',
    "crosses": 'fill="none" stroke-width="12"',
    "rings": 'fill="none" stroke-width="12"',
    "area": 'stroke="none" fill-opacity="0.25"',
}


#: What is drawn at a point of each kind of mark.
_SHAPES = {
    "dots": "h.1",
    "squares": "h.1",
    "crosses": "m-30-30l60 60m0-60l-60 60",
    "rings": "m-30 0a30 30 0 1 0 60 0a30 30 0 1 0-60 0",
}


@dataclass(frozen=True)
class Trace:
    """One line, one set of marks or one area of a frame.

    Parameters
    ----------
    points : array_like, shape (n, 2)
        In the units of the axes; a row of NaN breaks a line.
    label : str
        Name in the legend; none where it is empty.
    tone : str
        A key of :data:`colu.lab.plot.PALETTE`.
    mark : {"line", "dashed", "thin", "dots", "squares", "crosses", "rings", "area"}
        How it is drawn.

    Raises
    ------
    ValueError
        For another tone, mark or shape.

    Examples
    --------
    >>> Trace([[0, 0], [1, 1]], "value", "colu").mark
    'line'
    """

    points: np.ndarray
    label: str = ""
    tone: str = "neutral"
    mark: str = "line"

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", np.asarray(self.points, dtype=float))
        if self.points.ndim != 2 or self.points.shape[1] != 2:
            raise ValueError(f"points have the shape {self.points.shape}, wanted (n, 2)")
        for name, value, known in (("tone", self.tone, PALETTE), ("mark", self.mark, MARKS)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, choose one of {', '.join(known)}")


class SliderFigure:
    """A picture with one native slider a control; a notebook shows it where it is the last value of a cell.

    Made by :func:`slider_figure`.

    Attributes
    ----------
    controls : dict of str to list of str
        What each slider sets, and its values as they are said.
    frames : list of list of str
        For each combination of values, the last control fastest, the SVG path of each trace.
    alt : str
        What the figure shows.
    svg : str
        The picture of the frame that is shown first.
    """

    def __init__(
        self, controls: dict[str, list[str]], frames: list[list[str]], svg: str, start: tuple[int, ...], alt: str
    ):
        self.controls, self.frames, self.svg, self.start, self.alt = controls, frames, svg, start, alt

    def html(self, *, alone: bool = True) -> str:
        """The figure as HTML.

        Parameters
        ----------
        alone : bool
            With its script and style, for a page that does not load them.
        """
        known: dict[str, int] = {}
        frames = [[known.setdefault(path, len(known)) for path in frame] for frame in self.frames]
        data = {"controls": list(self.controls.values()), "paths": list(known), "frames": frames}
        # "<" written as an escape cannot close the script element.
        told = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        sliders = "\n".join(
            f'<label><span>{escape(name)}: <output>{escape(values[at])}</output></span><input type="range" min="0" '
            f'max="{len(values) - 1}" step="1" value="{at}" aria-label="{escape(name)}" '
            f'aria-valuetext="{escape(values[at])}"></label>'
            for (name, values), at in zip(self.controls.items(), self.start, strict=True)
        )
        # The site loads both once for all of its pages, and knows them by the attribute.
        inline = "".join(
            f"<{tag} data-colu>{(FOLDER / name).read_text(encoding='utf8')}</{tag}>\n"
            for tag, name in (("style", "slider.css"), ("script", "slider.js"))
        )
        return (
            f'<div class="colu-slider" role="figure" aria-label="{escape(self.alt)}">\n{self.svg}\n'
            f'<div class="colu-sliders" hidden>\n{sliders}\n</div>\n'
            f'<script type="application/json">{told}</script>\n</div>\n' + (inline if alone else "")
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"[Figure with a slider: {self.alt}]"


@dataclass(frozen=True)
class _Window:
    """The part of the plane that is seen, and where it lies in the picture."""

    xlim: tuple[float, float]
    ylim: tuple[float, float]
    top: float
    width: float
    height: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Places in the window, in fine units from its upper left corner."""
        low, high = np.array([self.xlim[0], self.ylim[1]]), np.array([self.xlim[1], self.ylim[0]])
        return (points - low) / (high - low) * np.array([self.width, self.height]) * FINE


def _thinned(points: np.ndarray, room: float = 1.0) -> np.ndarray:
    """The fewest corners of a line that keep within ``room`` of it (Ramer 1972; Douglas and Peucker 1973)."""
    keep, parts = {0, len(points) - 1}, [(0, len(points) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        between, (dx, dy) = points[first + 1 : last] - points[first], points[last] - points[first]
        length = np.hypot(dx, dy)
        away = np.abs(between[:, 0] * dy - between[:, 1] * dx) / length if length else np.hypot(*between.T)
        far = int(away.argmax())
        if away[far] > room:
            middle = first + 1 + far
            keep.add(middle)
            parts += [(first, middle), (middle, last)]
    return points[sorted(keep)]


def _path(trace: Trace, window: _Window) -> str:
    """The ``d`` of a trace's path element."""
    # Far outside of the window a place need not be exact, only not become too long a number.
    places = np.clip(window(trace.points), -99_999, 99_999)
    gone = ~np.isfinite(places).all(axis=1)
    if shape := _SHAPES.get(trace.mark):
        return "".join(f"M{x:.0f} {y:.0f}{shape}" for x, y in places[~gone])
    found = []
    for run in np.split(places, np.flatnonzero(gone)):
        run = run[np.isfinite(run).all(axis=1)]
        if len(run):
            corners = np.rint(_thinned(run)).astype(int)
            steps = "".join(f"l{dx} {dy}".replace(" -", "-") for dx, dy in np.diff(corners, axis=0))
            found.append(f"M{corners[0, 0]} {corners[0, 1]}{steps}" + "Z" * (trace.mark == "area"))
    return "".join(found)


def _element(trace: Trace, path: str, attributes: str = "") -> str:
    """A trace's path element; the colour can be replaced by a style sheet, by its tone."""
    colour = "currentColor" if trace.tone == "axis" else PALETTE[trace.tone]
    paint = "fill" if trace.mark == "area" else "stroke"
    return f'<path class="tone-{trace.tone}" {MARKS[trace.mark]} {paint}="{colour}" {attributes}d="{path}"/>'


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers between two."""
    raw = (high - low) / 5
    size = 10.0 ** np.floor(np.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if raw <= size * factor)
    return [float(step * k) for k in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def _said(value: float | str) -> str:
    """A value as it is written."""
    return value if isinstance(value, str) else f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _text(x: float, y: float, said: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{x:.4g}" y="{y:.4g}" text-anchor="{anchor}"{more}>{escape(said)}</text>'


def _legend(traces: Sequence[Trace]) -> tuple[list[str], float]:
    """The keys of the labelled traces, in lines, and the height that they take."""
    parts, x, y = [], 0.0, 0.0
    named = list({trace.label: trace for trace in traces if trace.label}.values())
    for trace in named:
        wide = 46 + 7.4 * len(trace.label)
        if x and x + wide > WIDTH:
            x, y = 0.0, y + LINE
        ends = {"area": [[0, 0], [26, 0], [26, 12], [0, 12]], "line": [[0, 6], [26, 6]]}
        ends = ends.get(trace.mark, [[13, 6]] if trace.mark in _SHAPES else ends["line"])
        key = _path(Trace(ends, "", trace.tone, trace.mark), _Window((0, 1), (0, -1), 0, 1, 1))
        parts.append(f'<g transform="translate({x:.4g} {y + 4:.4g}) scale({1 / FINE})">{_element(trace, key)}</g>')
        parts.append(_text(x + 32, y + 15, trace.label, "start"))
        x += wide
    return parts, (y + LINE + 6 if named else 6.0)


def _axes(window: _Window, xlabel: str, ylabel: str) -> list[str]:
    """The frame of the window, its ticks and what they count."""
    bottom, right = window.top + window.height, LEFT + window.width
    parts = [
        f'<path fill="none" stroke="currentColor" d="M{LEFT} {window.top:.4g}V{bottom:.4g}H{right:.4g}"/>',
        _text(LEFT + window.width / 2, bottom + 2 * LINE, xlabel),
    ]
    for x in _ticks(*window.xlim):
        at = LEFT + float(window(np.array([[x, 0.0]]))[0, 0]) / FINE
        parts.append(f'<path stroke="currentColor" d="M{at:.4g} {bottom:.4g}v5"/>')
        parts.append(_text(at, bottom + LINE - 2, _said(x)))
    for y in _ticks(*window.ylim):
        at = window.top + float(window(np.array([[0.0, y]]))[0, 1]) / FINE
        parts.append(f'<path stroke="currentColor" d="M{LEFT - 5} {at:.4g}h5"/>')
        parts.append(_text(LEFT - 9, at + 5, _said(y), "end"))
    middle = window.top + window.height / 2
    parts.append(_text(LETTERS, middle, ylabel, more=f' transform="rotate(-90 {LETTERS} {middle:.4g})"'))
    return parts


def slider_figure(
    draw: Callable[..., Sequence[Trace]],
    controls: Mapping[str, Sequence[float | str]],
    *,
    alt: str,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    xlabel: str = "",
    ylabel: str = "",
    start: Mapping[str, float | str] | None = None,
    still: Sequence[Trace] = (),
    equal: bool = False,
) -> SliderFigure:
    """A figure that one native slider a control changes.

    Parameters
    ----------
    draw : callable
        Takes one value of each control and returns the traces of that frame, as many and as labelled for all.
    controls : mapping of name to sequence
        What each slider sets, and its values; all combinations are drawn at once, so a few hundred are enough.
    alt : str
        What the figure shows, for readers who do not see it.
    xlim, ylim : tuple of float
        What is seen of the plane.
    xlabel, ylabel : str
        What the axes count, with unit; without both no axes are drawn.
    start : mapping of name to value, optional
        Of the first frame, for controls that do not begin at their first value.
    still : sequence of Trace
        What is drawn under every frame.
    equal : bool
        Whether a unit is as long upwards as sideways.

    Returns
    -------
    SliderFigure
        The last line of a cell shows it.

    Raises
    ------
    ValueError
        Without a description or a control, for a start that no control has, or where frames differ in their traces.

    Examples
    --------
    >>> line = lambda slope: [Trace([[-1, -slope], [1, slope]], "line", "colu")]
    >>> figure = slider_figure(line, {"slope": [0, 1, 2]}, alt="A line that turns.", xlim=(-1, 1), ylim=(-2, 2))
    >>> len(figure.frames), figure.controls
    (3, {'slope': ['0', '1', '2']})
    """
    if not alt.strip():
        raise ValueError("alt is empty: describe in a sentence what the figure shows")
    if not controls or not all(map(len, controls.values())):
        raise ValueError(f"controls is {dict(controls)!r}, wanted at least one name with its values")
    places = []
    for name, values in controls.items():
        wanted = (start or {}).get(name, values[0])
        if wanted not in list(values):
            raise ValueError(f"start has {name!r} at {wanted!r}, choose one of {list(values)!r}")
        places.append(list(values).index(wanted))
    drawn = [list(draw(*values)) for values in itertools.product(*controls.values())]
    begin = int(np.ravel_multi_index(places, [len(values) for values in controls.values()]))
    first = drawn[begin]
    looks = {tuple((trace.label, trace.tone, trace.mark) for trace in frame) for frame in drawn}
    if len(looks) > 1:
        raise ValueError("frames differ in number, labels, tones or marks of their traces; draw the same ones for all")

    legend, top = _legend([*still, *first])
    axes = bool(xlabel or ylabel)
    left, width = (LEFT, WIDTH - LEFT - 8) if axes else (0, WIDTH)
    height = width * (ylim[1] - ylim[0]) / (xlim[1] - xlim[0]) if equal else 0.62 * width
    window = _Window(xlim, ylim, top, width, height)
    frames = [[_path(trace, window) for trace in frame] for frame in drawn]
    moving = [_element(trace, path, 'data-trace="" ') for trace, path in zip(first, frames[begin], strict=True)]
    total = top + height + (2 * LINE + 8 if axes else 4)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total:.4g}" font-size="{LETTERS}" '
        'font-family="sans-serif" fill="currentColor" aria-hidden="true">',
        *legend,
        f'<svg x="{left}" y="{top:.4g}" width="{width}" height="{height:.4g}" '
        f'viewBox="0 0 {width * FINE} {height * FINE:.5g}">',
        *[_element(trace, _path(trace, window)) for trace in still],
        *moving,
        "</svg>",
        *(_axes(window, xlabel, ylabel) if axes else ()),
        "</svg>",
    ]
    said = {name: list(map(_said, values)) for name, values in controls.items()}
    return SliderFigure(said, frames, "\n".join(parts), tuple(places), alt.strip())
