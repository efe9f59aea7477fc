"""The parts of the book in the side bar fold; the one that is being read stands open.

The pages of the atlas, some ninety, are left out of it: its front lists them.
"""

from __future__ import annotations

import re

__all__ = ["folded"]

_NAV = re.compile(r'(<nav class="bd-links[^>]*>\s*<div class="bd-toc-item[^>]*>)(.*?)(</div>\s*</nav>)', re.DOTALL)
_CAPTION = re.compile(r'<p aria-level="2" class="caption" role="heading">(<span class="caption-text">.*?</span>)</p>')
#: A page with others below it: its address, and that of the first of them.
_BELOW = re.compile(
    r'(<li class="toctree-l1[^"]*?) has-children("><a\b[^>]*?href="([^"]*)"[^>]*>.*?</a>)'
    r'<details\b(?:(?!</details>).)*?<a\b[^>]*?href="([^"]*)".*?</details>',
    re.DOTALL,
)


def _without_atlas(match: re.Match) -> str:
    front, first = match[3], match[4]
    of_atlas = front.endswith("atlas.html") or re.match(r"(?:.*/)?atlas/", first)
    return match[1] + match[2] if of_atlas else match[0]


def _fold(match: re.Match) -> str:
    before, inner, after = match.groups()
    inner = _BELOW.sub(_without_atlas, inner)
    first, *rest = _CAPTION.split(inner)
    parts = list(zip(rest[::2], rest[1::2], strict=True))
    here = next((k for k, (_, pages) in enumerate(parts) if "current" in pages), 0)
    return before + first + "".join(
        f'<details class="part"{" open" if k == here else ""}><summary>{caption}</summary>{pages}</details>'
        for k, (caption, pages) in enumerate(parts)
    ) + after  # fmt: skip


def folded(page: str) -> str:
    """A page whose side bar has each part behind its name; the first is open where none is being read."""
    return _NAV.sub(_fold, page)
