"""Figures in one style: colour-blind-safe, white background, readable in print and on screen.

Importing this package changes nothing; :func:`use_style` does, once, where a notebook asks for it.
"""

from .cones import draw_cone, moves, moving_point_figure, orbit_figure, section_figure
from .slider import SliderFigure, Trace, slider_figure
from .style import COLOURS, LINESTYLES, MARKERS, PALETTE, band, use_style

__all__ = [
    "COLOURS",
    "LINESTYLES",
    "MARKERS",
    "PALETTE",
    "SliderFigure",
    "Trace",
    "band",
    "draw_cone",
    "moves",
    "moving_point_figure",
    "orbit_figure",
    "section_figure",
    "slider_figure",
    "use_style",
]
