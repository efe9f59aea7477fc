"""Rows of small grey pictures under one another, each with its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

__all__ = ["picture_rows"]

#: Inches of a picture's side.
_SIDE = 0.5


def picture_rows(rows: Mapping[str, Tensor], columns: list[str] | None = None, *, ink: str = "dark") -> Figure:
    """Draw rows of pictures; pixels stay pixels.

    Parameters
    ----------
    rows : mapping of str to torch.Tensor
        Each of shape (columns, 1, height, width) with levels in [0, 1], by its label.
    columns : list of str, optional
        Written under the columns.
    ink : {"dark", "light"}
        Colour of level 1.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are other than one label a column.

    Examples
    --------
    >>> import torch
    >>> figure = picture_rows({"a": torch.rand(3, 1, 8, 8), "b": torch.rand(3, 1, 8, 8)})
    >>> [axis.get_ylabel() for axis in figure.axes]
    ['a', 'b']
    """
    import matplotlib.pyplot as plt
    from torch.nn.functional import pad

    number = len(next(iter(rows.values())))
    if columns is not None and len(columns) != number:
        raise ValueError(f"{len(columns)} labels for {number} columns; give one for each")
    size = (_SIDE * number + 1.4, (_SIDE + 0.04) * len(rows) + (0.3 if columns else 0.1))
    figure, axes = plt.subplots(len(rows), figsize=size, layout="constrained", squeeze=False)
    for axis, (label, row) in zip(axes[:, 0], rows.items(), strict=True):
        # A pixel of the ground on both sides tells one picture from the next.
        strip = pad(row, (1, 1)).movedim(0, 2).flatten(2)[0]
        axis.imshow(strip, cmap="gray_r" if ink == "dark" else "gray", vmin=0, vmax=1, interpolation="none")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
    if columns is not None:
        side = strip.shape[1] / number
        axis.set_xticks([side * (k + 0.5) for k in range(number)], columns)
        axis.tick_params(length=0)
    return figure
