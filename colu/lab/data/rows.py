"""The one protocol of small trainings: images as rows, a part to train on, one to choose by, one to judge by."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from colu.checks import check_int

from .images import load

__all__ = ["Rows", "rows"]

Part = tuple[Tensor, Tensor]


class Rows(NamedTuple):
    """Three parts of an image set, each a pair of pixels ``(n, channels · height · width)`` and labels ``(n,)``.

    Attributes
    ----------
    train : tuple of Tensor
        What networks are trained on.
    held_out : tuple of Tensor
        The rest of the training set: rates and other settings are chosen by it.
    test : tuple of Tensor
        What is reported.
    """

    train: Part
    held_out: Part
    test: Part


def rows(name: str = "digits", *, train_size: int | None = None) -> Rows:
    r"""Pixels as rows with mean 0 and mean square 1 over all pixels of the images that are trained on.

    .. math:: x = (u - m) / s

    with pixels :math:`u` in [0, 1], their mean :math:`m` and deviation :math:`s`, one number each for all pixels.

    Parameters
    ----------
    name : str
        A name of :func:`names`.
    train_size : int, optional
        Images to train on, the first of the training set; the others are held out. By default 1,000 of the digits,
        and three quarters of any other set.

    Returns
    -------
    Rows
        Pixels float32, labels int64.

    Raises
    ------
    ValueError
        A size that leaves nothing to hold out.

    Examples
    --------
    >>> train, held_out, test = rows()
    >>> [tuple(pixels.shape) for pixels, _ in (train, held_out, test)]
    [(1000, 64), (347, 64), (450, 64)]
    """
    whole, test = load(name, "train"), load(name, "test")
    if train_size is None:
        train_size = 1000 if name == "digits" else 3 * len(whole) // 4
    train_size = check_int("train_size", train_size, 1)
    if train_size >= len(whole):
        raise ValueError(f"train_size={train_size} leaves none of the {len(whole)} images of {name!r} to hold out")
    seen = whole.take(train_size).scaled()
    shift, spread = seen.mean(), seen.std(correction=0)
    pixels, pixels_test = ((images.scaled().flatten(1) - shift) / spread for images in (whole, test))
    return Rows(
        (pixels[:train_size], whole.labels[:train_size]),
        (pixels[train_size:], whole.labels[train_size:]),
        (pixels_test, test.labels),
    )
