"""Link the first use of each glossary term in a chapter, and put it into the index."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from colu.press.myst import read_blocks

from .slides import slide

_SKIP = (
    *(nodes.reference, nodes.literal, nodes.title, nodes.math, nodes.raw, nodes.caption),
    *(addnodes.pending_xref, slide),
)


@cache
def _terms(path: Path, changed: float) -> tuple[str, ...]:
    texts = [block.text for block in read_blocks(path.read_text(encoding="utf8")) if block.kind == "glossary"]
    return tuple(re.findall(r"^(\S[^\n]*)\n(?=  )", "\n".join(texts), re.MULTILINE))


def glossary_terms(path: Path) -> tuple[str, ...]:
    """The terms that a page defines in its ``{glossary}`` block, longest first.

    A term stands at the beginning of a line and its definition, indented, below it.
    """
    if not path.is_file():
        return ()
    return tuple(sorted(_terms(path, path.stat().st_mtime), key=len, reverse=True))


def first_use(term: str, text: str) -> re.Match | None:
    """Find a whole word, in singular or plural; capitals of the first letter do not matter.

    Examples
    --------
    >>> first_use("cone", "Two cones, one coneflower").group()
    'cones'
    >>> first_use("cone", "a coneflower") is None
    True
    """
    head = f"[{re.escape(term[0].upper() + term[0].lower())}]" if term[0].isalpha() else re.escape(term[0])
    return re.search(rf"(?<![\w-]){head}{re.escape(term[1:])}s?(?![\w-])", text)


class LinkTerms(SphinxTransform):
    """Before the domains read the page (priority 850), so that the index sees the entries."""

    default_priority = 700

    def apply(self, **_) -> None:
        """Link each term once."""
        if not self.env.docname.startswith("notebooks/"):
            return
        path = Path(self.env.srcdir, "book", "glossary.md")
        self.env.note_dependency(str(path))
        prose = [text for text in self.document.findall(nodes.Text) if _in_prose(text)]
        for number, term in enumerate(glossary_terms(path)):
            self.link(term, number, prose)

    def link(self, term: str, number: int, prose: list[nodes.Text]) -> None:
        """Replace the first use in running text; ``prose`` then holds what is left of it."""
        at = next((at for at, text in enumerate(prose) if term[1:] in text and first_use(term, text)), None)
        if at is None:
            return
        text = prose[at]
        match = first_use(term, text)
        target = f"term-use-{number}"
        link = addnodes.pending_xref(
            "",
            nodes.inline("", match.group(), classes=["glossary-use"]),
            refdomain="std",
            reftype="term",
            reftarget=term,
            refexplicit=True,
            refdoc=self.env.docname,
            refwarn=True,
        )
        index = addnodes.index(entries=[("single", term, target, "", None)])
        before, after = nodes.Text(text[: match.start()]), nodes.Text(text[match.end() :])
        text.parent.replace(text, [before, index, nodes.target("", "", ids=[target]), link, after])
        prose[at : at + 1] = [before, after]


def _in_prose(text: nodes.Text) -> bool:
    node, paragraph = text.parent, False
    while node is not None and not isinstance(node, nodes.document):
        if isinstance(node, _SKIP) or "cell_output" in node.get("classes", ()):
            return False
        paragraph = paragraph or isinstance(node, nodes.paragraph)
        node = node.parent
    return paragraph


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_transform(LinkTerms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
