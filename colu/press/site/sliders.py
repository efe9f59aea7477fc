"""Figures with sliders: script and style once for the whole site, and a picture where an EPUB has neither.

The notebook's output carries both, so that it works wherever notebooks are opened; here they are taken out.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from sphinx.application import Sphinx

from colu.press.notebook import SLIDER, Notebook

FILES = ("slider.css", "slider.js")
_INLINE = re.compile(r"<(script|style) data-colu>.*?</\1>\s*", re.DOTALL)
_LABEL = re.compile(re.escape(SLIDER) + r'[^>]*? aria-label="([^"]*)"')


def share_scripts(page: str) -> str:
    """Take the script and the style out of a figure's HTML.

    Examples
    --------
    >>> share_scripts('<div class="colu-slider"></div>\\n<script data-colu>1 < 2</script>')
    '<div class="colu-slider"></div>\\n'
    """
    return _INLINE.sub("", page)


def picture(page: str) -> tuple[str, str]:
    """The first frame of a figure as an SVG of its own, and what it shows.

    Examples
    --------
    >>> picture('<div class="colu-slider" aria-label="a &lt; b">\\n<svg><svg/></svg>\\n<p></p></div>')
    ('<svg><svg/></svg>', 'a < b')
    """
    svg = page[page.index("<svg") : page.rindex("</svg>") + len("</svg>")]
    return svg, html.unescape(_LABEL.search(page)[1])


def convert_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite a notebook's figures with sliders; remember the page, which then loads their script."""
    pages = app.env.__dict__.setdefault("colu_slider_pages", set())
    pages.discard(docname)
    if "colu-slider" not in source[0] or not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    notebook = Notebook.loads(source[0], docname)
    for cell in notebook.cells:
        for output in cell.outputs:
            page = output.get("data", {}).get("text/html", "")
            if SLIDER not in page:
                continue
            pages.add(docname)
            if app.builder.format == "html" and app.builder.name != "epub":
                output["data"]["text/html"] = share_scripts(page)
            else:
                svg, alt = picture(page)
                output["data"] = {"image/svg+xml": svg, "text/plain": alt}
                cell.node.metadata.setdefault("mystnb", {})["image"] = {"alt": alt}
    source[0] = notebook.dumps()


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    pages = env.__dict__.setdefault("colu_slider_pages", set())
    pages |= other.__dict__.get("colu_slider_pages", set()) & set(docnames)


def add_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Give the script to the pages that use it, and to no other."""
    if pagename in app.env.__dict__.get("colu_slider_pages", ()):
        app.add_css_file(FILES[0])
        app.add_js_file(FILES[1], loading_method="defer")


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Copy script and style into the site."""
    if error or app.builder.name != "html" or not app.env.__dict__.get("colu_slider_pages"):
        return
    from colu.lab.plot.slider import FOLDER

    for name in FILES:
        Path(app.outdir, "_static", name).write_text((FOLDER / name).read_text(encoding="utf8"), encoding="utf8")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("source-read", convert_page, priority=600)  # after the executed copy was read
    app.connect("env-merge-info", merge_pages)
    app.connect("html-page-context", add_scripts, priority=800)
    app.connect("build-finished", copy_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
