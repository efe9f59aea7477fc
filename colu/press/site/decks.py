"""Sheets, solutions and the slides that notebooks have, written with the site; ``{decks}`` lists them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.parallel import ParallelTasks, SerialTasks, parallel_available

from colu.press.teach.blocks import slide_blocks
from colu.press.teach.slides import KINDS, write_decks
from colu.press.toc import toc_chapters

from .slides import written_slides


class Decks(SphinxDirective):
    """One line a chapter: its slides, where its notebook has some, its sheet and the solutions."""

    def run(self) -> list[nodes.Node]:
        """Build the list."""
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / "_toc.yml"))
        up = "../" * self.env.docname.count("/")
        listed = nodes.bullet_list(classes=["decks"])
        for chapter in toc_chapters(root):
            self.env.note_dependency(str(root / "notebooks" / f"{chapter.name}.ipynb"))
            line = nodes.paragraph("", f"{chapter.number} {chapter.title}: ")
            for kind, word in zip(KINDS, ("slides", "sheet", "solutions"), strict=True):
                if kind == KINDS[0] and not slide_blocks(chapter):
                    continue
                link = nodes.reference("", word, internal=True, refuri=f"{up}{kind}/{chapter.name}.html")
                # A reader of links alone hears which chapter it is.
                link["reftitle"] = f"{word} of chapter {chapter.number}"
                line += [link, nodes.Text(", " if kind != KINDS[-1] else "")]
            listed += nodes.list_item("", line)
        return [listed]


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the sheet, the solutions and the deck of every chapter whose page was rendered."""
    if error or app.builder.name != "html":
        return
    site = Path(app.outdir)
    names = [chapter.name for chapter in toc_chapters(Path(app.srcdir))]
    written = {}
    for name in names:
        if (site / "notebooks" / f"{name}.html").is_file():
            slides = written_slides(app, name)
            written[name] = slides.read_text(encoding="utf8") if slides.is_file() else ""
    names = list(written)
    tasks = ParallelTasks(app.parallel) if parallel_available and app.parallel > 1 else SerialTasks()
    for first in range(min(app.parallel, len(names))):
        tasks.add_task(partial(write_decks, site), {name: written[name] for name in names[first :: app.parallel]})
    tasks.join()


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("decks", Decks)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
