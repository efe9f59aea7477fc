"""The icons of the pages without those that no page shows: two fonts of thousands weigh as much as all else on a page.

The theme's style sheet names each icon by a class; what no page, script or other rule uses leaves sheet and fonts.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.files import write_atomically

THEME = Path("styles", "pydata-sphinx-theme.css")
FONTS = Path("vendor", "fontawesome", "webfonts")
#: The licence reserves the fonts' name for the whole fonts; the style sheet's own name for them stays.
NAME = "Icons of these pages"
_RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"[^"]+"\}')
_CLASS = re.compile(r"fa-[\w-]+")
_CODE = re.compile(r"\\([0-9a-f]{4})\b|([\ue000-\uf8ff])")
_SOURCE = re.compile(r'url\(([^)]*/)([\w-]+)\.woff2\) format\("woff2"\),url\([^)]*\.ttf\) format\("truetype"\)')


def trimmed(sheet: str, used: set[str]) -> str:
    """A style sheet without the rules of icons that are not used, its fonts as WOFF.

    Examples
    --------
    >>> trimmed('.fa-bars:before,.fa-navicon:before{content:"x"}.fa-sun:before{content:"y"}p{}', {"fa-bars"})
    '.fa-bars:before,.fa-navicon:before{content:"x"}p{}'
    """
    sheet = _RULE.sub(lambda rule: rule[0] if used & set(_CLASS.findall(rule[1])) else "", sheet)
    return _SOURCE.sub(r'url(\1\2.woff) format("woff")', sheet)


def codes(sheet: str) -> set[int]:
    """The characters that a style sheet shows, among those that only icons have.

    Examples
    --------
    >>> sorted(map(hex, codes('a:before{content:"\\\\f14a"} :root{--icon:"\\uf058"} p{content:"x"}')))
    ['0xf058', '0xf14a']
    """
    return {int(escaped, 16) if escaped else ord(plain) for escaped, plain in _CODE.findall(sheet)}


def subset(source: Path, target: Path, characters: set[int]) -> None:
    """Write the font with these characters alone, under another name; its copyright and licence stay inside."""
    from fontTools import subset as tool
    from fontTools.ttLib import TTFont

    # One date, so that the same icons give the same bytes.
    font = TTFont(source, recalcTimestamp=False)
    options = tool.Options(name_IDs=["*"], notdef_outline=True, flavor="woff")
    worker = tool.Subsetter(options)
    worker.populate(unicodes=characters)
    worker.subset(font)
    for entry in list(font["name"].names):
        if entry.nameID in (1, 3, 4, 6, 16):
            entry.string = NAME
    font.flavor = "woff"
    font.save(target)


def lighten(static: Path, pages: list[Path]) -> None:
    """Take what is not used out of the theme's style sheet and its icon fonts.

    Parameters
    ----------
    static : Path
        The site's ``_static``.
    pages : list of Path
        Whose classes count as used.
    """
    scripts = [path for path in static.rglob("*.js") if path.name != "fontawesome.js"]
    used = {name for path in [*pages, *scripts] for name in _CLASS.findall(path.read_text(encoding="utf8"))}
    sheet = trimmed((static / THEME).read_text(encoding="utf8"), used)
    write_atomically(static / THEME, sheet)
    characters = set().union(*(codes(path.read_text(encoding="utf8")) for path in static.rglob("*.css")))
    for font in sorted((static / FONTS).glob("*.ttf")):
        subset(font, font.with_suffix(".woff"), characters)
        font.unlink()
        font.with_suffix(".woff2").unlink(missing_ok=True)


def trim(app: Sphinx, error: Exception | None) -> None:
    """Lighten a site that was built."""
    static = Path(app.outdir, "_static")
    if not error and app.builder.name == "html" and (static / THEME).is_file():
        lighten(static, list(Path(app.outdir).rglob("*.html")))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", trim, priority=450)  # when the pages have their last form
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
