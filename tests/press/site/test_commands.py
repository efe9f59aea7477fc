"""Long commands in tables are blocks that can be copied."""

from __future__ import annotations

import pytest
from docutils import nodes

from colu.press.site.commands import SHORT, set_blocks

LONG = "colu run vae --preset laptop --arms colu,relu --results mine"


def _doctree(*parts: nodes.Node, around: type = nodes.entry) -> nodes.document:
    from docutils.utils import new_document

    document = new_document("x")
    document += around("", nodes.paragraph("", "", *parts))
    return document


def _blocks(document: nodes.document) -> list[str]:
    set_blocks(None, document)
    return [block.astext() for block in document.findall(nodes.literal_block)]


def test_the_commands_of_a_cell_are_one_block():
    assert len(LONG) > SHORT
    lines = [nodes.literal("", LONG), nodes.raw("", "<br/>", format="html"), nodes.literal("", "colu run gpt")]
    assert _blocks(_doctree(*lines)) == [f"{LONG}\ncolu run gpt"]


@pytest.mark.parametrize(
    "document",
    [
        _doctree(nodes.literal("", "colu run gpt")),
        _doctree(nodes.literal("", LONG), nodes.Text(" or another")),
        _doctree(nodes.literal("", "x" * 80)),
        _doctree(nodes.literal("", LONG), around=nodes.list_item),
    ],
    ids=["short", "in a sentence", "no command", "no table"],
)
def test_other_code_stays(document):
    assert _blocks(document) == []
