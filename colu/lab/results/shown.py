"""Rows as a table on a page: what a chapter shows, written from values and not by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real

from .statistics import Difference, Summary

__all__ = ["show", "table_text"]


def _cell(value: object, digits: int | str, counts: bool) -> str:
    if value is None:
        return ""
    spec = digits if isinstance(digits, str) else f".{digits}f"
    if isinstance(value, Summary):
        spec = f"+{spec.lstrip('+')}" if isinstance(value, Difference) else spec
        return format(value, spec) if counts else value.brief(spec)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return format(float(value), spec)
    return str(value)


def table_text(
    rows: Iterable[Mapping[str, object]],
    *,
    digits: int | str | Mapping[str, int | str] = 2,
    counts: bool = False,
) -> str:
    """A table in Markdown.

    Parameters
    ----------
    rows : iterable of mapping
        Each from the name of a column to its value; all rows have the same columns in the same order.
        Text and whole numbers stay as they are, None is an empty cell, a :class:`Summary` is its mean ± half its
        interval, a :class:`Difference` the same with a sign.
    digits : int, str or mapping of str to either
        After the point, or a format such as ``".2g"``, ``"+.1f"`` or ``".0%"``: for all columns, or by column, where
        a column that is not named has 2 digits.
    counts : bool
        Whether a summary says how many values it is of. False if the text says so.

    Raises
    ------
    ValueError
        If there is no row, a row has other columns than the first, or ``digits`` names a column that there is not.

    Examples
    --------
    >>> from colu.lab.results import summarise
    >>> print(table_text([{"arm": "ReLU", "accuracy (%)": summarise([97.0, 98.0, 99.0])}], digits=1))
    | arm | accuracy (%) |
    |---|---|
    | ReLU | 98.0 ± 2.5 |
    """
    rows = list(rows)
    if not rows:
        raise ValueError("there is no row to show")
    columns = list(rows[0])
    if isinstance(digits, Mapping) and (unknown := set(digits) - set(columns)):
        raise ValueError(f"digits are given for {sorted(unknown)}; columns are {columns}")
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in rows:
        if list(row) != columns:
            raise ValueError(f"a row has the columns {list(row)}, the first has {columns}")
        cells = []
        for column, value in row.items():
            places = digits.get(column, 2) if isinstance(digits, Mapping) else digits
            cells.append(_cell(value, places, counts))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def show(
    rows: Iterable[Mapping[str, object]],
    *,
    above: str = "",
    digits: int | str | Mapping[str, int | str] = 2,
    counts: bool = False,
) -> None:
    """Show rows as a table below the cell; the other parameters are those of :func:`table_text`.

    Parameters
    ----------
    above : str
        A line over the table, in Markdown.

    Examples
    --------
    >>> show([{"k": 2, "share": 0.5}])
    <IPython.core.display.Markdown object>
    """
    from IPython.display import Markdown, display

    text = table_text(rows, digits=digits, counts=counts)
    display(Markdown(f"{above}\n\n{text}" if above else text))
