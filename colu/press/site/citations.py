"""Citations: ordered the same way however the pages were read, and their styles looked up once."""

from __future__ import annotations

from pybtex.plugin import find_plugin, register_plugin
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

#: What each list of sources asks for; pybtex looks through all installed packages every time, unless it is told.
PLUGINS = (
    ("pybtex.backends", "docutils"),
    ("pybtex.backends", "plaintext"),
    ("pybtex.style.formatting", "plain"),
    ("pybtex.style.labels", "number"),
    ("pybtex.style.names", "plain"),
    ("pybtex.style.sorting", "author_year_title"),
    ("pybtex.style.sorting", "none"),
)


def order(app: Sphinx, env: BuildEnvironment) -> None:
    """Order the citations by page: a page without a list of its own takes the last one, whoever read it first."""
    env.get_domain("cite").data["citations"].sort(key=lambda citation: citation.bibliography_key.docname)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx and with pybtex."""
    for group, name in PLUGINS:
        register_plugin(group, name, find_plugin(group, name), force=True)
    app.connect("env-updated", order, priority=900)  # when they are gathered
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
