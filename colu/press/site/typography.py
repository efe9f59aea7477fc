"""Numbers as they are written: a power of ten in place of the letter e, and no line ends inside a quantity.

A number stays with its unit, with what follows its ±, and with the name that it is the value of.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["kept_together", "powers_on", "with_powers"]

_NUMBER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]?)0*(\d+)(?![\w.]*\d)")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Text in these is what a program reads or wrote.
_AS_IT_STANDS = (nodes.literal, nodes.literal_block, nodes.raw, nodes.math, nodes.math_block, nodes.reference)


def with_powers(text: str) -> str:
    """A text whose numbers with an exponent are written as powers of ten.

    Examples
    --------
    >>> with_powers("at most 1e-12, measured 4.74e-16 of 2e+05")
    'at most 10⁻¹², measured 4.74\\xa0×\\xa010⁻¹⁶ of 2\\xa0×\\xa010⁵'
    """

    def written(match: re.Match) -> str:
        factor, sign, exponent = match.groups()
        power = "10" + ("⁻" if sign == "-" else "") + exponent.translate(_RAISED)
        return power if factor == "1" else f"-{power}" if factor == "-1" else f"{factor}\xa0×\xa0{power}"

    return _NUMBER.sub(written, text)


def write_powers(app: Sphinx, doctree: nodes.document) -> None:
    """Write the numbers of a page's prose as powers."""
    for text in list(doctree.findall(nodes.Text)):
        above, inside = text.parent, False
        while above is not None and not inside:
            inside, above = isinstance(above, _AS_IT_STANDS), above.parent
        if not inside and (written := with_powers(text)) != text:
            text.parent.replace(text, nodes.Text(written))


#: Code, scripts, drawings and formulas of a written page, and its tags; the text between them can be changed.
_KEPT = re.compile(
    r"(<(?:pre|code|script|style|svg|textarea|title)\b.*?</(?:pre|code|script|style|svg|textarea|title)>"
    r"|\\\(.*?\\\)|\\\[.*?\\\]|<[^>]*>)",
    re.DOTALL,
)
#: Tags inside a line: what they part is one text, as a number that a cell made and the unit after it.
_IN_LINE = re.compile(r"</?(?:a|b|em|i|span|strong|sub|sup)\b")
_WORDS = "core hour|hour|minute|second|day|degree|nat|bit|byte|point|pixel|time"
_UNITS = rf"%|‰|[kMGT]i?B|KB|[mµμn]?s|min|h|px|pt|sd|(?:{_WORDS})s?"
_NUMBER_NEXT = r"[-−–+]?[.\d∞]"
#: Spaces, the groups, at which no line ends.
_TOGETHER = re.compile(
    rf"(?:(?<![\w.])\d*[.,]?\d+|[∞⁰¹²³⁴-⁹])([ \n])(?=(?:{_UNITS})(?!\w))"
    rf"|(?<=[\w%∞])([ \n])±([ \n]?)(?={_NUMBER_NEXT})|(?<!\w)±([ \n])(?={_NUMBER_NEXT})"
    r"|(?<=\d)([ \n])×([ \n])(?=\d)"
    rf"|(?<![\w.])\w{{1,4}}([ \n])(?:[=<>≤≥]|&[lg]t;)([ \n])(?={_NUMBER_NEXT})"
)
#: Words with a hyphen after one letter, t-interval or p-value.
_LETTER = re.compile(r"(?<![\w&/.-])[A-Za-z]-[A-Za-z]{2,}")


def kept_together(page: str) -> str:
    """A page in whose text no line ends between a number and its unit, around ± and ×, or after ``n =`` or a ``t-``.

    Parameters
    ----------
    page : str
        HTML; code, formulas and drawings stay as they are.

    Examples
    --------
    >>> kept_together("a t-interval")
    'a <span class="with-mark">t-interval</span>'
    >>> kept_together("<p>By <span>3.1</span> % (n = 5), 2 ± 1 points, <code>n = 5</code>.</p>")
    '<p>By <span>3.1</span>\\xa0% (n\\xa0=\\xa05), 2\\xa0±\\xa01\\xa0points, <code>n = 5</code>.</p>'
    """
    parts = _KEPT.split(page)
    # The texts in a row: a tag inside a line takes no place there, a formula that of a number.
    for at in range(1, len(parts), 2):
        kept = parts[at]
        parts[at] = (kept, "" if _IN_LINE.match(kept) else "0" if kept.startswith(r"\(") else "\0")
    said = "".join(part if isinstance(part, str) else part[1] for part in parts)
    signs = list(said)
    for match in _TOGETHER.finditer(said):
        for group in range(1, _TOGETHER.groups + 1):
            for at in range(*match.span(group)):
                signs[at] = "\xa0"
    said, done, at = "".join(signs), [], 0
    for part in parts:
        text = isinstance(part, str)
        length = len(part if text else part[1])
        done.append(_LETTER.sub(r'<span class="with-mark">\g<0></span>', said[at : at + length]) if text else part[0])
        at += length
    return "".join(done)


def powers_on(page: str) -> str:
    """A page whose text has powers of ten, in tables and cards that a cell wrote as HTML too.

    Examples
    --------
    >>> powers_on("<td>1e-12</td><code>1e-12</code>")
    '<td>10⁻¹²</td><code>1e-12</code>'
    """
    if not _NUMBER.search(page):
        return page
    parts = _KEPT.split(page)
    parts[::2] = map(with_powers, parts[::2])
    return "".join(parts)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("doctree-read", write_powers, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
