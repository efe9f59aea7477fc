"""Figures in the colours of the page: for each SVG of the notebooks a light and a dark file, sized before it loads.

A figure with panels side by side has two more, for a telephone, with its panels one above the other. Of all of them
the page shows one, and loads one. Where a telephone would still show letters below eight pixels, the picture keeps the
width at which they have them, and its box scrolls.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.files import write_atomically
from colu.lab.plot import for_page, letter_size, parted
from colu.lab.plot.narrow import COLUMN, LETTERS
from colu.lab.plot.svg import CLASS, GROUND

__all__ = ["in_both_modes"]

#: Pixels of a page for an inch of a figure.
INCH = 110
#: Screens that show the form for telephones; paper shows the other.
TELEPHONE = "screen and (max-width: 640px)"
_IMAGE = re.compile(r'<img\b([^>]*?)\bsrc="([^"]*_images/[^"/]+\.svg)"([^>]*?)\s*/?>')
_BOX = re.compile(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"')


def _named(path: Path, form: str) -> Path:
    return path.with_name(f"{path.stem}{form}.svg")


def _written(path: Path) -> dict[str, str]:
    """The SVGs of a figure by what their names end in; their files are written unless they are there."""
    svg = path.read_text(encoding="utf8")
    narrow = _named(path, "-narrow")
    if f'id="{GROUND}"' not in svg:
        return {"": svg} | ({"-narrow": narrow.read_text(encoding="utf8")} if narrow.is_file() else {})
    wide, slim = parted(svg)
    found = {"": for_page(wide, dark=False), "-dark": for_page(wide, dark=True)}
    if slim:
        found |= {"-narrow": for_page(slim, dark=False), "-narrow-dark": for_page(slim, dark=True)}
    for form, text in reversed(found.items()):
        write_atomically(_named(path, form), text)
    return found


def _size(svg: str) -> tuple[int, int]:
    width, height = (round(float(points) / 72 * INCH) for points in _BOX.search(svg).groups())
    return width, height


def _images(image: re.Match, svgs: dict[str, str]) -> str:
    """The pictures in place of one, in a box that scrolls where it must."""
    before, address, after = image.groups()
    rest = re.sub(r'\s*\b(?:class|style|width|height|loading)="[^"]*"', "", f"{before}{after}").strip()
    stem, slim = address.removesuffix(".svg"), svgs.get("-narrow")
    width, height = _size(svgs[""])
    least = math.ceil(LETTERS / letter_size(slim or svgs[""]) - 1e-6)
    size = f'width="{width}" height="{height}" loading="lazy"'
    if wide := least > COLUMN:
        size += f' style="min-width:{least}px"'
    pair = ""
    for classes, mode in (("on-light", ""), ("on-dark dark-light", "-dark")):
        picture = f'<img class="{classes}" {rest} src="{stem}{mode}.svg" {size}/>'
        if slim:
            width, height = _size(slim)
            source = f'srcset="{stem}-narrow{mode}.svg" media="{TELEPHONE}" width="{width}" height="{height}"'
            picture = f"<picture><source {source}/>{picture}</picture>"
        pair += picture
    box = '<span class="figure-scroll" tabindex="0" role="group" aria-label="a figure that scrolls sideways">'
    return f"{box}{pair}</span>" if wide else pair


def in_both_modes(page: str, folder: Path) -> str:
    """Return a page with a picture in each mode for each figure of the book, and write their files.

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
        with path.open(encoding="utf8") as file:
            if f'class="{CLASS}"' not in file.read(300):
                return image[0]
        return _images(image, _written(path))

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
