"""Slides beside the chapters: writes them when the site is built, and ``{decks}`` lists them on a page."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.book.chapters import toc_chapters
from colu.book.slides import FOLDER, write_decks


class Decks(SphinxDirective):
    """One link a chapter to its slides."""

    def run(self) -> list[nodes.Node]:
        """Build the list."""
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / "_toc.yml"))
        up = "../" * self.env.docname.count("/")
        listed = nodes.bullet_list(classes=["decks"])
        for chapter in toc_chapters(root):
            self.env.note_dependency(str(root / "notebooks" / f"{chapter.name}.ipynb"))
            link = nodes.reference("", f"{chapter.number} {chapter.title}", internal=True)
            link["refuri"] = f"{up}{FOLDER}/{chapter.name}.html"
            listed += nodes.list_item("", nodes.paragraph("", "", link))
        return [listed]


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the deck of every chapter whose page was rendered."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    names = [chapter.name for chapter in toc_chapters(Path(app.srcdir))]
    write_decks(site, [name for name in names if (site / "notebooks" / f"{name}.html").is_file()])


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("decks", Decks)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
