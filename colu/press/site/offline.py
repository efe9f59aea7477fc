"""Nothing from another host: MathJax is served by the site itself, and the theme's thebe is left out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions")


def choose_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Take thebe from all pages: its code would come from a CDN."""
    scripts = context["script_files"]
    scripts[:] = [script for script in scripts if not _is_thebe(script)]


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
    """Copy MathJax into the site."""
    if error or app.builder.name != "html":
        return
    static = Path(app.outdir, "_static")
    for part in MATHJAX_PARTS:
        source, target = mathjax_root() / part, static / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_asset(str(source), str(target if source.is_dir() else target.parent))


def use_local_scripts(app: Sphinx, config) -> None:
    """Point Sphinx at the site's own MathJax and drop the loader of widgets, which comes from a CDN."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    config.nb_ipywidgets_js = {}


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", use_local_scripts)
    app.connect("html-page-context", choose_scripts, priority=900)  # when all scripts are listed
    app.connect("build-finished", copy_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
