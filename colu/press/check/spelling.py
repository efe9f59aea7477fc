"""British spelling and doubled words, in prose alone: code, formulas, links and addresses are left out."""

from __future__ import annotations

import re

__all__ = ["misspelt"]

_NOT_PROSE = re.compile(
    r"^(`{3,}|:{3,})\{(?:bibliography|code|math)\b.*?^\1|^(`{3,})\w.*?^\2|(?<!`)`[^`]+`(?!`)|\$\$.*?\$\$|\$[^$]*\$"
    r"|\]\([^)]*\)|<[^>]+>|https?://\S+",
    re.DOTALL | re.MULTILINE,
)
_AMERICAN = re.compile(
    r"\b((?:color|behavior|neighbor|favor|center)(?:s|ed|ing)?|gray|modeling|modeled|labeled|labeling|analyz\w+|catalog"
    r"|(?!seiz|resiz|siz|priz)\w{3,}iz(?:e|es|ed|er|ers|ing|ation|ations))\b",
    re.IGNORECASE,
)
_DOUBLED = re.compile(r"\b([a-z]{2,}) \1\b", re.IGNORECASE)


def misspelt(text: str) -> list[str]:
    """What is wrong in a Markdown text, each word with what it should be.

    Examples
    --------
    >>> misspelt("The color of the the cone, `color`, $color$ and the size of a normalized one.")
    ["'color' is not British", "'normalized' is not British", "'the the' is doubled"]
    >>> misspelt("The colour of a normalised cone has a size.")
    []
    """
    prose = _NOT_PROSE.sub(" · ", text)
    found = [f"{match[0]!r} is not British" for match in _AMERICAN.finditer(prose)]
    return found + [f"{match[0]!r} is doubled" for match in _DOUBLED.finditer(prose)]
