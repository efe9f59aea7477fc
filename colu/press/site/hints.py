"""``{hints}``: under an exercise, a nudge and stronger hints, each behind a line of its own.

In the source lines ``---`` part them.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.press.layers import HINT
from colu.press.notebook import parted_hints

from .layers import fold


class Hints(SphinxDirective):
    """The hints to the exercise above."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """One line that opens for each hint."""
        parts, at, folds = parted_hints(self.content), 0, []
        for number, part in enumerate(parts, 1):
            hint = fold("", kind=HINT, line=f"Hint {number} of {len(parts)}")
            self.state.nested_parse(self.content[at : at + len(part)], self.content_offset + at, hint)
            folds.append(hint)
            at += len(part) + 1
        return folds


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; the folds are of ``layers``."""
    app.setup_extension("colu.press.site.layers")
    app.add_directive("hints", Hints)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
