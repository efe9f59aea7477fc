"""Nothing from another host: MathJax and plotly are served by the site itself.

plotly's own output would fetch its script from a CDN, or embed five megabytes in each notebook.
Here the notebook keeps plotly's JSON, which validation can compare; the page gets a described ``div``,
the JSON beside it, and one script that all pages with such figures share.
"""

from __future__ import annotations

import html
import importlib.util
import json
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

from colu.press.notebook import PLOTLY, Notebook

logger = logging.getLogger(__name__)

MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions")

LOADER = """
document.addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll("div.plotly-figure").forEach(function (element) {
    var figure = JSON.parse(document.getElementById(element.id + "-data").textContent);
    figure.config = Object.assign({responsive: true, displaylogo: false}, figure.config || {});
    Plotly.newPlot(element, figure);  // the whole figure, for the frames that a slider chooses from
  });
});
"""


def figure_html(figure: dict, identifier: str, alt: str) -> str:
    """Return the HTML of a plotly figure: a described box and the data that the loader draws in it."""
    height = int((figure.get("layout") or {}).get("height") or 480)
    # "<" written as an escape cannot close the script element.
    data = json.dumps(figure).replace("<", "\\u003c")
    return (
        f'<div id="{identifier}" class="plotly-figure" role="figure" aria-label="{html.escape(alt)}" '
        f'style="height:{height}px"></div>\n'
        f'<script type="application/json" id="{identifier}-data">{data}</script>'
    )


def description(figure: dict) -> str:
    """Return a figure's alternative text, kept by ``colu.lab.plot.show_interactive`` in ``layout.meta``."""
    meta = (figure.get("layout") or {}).get("meta")
    return str(meta.get("alt") or "").strip() if isinstance(meta, dict) else ""


def convert_plotly(notebook: Notebook, docname: str) -> int:
    """Turn each plotly output of ``notebook`` into HTML, in place; return how many there were."""
    count = 0
    for cell in notebook.cells:
        for output in cell.outputs:
            if PLOTLY not in output.get("data", {}):
                continue
            count += 1
            figure = output["data"][PLOTLY]
            alt = description(figure)
            if not alt:
                logger.warning(
                    "interactive figure %d has no description: use colu.lab.plot.show_interactive(fig, alt=...)",
                    count,
                    location=docname,
                    type="colu",
                    subtype="alt",
                )
            identifier = f"figure-{docname.replace('/', '-')}-{count}"
            output["data"] = {
                "text/html": figure_html(figure, identifier, alt),
                "text/plain": f"[Interactive figure, on the web page: {alt}]",
            }
    return count


def convert_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite a notebook's plotly outputs; remember the page, which then loads plotly."""
    pages = app.env.__dict__.setdefault("colu_plotly_pages", set())
    pages.discard(docname)
    if str(app.env.doc2path(docname)).endswith(".ipynb") and PLOTLY in source[0]:
        notebook = Notebook.loads(source[0], docname)
        if convert_plotly(notebook, docname):
            pages.add(docname)
            source[0] = notebook.dumps()


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    pages = env.__dict__.setdefault("colu_plotly_pages", set())
    pages |= other.__dict__.get("colu_plotly_pages", set()) & set(docnames)


def choose_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Give plotly to the pages that draw with it; take thebe from all, whose code would come from a CDN."""
    scripts = context["script_files"]
    scripts[:] = [script for script in scripts if not _is_thebe(script)]
    if pagename in app.env.__dict__.get("colu_plotly_pages", ()):
        app.add_js_file("plotly.min.js", loading_method="defer")
        app.add_js_file(None, body=LOADER)


def _is_thebe(script) -> bool:
    attributes = getattr(script, "attributes", {})
    return "thebe" in f"{getattr(script, 'filename', script)} {attributes.get('body', '')}".lower()


def mathjax_root() -> Path:
    """Return the folder of MathJax's files inside the package that carries them."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or not spec.submodule_search_locations:
        raise ExtensionError("the package sphinx-mathjax-offline is missing: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0], "static", "mathjax")


def copy_scripts(app: Sphinx, error: Exception | None) -> None:
    """Copy MathJax, and plotly where a page draws with it, into the site."""
    if error or app.builder.name != "html":
        return
    static = Path(app.outdir, "_static")
    for part in MATHJAX_PARTS:
        source, target = mathjax_root() / part, static / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_asset(str(source), str(target if source.is_dir() else target.parent))
    if app.env.__dict__.get("colu_plotly_pages"):
        import plotly

        copy_asset(str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js"), str(static))


def use_local_scripts(app: Sphinx, config) -> None:
    """Point Sphinx at the site's own MathJax and drop the loader of widgets, which comes from a CDN."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    config.nb_ipywidgets_js = {}


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", use_local_scripts)
    app.connect("source-read", convert_page, priority=600)  # after the executed copy was read
    app.connect("env-merge-info", merge_pages)
    app.connect("html-page-context", choose_scripts, priority=900)  # when all scripts are listed
    app.connect("build-finished", copy_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
