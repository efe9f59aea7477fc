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


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("doctree-read", write_powers, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
