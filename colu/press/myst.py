"""The blocks of a MyST text: the one parser of ``{claim}``, ``{exercise}``, ``{prf:theorem}`` and their kin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

__all__ = ["Block", "read_blocks"]

_DIRECTIVE = re.compile(r"\{([\w:-]+)\}[ \t]*(.*)")
_OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")


@dataclass(frozen=True)
class Block:
    """One directive of a text.

    Attributes
    ----------
    kind : str
        The word in braces, such as ``"exercise"`` or ``"prf:theorem"``.
    title : str
        What stands behind it on the line: a title, a label or an id.
    options : dict
        The lines ``:key: value`` below it.
    text : str
        What follows them.
    lines : (int, int)
        The first line of the block, and the one after its last.
    """

    kind: str
    title: str
    options: dict[str, str]
    text: str
    lines: tuple[int, int]


@cache
def _parser():
    from markdown_it import MarkdownIt
    from mdit_py_plugins.colon_fence import colon_fence_plugin

    # Only fences, and the indented code that holds none: the text between them is not taken apart, which would be slow.
    return MarkdownIt("zero").enable(["code", "fence"]).use(colon_fence_plugin)


def read_blocks(text: str) -> list[Block]:
    """The directives of a text in their order, fenced by backticks or colons; one inside another is part of its text.

    Examples
    --------
    >>> (block,) = read_blocks("Try it.\\n\\n```{exercise} Count\\n:label: ex-count\\n\\nTo two.\\n```")
    >>> block.kind, block.title, block.options, block.text, block.lines
    ('exercise', 'Count', {'label': 'ex-count'}, 'To two.', (2, 7))
    """
    found = []
    for token in _parser().parse(text):
        match = _DIRECTIVE.match(token.info) if token.type in ("fence", "colon_fence") else None
        if match is None:
            continue
        options, lines = {}, token.content.splitlines()
        while lines and (option := _OPTION.match(lines[0])):
            options[option[1]] = option[2].strip()
            lines.pop(0)
        found.append(Block(match[1], match[2].strip(), options, "\n".join(lines).strip(), tuple(token.map)))
    return found
