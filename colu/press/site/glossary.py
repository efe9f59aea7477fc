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

from .claims import claim_link
from .quiz import quiz
from .slides import slide

_SKIP = (
    *(nodes.reference, nodes.literal, nodes.title, nodes.math, nodes.raw, nodes.caption),
    *(addnodes.pending_xref, claim_link, slide, quiz),
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


#: Words with a second sense: what stands before the word, what after it and what in its paragraph where ours is meant.
SENSES = {
    "axis": (r"(?<!which )$", r"(?! \d)", ""),
    # Batch normalisation is a term of its own.
    "batch": (r"", r"(?! norm)", ""),
    "boost": (r"", r"s?(?! (?:the|its|a)\b)", ""),
    "claim": (r"(?<!it )(?<!they )(?<!paper )(?<!who )$", r"s?(?! (?:that|to)\b)", ""),
    # The factor of the first weights, and neither an advantage nor the verb.
    "gain": (
        r"(?:\b(?:the|a|its|this|that|critical|own|right|initial)|[’']s) $",
        r"s?(?! (?:over|in|by|from|is above)\b)(?! of(?: \d|$))",
        r"[Ss]ignal|[Ii]nitial|\bHe[’']s\b|layer[’']s",
    ),
    "section": (r"(?<!next )(?<!this )(?<!second )(?<!first )(?<!last )(?<!previous )$", r"s?(?! \d)", ""),
}


def _in_our_sense(term: str, match: re.Match, paragraph: str) -> bool:
    before, after, around = SENSES.get(term, ("", "", ""))
    text = match.string
    return bool(
        re.search(before, text[: match.start()], re.IGNORECASE)
        and re.match(after, text[match.start() + len(term) :])
        and re.search(around, paragraph)
    )


def first_use(term: str, text: str, paragraph: str = "") -> re.Match | None:
    """Find a whole word in our sense, in singular or plural; capitals of the first letter do not matter.

    Parameters
    ----------
    term : str
        As the glossary has it.
    text : str
        A piece of a paragraph.
    paragraph : str
        The whole, where the sense of the word may depend on it; the piece where left out.

    Examples
    --------
    >>> first_use("cone", "Two cones, one coneflower").group()
    'cones'
    >>> first_use("cone", "a coneflower") is None
    True
    >>> first_use("gain", "what training gains by it") is None
    True
    """
    head = f"[{re.escape(term[0].upper() + term[0].lower())}]" if term[0].isalpha() else re.escape(term[0])
    found = re.finditer(rf"(?<![\w-]){head}{re.escape(term[1:])}(?:e?s)?(?![\w-])", text)
    return next((match for match in found if _in_our_sense(term, match, paragraph or text)), None)


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
        uses = ((at, first_use(term, text, _paragraph(text))) for at, text in enumerate(prose) if term[1:] in text)
        at, match = next(((at, match) for at, match in uses if match), (None, None))
        if at is None:
            return
        text = prose[at]
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


def _paragraph(text: nodes.Text) -> str:
    node = text.parent
    while node is not None and not isinstance(node, nodes.paragraph):
        node = node.parent
    return (node or text.parent).astext()


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
