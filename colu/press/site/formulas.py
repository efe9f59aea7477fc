r"""Keep the room that a formula will take, so that the lines around it stay where they are when MathJax sets it.

How wide it will be is a guess from its TeX: the signs that are seen, scripts smaller, room around relations.
"""

from __future__ import annotations

import re
from html import unescape

__all__ = ["reserved", "width_of"]

#: What each page with a formula needs: loaded at once, and not when MathJax comes to it.
FONTS = ("MathJax_Main-Regular", "MathJax_Math-Italic", "MathJax_Zero", "MathJax_AMS-Regular")
_FOLDER = "_static/mathjax/output/chtml/fonts/woff-v2"
#: A formula in a line, and what belongs to its line, a unit or marks: a browser would begin a line with them.
_INLINE = re.compile(
    r'<span class="math notranslate nohighlight">\\\((.*?)\\\)</span>((?:\xa0[\w%±]+)?[.,;:!?)’”]*)', re.DOTALL
)
#: Commands that only say how what follows them is set; room of a fixed size; names that are spelled out.
_STYLE = re.compile(
    r"\\(?:operatorname\*?|math\w+|boldsymbol|text|tilde|hat|bar|overline|left|right|[bB]igg?[lr]?|displaystyle)(?![a-zA-Z])"
)
_ROOM = re.compile(r"\\(?:[,;:! ]|q?quad(?![a-zA-Z]))")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
_SPELLED = re.compile(r"\\(?:sin|cos|tan|log|exp|max|min|lim|det|dim|ker|arg|sup|inf|sinh|cosh)(?![a-zA-Z])")
_RELATION = re.compile(
    r"[=<>+]|(?<!\^)-|\\(?:le|ge|leq|geq|in|to|sim|approx|ne|neq|times|cdot|subset|subseteq|mapsto|pm|cap|cup|circ|wr)(?![a-zA-Z])"
)
_SCRIPT = re.compile(r"[_^](?:\{([^{}]*)\}|(\\[a-zA-Z]+|.))")
#: In ems of the text: of a sign, of the room around a relation, and of a sign of a script beside one of the line.
SIGN, RELATION, SMALL = 0.83, 0.8, 0.7


def _width(tex: str) -> float:
    spelled = _SPELLED.sub(lambda match: "x" * (len(match[0]) - 1), tex)
    signs = re.sub(r"[{}\s\\$]", "", re.sub(r"\\[a-zA-Z]+", "x", spelled))
    return SIGN * len(signs) + RELATION * len(_RELATION.findall(spelled))


def width_of(tex: str) -> float:
    r"""About how wide a formula in a line is, in ems of the text around it.

    Examples
    --------
    >>> width_of(r"x") < width_of(r"x_{ij}") < width_of(r"x + y") < width_of(r"\operatorname{ReLU}(x) = \max(x, 0)")
    True
    """
    tex = _ROOM.sub("", _STYLE.sub("", unescape(tex)))
    tex = _FRACTION.sub(lambda match: max(match[1] or match[2], match[3] or match[4], key=len), tex)
    scripts = sum(_width(braced or single) for braced, single in _SCRIPT.findall(tex))
    return _width(_SCRIPT.sub("", tex)) + SMALL * scripts


def _with_room(match: re.Match) -> str:
    formula = match[0].replace(">", f' style="--room: {width_of(match[1]):.1f}em">', 1)
    return f'<span class="with-mark">{formula}</span>' if match[2] else formula


def reserved(page: str, up: str) -> str:
    """A page whose formulas say how wide they will be and keep their full stops, and which loads their type at once.

    Parameters
    ----------
    page : str
        HTML.
    up : str
        From the page to the root of the site, such as ``"../"``.
    """
    page, count = _INLINE.subn(_with_room, page)
    if not count:
        return page
    begin = '<link rel="preload" as="font" type="font/woff" crossorigin="" href="'
    links = "\n".join(f'{begin}{up}{_FOLDER}/{name}.woff">' for name in FONTS)
    return page.replace("</title>", f"</title>\n{links}", 1)


_NAMES = {"alpha": "α", "beta": "β", "delta": "δ", "epsilon": "ε", "eta": "η", "gamma": "γ", "lambda": "λ", "mu": "μ"}
_NAMES |= {"phi": "φ", "pi": "π", "psi": "ψ", "rho": "ρ", "sigma": "σ", "tau": "τ", "theta": "θ", "chi": "χ"}
_NAMES |= {
    "Delta": "Δ",
    "le": "≤",
    "ge": "≥",
    "pm": "±",
    "times": "×",
    "cdot": "·",
    "sqrt": "√",
    "infty": "∞",
    "to": "→",
}


def as_words(tex: str) -> str:
    r"""A short formula without its commands, where none can be set: in a title, or the name of a column.

    Examples
    --------
    >>> as_words(r"\lambda"), as_words(r"\operatorname{ReLU}(x) \le S-1"), as_words("x_{ij}")
    ('λ', 'ReLU(x) ≤ S-1', 'x_ij')
    """
    tex = re.sub(
        r"\\(?:operatorname\*?|math\w+|text|boldsymbol|left|right|[bB]igg?[lr]?)(?![a-zA-Z])", "", unescape(tex)
    )
    tex = re.sub(r"\\([a-zA-Z]+)", lambda match: _NAMES.get(match[1], match[1]), tex)
    return " ".join(re.sub(r"\\[,;:! ]|[{}\\$]", "", tex).split())
