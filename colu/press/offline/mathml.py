"""Formulas as MathML, for a builder whose readers have no MathJax: Sphinx's renderer ``mathml``."""

from __future__ import annotations

import re
import unicodedata

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

__all__ = ["mathml", "setup"]

logger = logging.getLogger(__name__)

_LETTER = re.compile(r'(<m[ino]\b[^>]*?) mathvariant="([a-z-]+)"([^>]*>)(&#x[0-9A-F]+;|\w)(?=<)')
_CAPITAL = re.compile(r"<mi>(&#x0039[1-9A-F];|&#x003A[0-9];)</mi>")
_UNKNOWN = re.compile(r"<mi>(\\\w+|&)</mi>")


def _plain_letter(match: re.Match) -> str:
    """A letter of a special face as a character of its own: readers of EPUB pass over ``mathvariant``."""
    letter = chr(int(match[4][3:-1], 16)) if match[4].startswith("&") else match[4]
    face, name = match[2].upper().replace("D-I", "D I"), re.sub("LATIN |GREEK |LETTER ", "", unicodedata.name(letter))
    for whole in (f"{face} {name}", f"MATHEMATICAL {face} {name}"):
        try:
            return f"{match[1]}{match[3]}{unicodedata.lookup(whole)}"
        except KeyError:
            continue
    return match[0]


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as MathML.

    Raises
    ------
    ValueError
        For a command or an environment that the converter does not know.

    Examples
    --------
    >>> mathml(r"\\mathbb R").partition("<mrow>")[2]
    '<mi>ℝ</mi></mrow></math>'
    >>> mathml(r"\\mathbb 1").partition("<mrow>")[2]
    '<mn>𝟙</mn></mrow></math>'
    """
    # MathJax is set to number no line by itself; the converter would.
    latex = latex.strip().replace("{align}", "{align*}").replace("{aligned}", "{split}")
    if r"\\" in latex and not latex.startswith(r"\begin{align*}"):
        latex = rf"\begin{{split}}{latex}\end{{split}}"  # as Sphinx does for MathJax
    latex = re.sub(r"\\arg\b", r"\\operatorname{arg}", latex)  # the one function that the converter lacks
    text = _LETTER.sub(_plain_letter, convert(latex, display=display))
    text = _CAPITAL.sub(r'<mi mathvariant="normal">\1</mi>', text)  # TeX sets capital Greek letters upright
    if unknown := _UNKNOWN.search(text):
        raise ValueError(f"{unknown[1]} is unknown to latex2mathml at its place: write the formula without it")
    return text


def _converted(node: nodes.Element, display: str) -> str:
    try:
        return mathml(node.astext(), display)
    except Exception as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node, type="colu", subtype="formula")
        return ""


def visit_inline(self, node: nodes.math) -> None:
    """Write a formula in a line."""
    self.body.append(_converted(node, "inline"))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    """Write a formula of its own, with its number where the site shows one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"] and not node["nowrap"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(_converted(node, "block") + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
