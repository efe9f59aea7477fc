"""Figures in one style: colour-blind-safe, white background, readable in print and on screen.

Importing this package changes nothing; :func:`use_style` does, once, where a notebook asks for it.
"""

from .cones import cone_surface, draw_cone, moving_point_figure, orbit_figure, section_figure
from .style import COLOURS, LINESTYLES, MARKERS, PALETTE, band, show_interactive, use_style

__all__ = [
    "COLOURS",
    "LINESTYLES",
    "MARKERS",
    "PALETTE",
    "band",
    "cone_surface",
    "draw_cone",
    "moving_point_figure",
    "orbit_figure",
    "section_figure",
    "show_interactive",
    "use_style",
]
