"""Figures in one style: colour-blind-safe, in the colours of light and dark pages, readable in print and on screen.

Importing this package changes nothing; :func:`use_style` does, once, where a notebook asks for it.
"""

from .areas import area, border
from .cones import draw_cone, moves, moving_point_figure, orbit_figure, section_figure
from .looks import LOOKS, look
from .modes import DARK, dark_colour, for_page, letter_size
from .narrow import narrow_svg
from .notebook import parted, show_as_svg, with_narrow
from .palette import COLOURS, LINESTYLES, MARKERS, PALETTE
from .pictures import picture_rows
from .seeds import seed_points
from .slider import SliderFigure, Trace, slider_figure
from .style import band, use_style
from .svg import as_svg

__all__ = [
    "COLOURS",
    "DARK",
    "LINESTYLES",
    "LOOKS",
    "MARKERS",
    "PALETTE",
    "SliderFigure",
    "Trace",
    "area",
    "as_svg",
    "band",
    "border",
    "dark_colour",
    "draw_cone",
    "for_page",
    "letter_size",
    "look",
    "moves",
    "moving_point_figure",
    "narrow_svg",
    "orbit_figure",
    "parted",
    "picture_rows",
    "section_figure",
    "seed_points",
    "show_as_svg",
    "slider_figure",
    "use_style",
    "with_narrow",
]
