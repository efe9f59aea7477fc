"""``{slide}``: a slide of the chapter's deck, written in its notebook; the page itself doesn't show it.

Its text is read with the page, so its links, citations and numbers are those of the chapter.
When the page is written the slides leave it, for a file from which :mod:`colu.press.site.decks` makes the deck.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.files import write_atomically
from colu.press.teach.blocks import part_at

__all__ = ["slide", "written_slides"]


class slide(nodes.General, nodes.Element):
    """A slide: heading, text and what is said, in three containers."""


class SlideDirective(SphinxDirective):
    """Heading; ``:show:`` names something of the chapter; text, a line ``---``, and what the teacher says."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {"show": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Read the parts."""
        heading = self.arguments[0] if self.arguments else ""
        inline, messages = self.state.inline_text(heading, self.lineno)
        parts = [nodes.container("", nodes.paragraph("", "", *inline))]
        at = part_at(self.content)
        for lines, first in ((self.content[:at], 0), (self.content[at + 1 :], at + 1)):
            parts.append(nodes.container())
            self.state.nested_parse(lines, self.content_offset + first, parts[-1])
        return [slide("", *parts, show=self.options.get("show", "")), *messages]


def written_slides(app: Sphinx, docname: str) -> Path:
    """Where the slides of a page lie between its writing and the making of the decks."""
    return Path(app.doctreedir, "slides", docname.rsplit("/", 1)[-1])


def take_out(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take the slides out of a page that is ready to be written, and write them down for the deck."""
    found = list(doctree.findall(slide))
    for node in found:
        node.parent.remove(node)
    if app.builder.name != "html":
        return
    target = written_slides(app, docname)
    if not found:
        target.unlink(missing_ok=True)
        return
    written = []
    for node in found:
        heading, text, said = (app.builder.render_partial(part)["fragment"] for part in node.children)
        written.append(
            f'<section data-show="{escape(node["show"])}"><header>{heading}</header>\n'
            f'<div class="text">{text}</div>\n<div class="said">{said}</div></section>\n'
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, "".join(written))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("slide", SlideDirective)
    app.connect("doctree-resolved", take_out, priority=900)  # when all links in them are found
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
