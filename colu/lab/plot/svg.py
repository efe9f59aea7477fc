"""Figures as SVG: sharp at every size, the same on every run, and sorted for pages of two modes.

A figure that leaves the kernel stands on white, so that it reads in any notebook, dark ones too.
What is ground and what shows data by colour has a name in it, by which :mod:`colu.lab.plot.modes` makes the
light and the dark form of a page.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .slim import slim

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CLASS", "DATA", "DPI", "GROUND", "as_svg"]

#: The class of every figure of the book.
CLASS = "colu-figure"
#: How the names of grounds begin, and those of what is shown by colour, or on top of it.
GROUND, DATA = "ground", "data"
#: Of pictures in a figure: twice what a screen shows.
DPI = 220
#: Points of a line or cloud beyond which it is drawn as a picture inside the figure.
POINTS = 3000
#: Bytes of a picture beyond which it is stored as a photograph, if that is less than half.
PHOTOGRAPH = 30_000
_PICTURE = re.compile(r"data:image/png;base64,([\s\w+/=]+)")
_HEAD = re.compile(r"\A.*?(?=<svg\b)|<metadata>.*?</metadata>\s*|<!--.*?-->\s*", re.DOTALL)
_GEOMETRY = re.compile(r'(?<= )(d|x|y|points)="([^"]*)"')
_LONG = re.compile(r"(-?\d+\.\d\d)\d+")


def _coloured(axes: Axes) -> bool:
    """Whether the area of some axes shows data by colour: a picture, a heat map, filled contours."""
    from matplotlib.collections import QuadMesh
    from matplotlib.contour import ContourSet

    return bool(axes.images) or any(isinstance(part, QuadMesh | ContourSet) for part in axes.collections)


def _see_through(axes: Axes) -> bool:
    """Whether all pictures of some axes let the ground through, so that lines over them follow the page."""
    if not axes.images:
        return False
    shown = (image.get_array() for image in axes.images)
    return all(colours.ndim == 3 and colours.shape[-1] == 4 and colours[..., 3].min() == 0 for colours in shown)


def _inside(axes: Axes) -> list[Artist]:
    """What is drawn in the area of the axes: not the frame, nor anything that has room outside."""
    outside = {axes.patch, axes.title, axes._left_title, axes._right_title, *axes.spines.values()}
    axis = {getattr(axes, f"{name}axis", None) for name in "xyz"}
    return [part for part in axes.get_children() if part not in outside | axis]


def _too_many(part: Artist) -> bool:
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D

    if isinstance(part, Line2D):
        marked = part.get_marker() not in ("", " ", "None", None)
        return marked and part.get_markevery() is None and len(part.get_xdata()) > POINTS
    return isinstance(part, Collection) and max(len(part.get_offsets()), len(part.get_paths())) > POINTS


@contextmanager
def _sorted(figure: Figure) -> Iterator[None]:
    """The figure with names for ground and data, and with heavy parts as pictures; then as it was."""
    import matplotlib as mpl

    undo = []

    def change(part: Artist, field: str, value: object) -> None:
        undo.append((part, field, getattr(part, f"get_{field}")()))
        getattr(part, f"set_{field}")(value)

    change(figure.patch, "gid", GROUND)
    for number, axes in enumerate(figure.axes):
        if mpl.colors.same_color(axes.patch.get_facecolor(), "white"):
            change(axes.patch, "gid", f"{GROUND}-{number}")
        coloured, open_ground = _coloured(axes), _see_through(axes)
        for place, part in enumerate(_inside(axes)):
            if part in axes.images if open_ground else coloured:
                change(part, "gid", f"{DATA}-{number}-{place}")
            if _too_many(part):
                change(part, "rasterized", True)
        box = axes.get_position()
        for image in axes.images:
            shown = box.width * figure.get_figwidth() * DPI
            # Small pictures go in by their own pixels, large ones as large as they are shown.
            change(image, "interpolation", "none" if image.get_array().shape[1] <= shown else "antialiased")
    try:
        yield
    finally:
        for part, field, value in reversed(undo):
            getattr(part, f"set_{field}")(value)


def _shortened(found: re.Match) -> str:
    numbers = _LONG.sub(r"\1", found[2])
    return f'{found[1]}="{numbers}"'


def _stored(found: re.Match) -> str:
    """A picture, as a photograph where it is one: opaque, large, and much smaller as JPEG."""
    from PIL import Image

    plain = base64.b64decode(found[1])
    picture = Image.open(io.BytesIO(plain))
    opaque = picture.mode == "RGB" or picture.getextrema()[-1] == (255, 255)
    if len(plain) < PHOTOGRAPH or not opaque:
        return found[0]
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=88)
    if 2 * len(stream.getvalue()) > len(plain):
        return found[0]
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def as_svg(figure: Figure) -> str:
    """Return a matplotlib figure as SVG on white, the same text on every run of what draws it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    str
        An ``<svg>`` element of the class ``colu-figure``; coordinates have two decimals, which is 1/100 point.

    Notes
    -----
    A figure that is drawn a second time may differ from the first by hundredths of a point: matplotlib's constrained
    layout begins where it ended.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> def drawn():
    ...     figure = Figure(figsize=(2, 1))
    ...     figure.subplots().plot([0, 1])
    ...     return as_svg(figure)
    >>> drawn().startswith('<svg class="colu-figure" '), drawn() == drawn()
    (True, True)
    """
    import matplotlib as mpl

    stream = io.StringIO()
    fixed = {"svg.fonttype": "none", "svg.hashsalt": "colu"}
    with mpl.rc_context(fixed), _sorted(figure):
        figure.savefig(stream, format="svg", bbox_inches="tight", pad_inches=0.05, dpi=DPI, metadata={"Date": None})
    text = _HEAD.sub("", stream.getvalue())
    text = slim(_PICTURE.sub(_stored, _GEOMETRY.sub(_shortened, text)))
    return text.replace("<svg ", f'<svg class="{CLASS}" ', 1)
