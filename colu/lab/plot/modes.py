"""The two forms of a figure on a page, light and dark: both without a ground, each in colours for its page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from .svg import DATA, GROUND

__all__ = ["DARK", "DARK_GROUND", "DARK_INK", "dark_colour", "for_page", "letter_size"]

#: The ground of dark pages, and what black becomes on it.
DARK_GROUND, DARK_INK = "#121212", "#e9edf2"
#: What each colour of the book becomes on a dark page.
DARK = {
    "#0072b2": "#66bdec",
    "#d55e00": "#ffa35c",
    "#009e73": "#3fcfa0",
    "#cc79a7": "#eaa8cd",
    "#e69f00": "#f0b429",
    "#56b4e9": "#8fe3ff",
    "#f0e442": "#f0e442",
    "#5f6b73": "#b8c0cc",
}
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_SIZE = re.compile(r"\bfont(?:-size)?:[^;]*?([\d.]+)px")


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def dark_colour(colour: str) -> str:
    """Return what a colour becomes on a dark page.

    The colours of the book have fixed partners; greys, black and white included, change places between ink and ground;
    any other colour stays.

    Parameters
    ----------
    colour : str
        Such as ``"#0072b2"``.

    Examples
    --------
    >>> dark_colour("#0072B2"), dark_colour("#000000"), dark_colour("#ffffff"), dark_colour("#123456")
    ('#66bdec', '#e9edf2', '#121212', '#123456')
    """
    colour = colour.lower()
    if colour in DARK:
        return DARK[colour]
    red, green, blue = _channels(colour)
    if max(red, green, blue) - min(red, green, blue) > 8:
        return colour
    share = green / 255
    mixed = zip(_channels(DARK_INK), _channels(DARK_GROUND), strict=True)
    return "#" + "".join(f"{round((1 - share) * ink + share * ground):02x}" for ink, ground in mixed)


def _recolour(part: ElementTree.Element) -> None:
    if part.get("id", "").startswith(DATA):
        part.set("fill", "#000000")  # that nobody writes down, as it is the default
        return
    for name in ("style", "fill", "stroke"):
        if name in part.attrib:
            part.set(name, _COLOUR.sub(lambda found: dark_colour(found[0]), part.get(name)))
    for each in part:
        _recolour(each)


def for_page(svg: str, *, dark: bool) -> str:
    """Return a figure of :func:`colu.lab.plot.as_svg` for a light or a dark page.

    Parameters
    ----------
    svg : str
    dark : bool
        Whether for a dark page; what shows data by colour keeps its colours.

    Examples
    --------
    >>> svg = '<svg xmlns="http://www.w3.org/2000/svg"><g id="ground"/><path style="stroke: #d55e00"/></svg>'
    >>> for_page(svg, dark=True)
    '<svg xmlns="http://www.w3.org/2000/svg" fill="#e9edf2"><path style="stroke: #ffa35c" /></svg>'
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for part in list(parent):
            if part.get("id", "").startswith(GROUND):
                parent.remove(part)
    if dark:
        root.set("fill", DARK_INK)
        for part in root:
            _recolour(part)
    return ElementTree.tostring(root, encoding="unicode")


def letter_size(svg: str) -> float:
    """Return the size of the smallest text of a figure as a share of its width; infinity without text.

    Exponents and indices count: on an axis of powers of ten they are what differs.

    Examples
    --------
    >>> letter_size('<svg viewBox="0 0 400 300"><text style="font: 9px Arial">a</text></svg>')
    0.0225
    """
    width = float(re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+)', svg)[1])
    texts = re.findall(r"<text\b.*?</text>", svg, re.DOTALL)
    sizes = [min(map(float, _SIZE.findall(text)), default=16.0) for text in texts]
    return min(sizes, default=float("inf")) / width
