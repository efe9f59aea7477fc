"""``{decided-statements}``: the statements in print that have a word, as the cards of their chapter have it.

Read from the chapter's executed copy, so the first page says what that chapter says, whatever is decided later.
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx

from .executed import executed_path, read_executed
from .gathered import _Gathering

CHAPTER = "notebooks/60-every-claim"
_CARD = re.compile(
    r'<article class="verdict-card" id="(?P<anchor>[\w-]+)".*?<p class="verdict-statement">(?P<statement>.*?) <cite>.*?'
    r'<strong class="verdict-word verdict-word-\d">(?P<word>.*?)</strong>(?P<rest>.*?)</article>',
    re.DOTALL,
)
_OURS = re.compile(r"arm minus baseline: ours (.*?)[;<]")
#: Words that decide nothing about what is printed.
OPEN = ("regime not reached", "not tested")


class Card(NamedTuple):
    """A statement in print, and the word on it."""

    anchor: str
    statement: str
    word: str
    ours: str


def read_cards(page: str) -> list[Card]:
    """The cards in the HTML of :func:`colu.lab.verdicts.verdict_cards`.

    Examples
    --------
    >>> read_cards("<p>no card</p>")
    []
    """
    found = []
    for match in _CARD.finditer(page):
        ours = _OURS.search(match["rest"])
        texts = (match["statement"], match["word"], ours[1] if ours else "")
        found.append(Card(match["anchor"], *map(unescape, texts)))
    return found


class DecidedStatements(_Gathering):
    """A table of the statements with a word, and how many have none."""

    def run(self) -> list[nodes.Node]:
        """Build table and sentence."""
        path = executed_path(self.env.app, CHAPTER)
        self.env.note_dependency(str(path))
        cards = read_cards(_shown(path))
        if not cards:
            raise self.error(f"{path} shows no cards of statements: execute it, or take {self.name} off the page")
        words = Counter(card.word for card in cards)
        lines = ["| In print | The word | Our runs, first minus second |", "|---|---|---|"]
        for card in cards:
            if card.word not in OPEN:
                statement = card.statement.replace("|", r"\|")
                lines.append(f"| {statement} | {card.word} | {card.ours} |")
        regime, untested = (words[word] for word in OPEN)
        decided = len(cards) - regime - untested
        text = (
            f"{decided} of {len(cards)} statements have a word; for {regime} our networks are not the paper's, "
            f"so that their differences are not about them, and {untested} were not tested."
        )
        table = self.parse("\n".join(lines)) if decided else []
        anchors = [card.anchor for card in cards if card.word not in OPEN]
        rows = [row for part in table for body in part.findall(nodes.tbody) for row in body]
        for row, anchor in zip(rows, anchors, strict=True):
            (word,) = row[1].children
            link = nodes.reference("", "", *word.children, refuri=f"../{CHAPTER}.html#{anchor}", internal=True)
            word.children = []
            word += link
        return [*table, nodes.paragraph("", text)]


def _shown(path: Path) -> str:
    copy = read_executed(path)
    outputs = [output for cell in copy.cells if cell.kind == "code" for output in cell.outputs] if copy else []
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("decided-statements", DecidedStatements)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
