"""The parts of the book in the side bar fold; the one that is being read stands open."""

from __future__ import annotations

import re

__all__ = ["folded"]

_NAV = re.compile(r'(<nav class="bd-links[^>]*>\s*<div class="bd-toc-item[^>]*>)(.*?)(</div>\s*</nav>)', re.DOTALL)
_CAPTION = re.compile(r'<p aria-level="2" class="caption" role="heading">(<span class="caption-text">.*?</span>)</p>')


def _fold(match: re.Match) -> str:
    before, inner, after = match.groups()
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
