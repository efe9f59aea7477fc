"""A second form of a figure, for a telephone: panels that stand side by side stand one above the other.

Up to three panels stand in one column; more have as many columns as keep their width. What keeps its rows, and is only
made narrower: a single panel, and pictures in several rows, which are read along the row and down the column. A figure
that a telephone shows as it is has no second form.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .modes import letter_size
from .svg import as_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

__all__ = ["COLUMN", "LETTERS", "narrow_svg"]

#: Pixels that the smallest letters of a figure, exponents too, have on a telephone at least; its column's width.
LETTERS, COLUMN = 8, 342
#: Inches: a narrow figure's width, below which none goes, and the highest panel.
WIDTH, LEAST, HIGHEST = 4.0, 2.8, 2.4
#: Panels that always stand in one column; more have as many columns as keep their width.
STACKED = 3
#: How often a figure is drawn to find the width at which its letters are large enough.
_TRIALS = 4


@dataclass(frozen=True)
class _Panel:
    """Of one panel as it was drawn: its place in the grid, inches, and whose ticks it shares."""

    row: int
    column: int
    width: float
    height: float
    picture: bool
    shared: dict[str, bool]


def _copied(figure: Figure) -> Figure:
    """A copy that pyplot does not know, and that can be changed and measured."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    state = figure.__getstate__()
    state.pop("_restore_to_pylab", None)
    twin = type(figure).__new__(type(figure))
    twin.__setstate__(copy.deepcopy(state, {id(figure): twin}))
    FigureCanvasAgg(twin)
    return twin


def _panels(figure: Figure) -> dict[Axes, _Panel] | None:
    """The panels in reading order; None where they are not the cells of one grid."""
    cells = {axes: axes.get_subplotspec() for axes in figure.axes if not hasattr(axes, "_colorbar")}
    cells = {axes: cell for axes, cell in cells.items() if axes.axison or axes.has_data()}
    if not cells or None in cells.values() or len({cell.get_gridspec() for cell in cells.values()}) > 1:
        return None
    if len({cell.num1 for cell in cells.values()}) < len(cells):
        return None  # axes on top of one another, as of two scales
    wide, high = figure.get_size_inches()
    found = {}
    for axes, cell in sorted(cells.items(), key=lambda pair: pair[1].num1):
        box = axes.get_position()
        ticks = axes.axison and len(axes.get_yticks()) > 0
        shared = {name: len(getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)) > 1 for name in "xy"}
        size = box.width * wide, box.height * high
        found[axes] = _Panel(cell.rowspan.start, cell.colspan.start, *size, bool(axes.images) and not ticks, shared)
    return found


def _columns(panels: list[_Panel]) -> int:
    """How many columns the panels have on a telephone."""
    before = 1 + max(panel.column for panel in panels)
    pictures = all(panel.picture for panel in panels)
    if pictures and any(panel.row for panel in panels):
        return before
    if len(panels) <= STACKED:
        return 1
    return max(1, min(before, round(WIDTH / (panels[0].width + 0.2))))


def _restack(figure: Figure, panels: dict[Axes, _Panel], columns: int) -> float:
    """Put the panels into as many columns, and return the height in inches that the figure then wants."""
    rows = math.ceil(len(panels) / columns)
    before = 1 + max(panel.row for panel in panels.values())
    first = {panel.row: axes for axes, panel in reversed(panels.items())}
    grid = figure.add_gridspec(rows, columns)
    said = {axes: axes.get_ylabel() for axes in panels}
    for axes in set(figure.axes) - set(panels):
        if axes.get_subplotspec() is not None and not hasattr(axes, "_colorbar"):
            axes.remove()  # an empty cell
    for number, (axes, panel) in enumerate(panels.items()):
        axes.set_subplotspec(grid[divmod(number, columns)])
        if panel.picture or axes.name == "3d" or not len(axes.get_yticks()):
            continue
        left, bottom = number % columns == 0, number + columns >= len(panels)
        if panel.shared["y"]:
            axes.tick_params(labelleft=left)
        if panel.shared["x"] and (bottom or before > 1):
            axes.tick_params(labelbottom=bottom)
        if left and not axes.get_ylabel():
            axes.set_ylabel(said[first[panel.row]])
    panel = next(iter(panels.values()))
    around = figure.get_figheight() / before - panel.height
    width = WIDTH / columns - 0.6 / columns
    square = any(axes.get_aspect() != "auto" for axes in panels)
    height = width * panel.height / panel.width if square else panel.height
    return rows * (min(height, HIGHEST) + max(0.1, around))


def _wrap(figure: Figure, legend: Legend) -> float:
    """Give a legend of the figure as many columns as there is room for, above; return the height that it gains."""
    from matplotlib.offsetbox import VPacker

    beside = legend._outside_loc in ("left", "right")
    if beside:
        legend.set_loc("outside upper center")
    box = legend._legend_handle_box
    packs = box.get_children()
    items = [item for pack in packs for item in pack.get_children()]
    # Beside the panels it took no height, and one column was enough.
    gap, before = packs[0].sep, 0 if beside else max(len(pack.get_children()) for pack in packs)
    renderer = figure.canvas.get_renderer()
    room = figure.get_figwidth() * figure.dpi - 10
    for columns in range(len(items) if beside else len(packs), 0, -1):
        rows = math.ceil(len(items) / columns)
        parts = [items[at : at + rows] for at in range(0, len(items), rows)]
        box._children = [VPacker(pad=0, sep=gap, align="baseline", children=part) for part in parts]
        for pack in box._children:
            pack.set_figure(figure)
        if legend.get_window_extent(renderer).width <= room:
            break
    return 0.2 * (rows - before)


def _break_labels(figure: Figure, panels: dict[Axes, _Panel], columns: int) -> None:
    """Break what stands under a panel into two lines where it is wider than its column."""
    room = figure.get_figwidth() * figure.dpi / columns - 6
    for axes in panels:
        if axes.xaxis.label.get_window_extent(figure.canvas.get_renderer()).width > room:
            axes.xaxis.label.set_text(_broken(axes.xaxis.label.get_text()))


def _broken(text: str) -> str:
    """A text in two lines of about the same length, if it has a space."""
    gaps = [at for at, letter in enumerate(text) if letter == " "]
    if not gaps or "\n" in text:
        return text
    middle = min(gaps, key=lambda at: abs(2 * at - len(text)))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def _break_names(figure: Figure, columns: int) -> None:
    """Break the names of ticks where they are wider than there is room; if that is not enough, every other goes."""
    from matplotlib.category import StrCategoryLocator
    from matplotlib.ticker import FixedLocator

    renderer = figure.canvas.get_renderer()
    width = figure.get_figwidth() * figure.dpi / columns
    for axes in figure.axes:
        for axis, share in ((axes.xaxis, 0.85), (axes.yaxis, 0.35)):
            if not isinstance(axis.get_major_locator(), FixedLocator | StrCategoryLocator):
                continue
            places, labels = axis.get_majorticklocs(), axis.get_ticklabels()
            names = [label.get_text() for label in labels]
            if not names:
                continue
            room = share * width / (len(names) if axis is axes.xaxis else 1)

            def too_wide(axis=axis, room=room) -> list[bool]:
                return [label.get_window_extent(renderer).width > room for label in axis.get_ticklabels()]

            if any(wide := too_wide()):
                # Below one another only those: two lines of each would touch.
                both = zip(names, wide, strict=True)
                axis.set_ticks(places, [_broken(name) if long or axis is axes.xaxis else name for name, long in both])
            if axis is axes.xaxis and any(too_wide()) and not any(" " in name for name in names):
                axis.set_ticks(places[::2], names[::2])


def _names_above(panels: dict[Axes, _Panel]) -> None:
    """Write the names of rows of pictures above them, not beside."""
    for axes in panels:
        name = axes.yaxis.label
        if name.get_text() and name.get_rotation() == 0:
            axes.set_title(name.get_text(), loc="left", fontsize=name.get_fontsize(), pad=3)
            axes.set_ylabel("")


def _made_narrow(figure: Figure, wide: str) -> Figure | None:
    """The narrow form, in the width of a telephone's column; None where the figure is one already."""
    found = _panels(figure)
    several = found is not None and any(panel.column for panel in found.values())
    columns = _columns(list(found.values())) if several else 1
    fewer = several and columns < 1 + max(panel.column for panel in found.values())
    small = letter_size(wide) * COLUMN < LETTERS
    if not (fewer or small):
        return None
    twin = _copied(figure)
    width, high = figure.get_size_inches()
    panels = {}
    if found is not None:
        places = {axes: place for place, axes in enumerate(figure.axes)}
        panels = {twin.axes[places[axes]]: panel for axes, panel in found.items()}
    if fewer:
        high = _restack(twin, panels, columns)
    elif panels and all(panel.picture for panel in panels.values()):
        _names_above(panels)
        high = high * min(1, WIDTH / width) + 0.2 * (1 + max(panel.row for panel in panels.values()))
    twin.set_size_inches(min(WIDTH, width), high)
    _break_labels(twin, panels, columns)
    _break_names(twin, columns)
    for legend in twin.legends:
        twin.set_figheight(twin.get_figheight() + _wrap(twin, legend))
    return twin


def narrow_svg(figure: Figure, wide: str) -> str | None:
    """Return a figure as a telephone shows it, where that differs.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Left as it is.
    wide : str
        The same by :func:`colu.lab.plot.as_svg`.

    Returns
    -------
    str or None
        As of :func:`colu.lab.plot.as_svg`, with letters of at least eight pixels in a column of 342 pixels where that
        is possible; None for a figure that stays as it is.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure(figsize=(6.8, 2.5), layout="constrained")
    >>> for axes in figure.subplots(1, 3, sharey=True):
    ...     _ = axes.plot([0, 1])
    >>> def shape(svg):
    ...     return [round(float(part)) for part in svg.split('viewBox="0 0 ')[1].split('"')[0].split()]
    >>> wide = as_svg(figure)
    >>> shape(wide)[0] > 2 * shape(wide)[1], shape(narrow_svg(figure, wide))[0] < shape(narrow_svg(figure, wide))[1]
    (True, True)
    >>> figure = Figure(figsize=(4, 3))
    >>> _ = figure.subplots().plot([0, 1])
    >>> narrow_svg(figure, as_svg(figure)) is None
    True
    """
    twin = _made_narrow(figure, wide)
    if twin is None:
        return None
    for _ in range(_TRIALS):
        svg = as_svg(twin)
        letters = letter_size(svg) * COLUMN
        if letters >= LETTERS or twin.get_figwidth() <= LEAST:
            break
        twin.set_figwidth(max(LEAST, twin.get_figwidth() * letters / LETTERS - 0.02))
        for legend in twin.legends:
            twin.set_figheight(twin.get_figheight() + _wrap(twin, legend))
    return svg
