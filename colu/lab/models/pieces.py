"""The pieces into which a ReLU network of two inputs cuts a square: convex polygons, found exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

__all__ = ["plane_pieces"]

#: A corner this near to a unit's line, for numbers of order one, lies on it.
_ON = 1e-9


def _halves(corners: np.ndarray, heights: np.ndarray) -> list[np.ndarray]:
    """Cut a convex polygon along the line where the heights are 0; the polygon itself where the line misses it."""
    if heights.min() >= -_ON or heights.max() <= _ON:
        return [corners]
    halves: tuple[list, list] = ([], [])
    for here, there, low, high in zip(
        corners, np.roll(corners, -1, axis=0), heights, np.roll(heights, -1), strict=True
    ):
        if low >= -_ON:
            halves[0].append(here)
        if low <= _ON:
            halves[1].append(here)
        if min(low, high) < -_ON and max(low, high) > _ON:
            # The side crosses the line: both halves get the point where it does.
            crossing = here + (there - here) * low / (low - high)
            halves[0].append(crossing)
            halves[1].append(crossing)
    return [np.array(half) for half in halves if len(half) >= 3]


def plane_pieces(layers: Sequence[nn.Linear | tuple], half_width: float = 1.0) -> list[np.ndarray]:
    r"""Polygons of a square on each of which every ReLU of a network keeps its sign.

    Layer by layer each polygon is cut along the lines :math:`\{x : (W h(x) + b)_i = 0\}`; they are lines,
    since :math:`h`, the output of the layer before, is affine on the polygon.
    On a polygon the network is affine; two that touch may share the same affine map.

    Parameters
    ----------
    layers : sequence of torch.nn.Linear or of pairs (weight, bias)
        The layers that a ReLU follows, in their order; weight of shape (out, in), bias of shape (out,), the first
        with ``in`` 2. A last layer without ReLU cuts nothing and may be left out.
    half_width : float
        The square is :math:`[-\text{half\_width}, \text{half\_width}]^2`.

    Returns
    -------
    list of numpy.ndarray, each of shape (corners, 2)
        They fill the square and overlap in their sides at most.

    Raises
    ------
    ValueError
        If the first layer has not two inputs.

    Notes
    -----
    Time and memory grow with the number of pieces, at most :math:`\prod_l (1 + n_l + \binom{n_l}{2})`.

    Examples
    --------
    Three lines in general position cut the plane into seven pieces:

    >>> import torch
    >>> weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> len(plane_pieces([(weight, torch.tensor([0.0, 0.0, -0.5]))]))
    7
    """
    pairs = [(layer.weight, layer.bias) if isinstance(layer, nn.Linear) else layer for layer in layers]
    arrays = [[torch.as_tensor(part).detach().double().cpu().numpy() for part in pair] for pair in pairs]
    if arrays and arrays[0][0].shape[1] != 2:
        raise ValueError(f"the first layer has {arrays[0][0].shape[1]} inputs, wanted the two of a plane")
    square = half_width * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    # Each polygon with the affine map x -> matrix x + shift that the layers so far are on it.
    pieces = [(square, np.eye(2), np.zeros(2))]
    for weight, bias in arrays:
        cut = []
        for corners, matrix, shift in pieces:
            slopes, offsets = weight @ matrix, weight @ shift + bias
            parts = [corners]
            for slope, offset in zip(slopes, offsets, strict=True):
                parts = [half for part in parts for half in _halves(part, part @ slope + offset)]
            for part in parts:
                # A sign is that of the whole polygon, so its middle tells.
                on = slopes @ part.mean(axis=0) + offsets > 0
                cut.append((part, slopes * on[:, None], offsets * on))
        pieces = cut
    return [corners for corners, _, _ in pieces]
