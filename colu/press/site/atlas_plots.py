"""The drawings of the atlas, as SVG in the page itself: their colours follow the page's mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from colu.lab.plot import dark_colour, look
from colu.lab.plot.palette import PALETTE
from colu.nn import get_entry

from .atlas_curves import GRID, LEVELS, RAYS, plane_maps

__all__ = [
    "FRAMES", "colours", "curves_at", "finding", "lines", "panel", "picture", "rings", "spread", "thinned",
    "thumbnail", "write_pictures",
]  # fmt: skip

#: Of what has no look of its own: the colour of its family.
FAMILY = {
    "acon": "gate", "conic": "colu", "gated": "mpu", "glu": "gate", "isometric": "lslu", "lslu": "lslu",
    "piecewise": "relu", "rational": "lslu", "simplex": "axis", "smooth": "gate", "dynamic": "relu",
}  # fmt: skip
#: Size and margins of a panel, which ``atlas.js`` has, too.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 260, 38, 10, 10, 34
#: What the upward axis of each kind of panel says.
UP = {"value": "output", "slope": "derivative"}
#: The level of the second channel with which a map of several is drawn.
LEVEL = LEVELS.index(1.0)
#: The range of the comparison, upwards: one for all, so that they can be compared.
FRAMES = {"value": (-4.2, 4.2), "slope": (-1.2, 2.2)}


def colours(name: str, family: str) -> str:
    """The two colours of a unit as CSS variables, for light pages and for dark ones.

    Examples
    --------
    >>> colours("relu", "pointwise")
    '--light:#0072B2;--dark:#66bdec'
    """
    try:
        colour = look(name)["color"]
    except ValueError:
        colour = PALETTE[FAMILY.get(family, "neutral")]
    return f"--light:{colour};--dark:{dark_colour(colour)}"


def curves_at(name: str, level: int = LEVEL) -> dict[str, list[list[float]]] | None:
    """Values and slopes of a unit over the grid, a list an output; None where no plane can show it."""
    facts = plane_maps()["units"].get(name)
    return None if facts is None else facts["curves"][0 if facts["pointwise"] else level]


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def finding(name: str, title: str) -> str:
    """What the plot of a unit shows, in words.

    Examples
    --------
    >>> finding("relu", "ReLU").split(";")[0]
    'From −4 to 4 the output of ReLU goes from 0 to 4'
    """
    curves = curves_at(name)
    if curves is None:
        return f"{title} {plane_maps()['left_out'][name]}; it is not drawn."
    said = f"the output of {title} {_course(curves['value'][0])}; its derivative {_lies(curves['slope'][0])}."
    if plane_maps()["units"][name]["pointwise"]:
        return f"From \N{MINUS SIGN}4 to 4 {said}"
    first = said.replace("the output", "the first output", 1).replace("its derivative", "the derivative of that", 1)
    where = f"With the second channel at {LEVELS[LEVEL]:g}, and the first from \N{MINUS SIGN}4 to 4, {first}"
    if not any(curves["value"][1]):
        return where
    return f"{where} The second output, drawn fainter, {_lies(curves['value'][1])}."


def _lies(values: Sequence[float]) -> str:
    low, high = _short(min(values)), _short(max(values))
    return f"is {low} throughout" if low == high else f"lies between {low} and {high}"


def _course(values: Sequence[float]) -> str:
    first, last = _short(values[0]), _short(values[-1])
    low, high = _short(min(values)), _short(max(values))
    if low == high:
        return f"is {low} throughout"
    between = "" if {low, high} == {first, last} else f", and lies between {low} and {high}"
    return f"goes from {first} to {last}{between}"


def thinned(points: Sequence[tuple[float, float]], error: float) -> list[tuple[float, float]]:
    """A line without the points that lie, upwards, no further than an error from the line that is left.

    Examples
    --------
    >>> thinned([(0, 0), (1, 1), (2, 2), (3, 0)], 0.01)
    [(0, 0), (2, 2), (3, 0)]
    """
    kept, first = [points[0]], 0

    def off(last: int) -> float:
        (x0, y0), (x1, y1) = points[first], points[last]
        slope = (y1 - y0) / (x1 - x0)
        return max((abs(y - y0 - slope * (x - x0)) for x, y in points[first + 1 : last]), default=0.0)

    for last in range(2, len(points)):
        if off(last) > error:
            first = last - 1
            kept.append(points[first])
    return [*kept, points[-1]]


def _line(points: Iterable[tuple[float, float]], kind: str) -> str:
    text = " ".join(f"{x:.4g},{y:.4g}" for x, y in points)
    return f'<polyline class="{kind}" points="{text}"/>'


def lines(columns: Sequence[Sequence[float]], error: float = 0.002) -> str:
    """The outputs of a unit over the grid, as lines in the units of the numbers."""
    drawn = (thinned(list(zip(GRID, column, strict=True)), error) for column in columns)
    return "".join(_line(points, f"output-{output}") for output, points in enumerate(drawn))


def thumbnail(name: str) -> str:
    """The curve of a unit, small, or its axes alone; all have one range, so that they can be compared."""
    curves = curves_at(name)
    drawn = "" if curves is None else lines(curves["value"], 0.02)
    return (
        '<svg class="thumb" viewBox="-4 -3 8 6" aria-hidden="true"><path class="zero" d="M-4 0H4M0-3V3"/>'
        f'<g transform="scale(1 -1)">{drawn}</g></svg>'
    )


def _step(span: float) -> float:
    power = 10 ** math.floor(math.log10(span / 5))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= span / 5)


def _frame(xs: tuple[float, float], ys: tuple[float, float], across: str, up: str, inside: str) -> str:
    """Axes, and what lies inside them in the units of the numbers."""

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(LEFT + (x - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - (y - ys[0]) / (ys[1] - ys[0]) * (HEIGHT - TOP - BOTTOM), 1),
        )

    parts = []
    for k, (low, high) in enumerate((xs, ys)):
        step = _step(high - low)
        for at in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1):
            x, y = place(at * step, ys[0]) if k == 0 else place(xs[0], at * step)
            line = f"M{x:g} {TOP}V{HEIGHT - BOTTOM}" if k == 0 else f"M{LEFT} {y:g}H{WIDTH - RIGHT}"
            where = f'x="{x:g}" y="{y + 14:g}" text-anchor="middle"' if k == 0 else f'x="{x - 4:g}" y="{y + 4:g}"'
            anchor = "" if k == 0 else ' text-anchor="end"'
            parts.append(f'<path class="{"grid" if at else "zero"}" d="{line}"/>')
            parts.append(f"<text {where}{anchor}>{_short(at * step)}</text>")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 4}" text-anchor="middle">{across}</text>')
    turned = f'transform="rotate(-90 10 {middle:g})"'
    parts.append(f'<text x="10" y="{middle:g}" text-anchor="middle" {turned}>{up}</text>')
    box = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
    view = f'viewBox="{xs[0]:.5g} {-ys[1]:.5g} {xs[1] - xs[0]:.5g} {ys[1] - ys[0]:.5g}"'
    parts.append(f'<svg {box} {view} preserveAspectRatio="none"><g transform="scale(1 -1)">{inside}</g></svg>')
    return "".join(parts)


def spread(columns: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The range of a panel that shows one unit: at least from -1 to 1."""
    values = [value for column in columns for value in column]
    low, high = min(*values, -1.0), max(*values, 1.0)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def panel(kind: str, inside: str, ys: tuple[float, float]) -> str:
    """What stands in the SVG of a panel of values or slopes."""
    return _frame((GRID[0], GRID[-1]), ys, "first channel in", UP[kind], inside)


def rings(name: str) -> str:
    """Eight rings about the origin, faint, and where a unit sends them."""
    data = plane_maps()
    image = data["units"][name]["cloud"]
    reach = 1.05 * max(abs(value) for columns in (image, data["input"]) for column in columns for value in column)
    wide = reach * (WIDTH - LEFT - RIGHT) / (HEIGHT - TOP - BOTTOM)
    radii = [data["input"][0][first] for first in range(0, len(image[0]), RAYS)]
    drawn = "".join(f'<circle class="ring" r="{radius:.4g}"/>' for radius in radii)
    for first in range(0, len(image[0]), RAYS):
        around = [*range(first, first + RAYS), first]
        drawn += _line([(image[0][k], image[1][k]) for k in around], "ring")
    return _frame((-wide, wide), (-reach, reach), "first channel out", "second channel out", drawn)


#: The rules of the page's style that a picture by itself needs.
_STYLE = (
    "text{font:11px sans-serif}.grid{stroke:#b9c0c8;stroke-width:.4}.zero{stroke:#222;stroke-width:.8}"
    "polyline{fill:none;vector-effect:non-scaling-stroke;stroke:var(--light);stroke-width:2.2}.output-1{stroke-width:1.3;opacity:.65}"
)


def picture(name: str, kind: str) -> str:
    """One panel of a unit as a file, for readers of an EPUB."""
    colour = colours(name, get_entry(name).family)
    columns = curves_at(name)[kind]
    inside = panel(kind, lines(columns), spread(columns))
    shade = colour.split(":")[1].split(";")[0]
    style = _STYLE.replace("var(--light)", shade)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f"<style>{style}</style>{inside}</svg>"
    )


def write_pictures(static: Path, names: Iterable[str]) -> None:
    """Write the two panels of each unit that is drawn, ``atlas/NAME-value.svg`` and ``-slope.svg``."""
    (static / "atlas").mkdir(exist_ok=True, parents=True)
    for name in sorted(names):
        for kind in ("value", "slope") if curves_at(name) else ():
            (static / "atlas" / f"{name}-{kind}.svg").write_text(picture(name, kind), encoding="utf8")
