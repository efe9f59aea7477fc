"""What a sheet says of an exercise's result: a number to check oneself by, and never the answer's reasons."""

from __future__ import annotations

import re

__all__ = ["number_at_most"]

_CLAUSE = re.compile(r"[;:]\s|\.\s|\.$")
_WORDS = frozenset("about and or between nearly per cent degrees point points bits bytes a pixel".split())


def number_at_most(expected: str) -> str:
    r"""The number or numbers with which an expected result begins; empty where it begins with anything else.

    Parameters
    ----------
    expected : str
        As the exercise has it, in Markdown or as the text of its page.

    Examples
    --------
    >>> number_at_most("0.22, 0.35 and 0.50; the ratios add up to 1, by Moreau.")
    '0.22, 0.35 and 0.50'
    >>> number_at_most("the even one commutes with both."), number_at_most(r"$1/\sqrt k$: 0.71 and 0.50.")
    ('', '')
    """
    first = _CLAUSE.split(" ".join(expected.split()), maxsplit=1)[0].strip()
    words = re.findall(r"[^\W\d_]+", first)
    return first if re.search(r"\d", first) and _WORDS.issuperset(words) else ""
