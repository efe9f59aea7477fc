"""Number figures, theorems and exercises by chapter: "Fig. 10.2" is the second figure of notebook 10.

Sphinx would count through the whole book, so that a figure added to one chapter renumbers the others.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

_CHAPTER = re.compile(r"notebooks/(\d+)-")


def by_chapter(numbers: dict[str, dict[str, dict[str, tuple]]]) -> None:
    """Renumber in place: page -> kind -> node's id -> number.

    Examples
    --------
    >>> numbers = {"notebooks/30-mlp": {"figure": {"a": (7,), "b": (8,)}}, "book/index": {"figure": {"c": (1,)}}}
    >>> by_chapter(numbers)
    >>> numbers["notebooks/30-mlp"]["figure"], numbers["book/index"]["figure"]
    ({'a': (30, 1), 'b': (30, 2)}, {'c': (1,)})
    """
    for page, kinds in numbers.items():
        chapter = _CHAPTER.match(page)
        if chapter:
            for places in kinds.values():
                order = sorted(set(places.values()))
                for identifier, place in places.items():
                    places[identifier] = (int(chapter[1]), order.index(place) + 1)


def renumber(app: Sphinx, env) -> None:
    """Renumber when Sphinx has counted."""
    by_chapter(env.toc_fignumbers)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("env-check-consistency", renumber)  # the last event before pages are written
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
