"""The colours, markers and lines of the book's figures."""

from __future__ import annotations

__all__ = ["COLOURS", "LINESTYLES", "MARKERS", "PALETTE"]

#: Okabe and Ito's eight colours, in the order in which the book uses them.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]

#: What a colour means, the same on every page.
PALETTE = {
    "relu": COLOURS[0],
    "colu": COLOURS[1],
    "soft": COLOURS[2],
    "mpu": COLOURS[3],
    "gate": COLOURS[4],
    "lslu": COLOURS[6],
    "axis": COLOURS[6],
    "section": COLOURS[4],
    "cone": COLOURS[5],
    "exponential": COLOURS[5],
    "neutral": "#5F6B73",
}

#: Redundant marks, so that no figure depends on colour alone.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
#: Dashes that go with the colours.
LINESTYLES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2))]
