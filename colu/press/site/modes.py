"""Figures in the colours of the page: for each SVG of the notebooks a light and a dark file, sized before it loads.

Of the two pictures the page shows one, and loads one. Where a telephone would show letters below eight pixels, the
picture keeps the width at which they have them, and its box scrolls.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.files import write_atomically
from colu.lab.plot import for_page, letter_size
from colu.lab.plot.svg import CLASS

__all__ = ["in_both_modes"]

#: Pixels of a page for an inch of a figure.
INCH = 110
#: Pixels that the smallest letters of a figure have on a telephone at least, and the width of its column.
LETTERS, COLUMN = 8, 342
_IMAGE = re.compile(r'<img\b([^>]*?)\bsrc="([^"]*_images/[^"/]+\.svg)"([^>]*?)\s*/?>')
_BOX = re.compile(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"')


def _dark(path: Path) -> Path:
    return path.with_name(f"{path.stem}-dark.svg")


def _images(image: re.Match, svg: str) -> str:
    """The two pictures in place of one, in a box that scrolls where it must."""
    before, address, after = image.groups()
    rest = re.sub(r'\s*\b(?:class|style|width|height|loading)="[^"]*"', "", f"{before}{after}").strip()
    width, height = (round(float(points) / 72 * INCH) for points in _BOX.search(svg).groups())
    least = math.ceil(LETTERS / letter_size(svg) - 1e-6)
    size = f'width="{width}" height="{height}" loading="lazy"'
    if wide := least > COLUMN:
        size += f' style="min-width:{least}px"'
    dark = f"{address.removesuffix('.svg')}-dark.svg"
    pair = (
        f'<img class="on-light" {rest} src="{address}" {size}/>'
        f'<img class="on-dark dark-light" {rest} src="{dark}" {size}/>'
    )
    box = '<span class="figure-scroll" tabindex="0" role="group" aria-label="a figure that scrolls sideways">'
    return f"{box}{pair}</span>" if wide else pair


def in_both_modes(page: str, folder: Path) -> str:
    """Return a page with two pictures for each figure of the book, and write their files.

    Parameters
    ----------
    page : str
        HTML.
    folder : Path
        Of the page: its addresses begin there.
    """

    def replace(image: re.Match) -> str:
        path = folder / image[2]
        if path.stem.endswith("-dark") or "on-light" in image[0] or not path.is_file():
            return image[0]
        svg = path.read_text(encoding="utf8")
        if f'class="{CLASS}"' not in svg[:300]:
            return image[0]
        if not _dark(path).is_file():
            write_atomically(_dark(path), for_page(svg, dark=True))
            write_atomically(path, for_page(svg, dark=False))
        return _images(image, svg)

    return _IMAGE.sub(replace, page)


def convert_pages(app: Sphinx, error: Exception | None) -> None:
    """Rewrite the pages with figures."""
    if error or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        before = path.read_text(encoding="utf8")
        after = in_both_modes(before, path.parent) if "_images/" in before else before
        if after != before:
            write_atomically(path, after)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", convert_pages, priority=350)  # before the pages are finished and slides are made
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
