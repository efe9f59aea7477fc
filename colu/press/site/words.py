"""Words that readers type into the search, led to the page or section that answers them: ``book/search.yml``.

They become main entries of the index, which the search shows before everything else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

FILE = "book/search.yml"


@cache
def _read(path: Path, changed: float) -> dict[str, list[str]]:
    return yaml.safe_load(path.read_text(encoding="utf8"))


def search_words(root: Path) -> dict[str, list[str]]:
    """The words of each page or section, ``page#section``; empty where the book has no such file."""
    path = root / FILE
    return _read(path, path.stat().st_mtime) if path.is_file() else {}


def main_entry(word: str, target: str) -> addnodes.index:
    """An entry of the index that the search shows first."""
    return addnodes.index(entries=[("single", word, target, "main", None)])


class LeadWords(SphinxTransform):
    """Before the domains read the page (priority 850), so that the index sees the entries."""

    default_priority = 710

    def apply(self, **_) -> None:
        """Enter the words of this page at its sections."""
        root = Path(self.env.srcdir)
        if not (root / FILE).is_file():
            return
        self.env.note_dependency(str(root / FILE))
        for place, words in search_words(root).items():
            page, _, anchor = place.partition("#")
            if page == self.env.docname:
                self.enter(anchor, words)

    def enter(self, anchor: str, words: list[str]) -> None:
        """Enter words at one section; at the first where none is named."""
        sections = self.document.findall(nodes.section)
        section = next((each for each in sections if not anchor or anchor in each["ids"]), None)
        if section is None:
            logger.warning(
                "%s leads to #%s, and the page has no such section",
                FILE,
                anchor,
                location=self.env.docname,
                type="colu",
                subtype="search",
            )
            return
        title = section.next_node(nodes.title)
        place = section.index(title) + 1 if title in section.children else 0
        section[place:place] = [main_entry(word, anchor or section["ids"][0]) for word in words]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_transform(LeadWords)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
