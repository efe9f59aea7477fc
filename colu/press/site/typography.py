"""Numbers as they are written: a power of ten, and not the letter e, whose hyphen breaks at the end of a line."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["with_powers"]

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
