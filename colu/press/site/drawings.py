"""``{drawing}``: a drawn scheme, in the page itself, so that its colours follow the page's.

The source of a drawing is its SVG in ``book/_static/drawings``.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = Path("book", "_static", "drawings")


class Drawing(SphinxDirective):
    """A drawing with a description for those who do not see it, and a caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Build the figure."""
        name, alt = self.arguments[0], self.options.get("alt", "").strip()
        path = Path(self.env.srcdir, FOLDER, f"{name}.svg")
        self.env.note_dependency(str(path))
        if not path.is_file():
            raise self.error(f"there is no drawing {path}")
        if not alt:
            raise self.error(f"the drawing {name!r} has no description: add ':alt:'")
        ids = [f"drawing-{name}"]
        if self.env.app.builder.name == "epub":
            # No modes of ours there; and a file keeps its capital letters, which an element of the page would lose.
            picture = nodes.image(uri=f"/{FOLDER.as_posix()}/{name}.svg", alt=alt)
            return [nodes.container("", picture, *self._caption().children, classes=["drawing"], ids=ids)]
        # Its own title would be a second description.
        drawn = re.sub(r"<title>.*?</title>\s*", "", path.read_text(encoding="utf8"), flags=re.DOTALL)
        picture = f'<div role="img" aria-label="{escape(alt)}">\n{drawn}</div>'
        drawing = nodes.raw("", picture, format="html")
        return [nodes.container("", drawing, self._caption(), classes=["drawing"], ids=ids)]

    def _caption(self) -> nodes.container:
        """The text under the drawing."""
        caption = nodes.container(classes=["drawing-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        return caption


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("drawing", Drawing)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
