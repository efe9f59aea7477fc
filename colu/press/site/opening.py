"""``{opening}``: the figure that a chapter opens with, in small, before the text and code that lead to it."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from colu.press.notebook import Notebook

logger = logging.getLogger(__name__)


class wanted(nodes.General, nodes.Element):
    """The place of a figure that stands further down."""


class Opening(SphinxDirective):
    """A figure of the same chapter, by its name; its text says what to see, and a link follows."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Leave the place, and under it the text."""
        name = self.arguments[0]
        if not "".join(self.content).strip():
            raise self.error(f"the opening {name!r} does not say what to see: write it in the directive")
        self.content[-1] += f" ({{numref}}`{name}`)"
        text = nodes.container(classes=["drawing-caption"])
        self.state.nested_parse(self.content, self.content_offset, text)
        return [nodes.container("", wanted(name=name), text, classes=["drawing", "opening"])]


def fill(app: Sphinx, doctree: nodes.document) -> None:
    """Put a copy of the figure, without its caption and name, where it is wanted."""
    for place in list(doctree.findall(wanted)):
        figure = next((each for each in doctree.findall(nodes.figure) if place["name"] in each["names"]), None)
        parts = []
        if figure is None:
            logger.warning(
                "the opening shows %r, which is no figure of this chapter",
                place["name"],
                location=app.env.docname,
                type="colu",
                subtype="opening",
            )
        else:
            parts = [part.deepcopy() for part in figure.children if not isinstance(part, nodes.caption | nodes.legend)]
        place.replace_self(parts)


def check_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Warn of a chapter that does not open with a figure."""
    if str(app.env.doc2path(docname)).endswith(".ipynb") and not Notebook.loads(source[0], docname).opening:
        logger.warning(
            "no figure opens this chapter: put '{opening} fig-NAME' or '{drawing} NAME' under its question",
            location=docname,
            type="colu",
            subtype="opening",
        )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("opening", Opening)
    app.connect("source-read", check_page, priority=500)  # after the executed copy was read
    app.connect("doctree-read", fill, priority=800)  # before the layers are folded
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
