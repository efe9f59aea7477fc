"""Tables wider than a telephone become cards there: a row a card, each cell under the name of its column.

Where there is room, a long table of a chapter stands in a window of its own, and does not part the text by screens.
Both are decided when the pages are written, the cards by what the widest words and formulas of the columns take; the
style sheet then shows the names, which each cell carries as ``data-label``.
"""

from __future__ import annotations

import re
from html import escape, unescape

from .formulas import as_words, width_of

__all__ = ["minimal_width", "with_cards", "with_windows"]

#: Pixels of a telephone's column, of a sign of a table's text there, of code, and of the room on both sides of a cell.
COLUMN, SIGN, CODE, ROOM = 350, 8.1, 8.4, 12
#: Rows, the head among them, beyond which a table is long: a window of 12 saves nothing of a table of 13.
MANY = 16
#: Signs of a cell beyond which a third column makes it a ribbon.
LONG = 110
_TABLE = re.compile(r"<table\b(?P<attributes>[^>]*)>(?P<inner>(?:(?!<table\b).)*?)</table>", re.DOTALL)
_HEAD = re.compile(r"<thead>(.*?)</thead>", re.DOTALL)
_BODY = re.compile(r"<tbody>(.*?)</tbody>", re.DOTALL)
_ROW = re.compile(r"<tr\b([^>]*)>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[dh])\b([^>]*)>(.*?)</\1>", re.DOTALL)
_MATH = re.compile(r"\\\((.*?)\\\)", re.DOTALL)
_CODE = re.compile(r"<code\b.*?</code>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
#: These have a narrow form of their own.
_OWN = ("chapters-table", "genindextable", "indextable", "highlighttable")


def _longest(html: str) -> float:
    """Pixels of the longest piece of a cell that does not break; code breaks at spaces and hyphens.

    A space at which no line ends takes half of a sign.
    """
    code = [piece for found in _CODE.findall(html) for piece in re.split(r"[\s-]", unescape(_TAG.sub("", found)))]
    rest = _CODE.sub(" ", html)
    formulas = [width_of(tex) for tex in _MATH.findall(rest)]
    words = re.split(r"[ \n\t-]", unescape(_TAG.sub("", _MATH.sub(" ", rest))))
    em = 0.85 * 16
    signs = (len(word) - word.count("\xa0") / 2 for word in words)
    return max(SIGN * max(signs, default=0), CODE * max(map(len, code), default=0), em * max(formulas, default=0))


def minimal_width(rows: list[list[str]]) -> float:
    """Pixels below which a table of these cells, rows of HTML, can't be set.

    Examples
    --------
    >>> minimal_width([["a", "b"]]) < minimal_width([["a", "b" * 60]])
    True
    >>> minimal_width([["1 ± 2"]]) < minimal_width([["1\xa0±\xa02"]]) < minimal_width([["10±20"]])
    True
    """
    columns = max(map(len, rows), default=0)
    return sum(max(_longest(row[k]) for row in rows if k < len(row)) + ROOM for k in range(columns))


def _is_wide(rows: list[list[str]]) -> bool:
    if minimal_width(rows) > COLUMN:
        return True
    signs = max((len(unescape(_TAG.sub("", cell))) for row in rows for cell in row), default=0)
    return max(map(len, rows), default=0) > 2 and signs > LONG


def _label(html: str) -> str:
    said = _MATH.sub(lambda match: as_words(match[1]), unescape(_TAG.sub("", html)))
    return escape(" ".join(said.split()), quote=True)


def _cards(match: re.Match) -> str:
    attributes, inner = match["attributes"], match["inner"]
    head, body = _HEAD.search(inner), _BODY.search(inner)
    if head is None or body is None or "span=" in inner or any(name in attributes for name in _OWN):
        return match[0]
    names = [cell[2] for cell in _CELL.findall(_ROW.findall(head[1])[-1][1])]
    rows = [[cell[2] for cell in _CELL.findall(row)] for _, row in _ROW.findall(body[1])]
    if not _is_wide([names, *rows]):
        return match[0]
    labels = [_label(name) for name in names]

    def card(row: re.Match) -> str:
        column = iter(range(len(labels)))

        def cell(found: re.Match) -> str:
            k = next(column, None)
            label = f' data-label="{labels[k]}"' if k and labels[k] else ""
            role = "rowheader" if found[1] == "th" else "cell"
            return f'<{found[1]}{found[2]} role="{role}"{label}><div>{found[3]}</div></{found[1]}>'

        return f'<tr{row[1]} role="row">{_CELL.sub(cell, row[2])}</tr>'

    # A table that is shown as blocks is none to a screen reader, unless it says so.
    top = head[0].replace("<tr", '<tr role="row"').replace("<th ", '<th role="columnheader" ')
    top = top.replace("<th>", '<th role="columnheader">').replace("<thead", '<thead role="rowgroup"')
    inner = inner.replace(head[0], top, 1)
    inner = inner.replace(body[0], f'<tbody role="rowgroup">{_ROW.sub(card, body[1])}</tbody>', 1)
    attributes = (
        attributes.replace('class="', 'class="cards ') if 'class="' in attributes else f'{attributes} class="cards"'
    )
    return f'<table{attributes} role="table">{inner}</table>'


def _window(match: re.Match) -> str:
    rows = len(_ROW.findall(match["inner"]))
    if rows <= MANY or any(name in match["attributes"] for name in _OWN):
        return match[0]
    # By keyboard too: what scrolls takes the focus.
    says = f'class="long-table" tabindex="0" role="region" aria-label="table of {rows - 1} rows"'
    return f"<div {says}>{match[0]}</div>"


def with_windows(page: str) -> str:
    """A page whose long tables scroll in windows of their own.

    Examples
    --------
    >>> row = "<tr><td>1</td></tr>"
    >>> 'aria-label="table of 40 rows"' in with_windows(f"<table>{row * 41}</table>")
    True
    >>> with_windows(f"<table>{row}</table>") == f"<table>{row}</table>"
    True
    """
    return _TABLE.sub(_window, page)


def with_cards(page: str) -> str:
    """A page whose wide tables can be shown as cards.

    Examples
    --------
    >>> head = "<thead><tr><th>arm</th><th>what it is</th></tr></thead>"
    >>> body = f"<tbody><tr><td>relu</td><td>{'x' * 60}</td></tr></tbody>"
    >>> 'data-label="what it is"' in with_cards(f"<table>{head}{body}</table>")
    True
    """
    return _TABLE.sub(_cards, page)
