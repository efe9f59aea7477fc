"""The colour photographs that come with scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from .files import embedded_file

__all__ = ["sample_image"]

_FILES = {"china": "china.jpg", "flower": "flower.jpg"}


def sample_image(name: str = "china", *, stride: int = 1) -> torch.Tensor:
    """A colour photograph, embedded in scikit-learn (no download).

    Parameters
    ----------
    name : {"china", "flower"}
        A pagoda under a blue sky, or a pink flower on a dark ground.
    stride : int
        Side of the square of pixels averaged into one; 1 keeps 427 x 640.

    Returns
    -------
    torch.Tensor, shape (height, width, 3), float64
        RGB values in [0, 1], as stored (gamma-encoded).

    Raises
    ------
    ValueError
        For an unknown name, or a stride below 1.

    Examples
    --------
    >>> sample_image("china", stride=4).shape
    torch.Size([106, 160, 3])
    """
    if name not in _FILES:
        raise ValueError(f"unknown photograph {name!r}: choose one of {sorted(_FILES)}")
    if stride < 1:
        raise ValueError(f"stride is {stride}, it must be at least 1")
    with Image.open(embedded_file(f"images/{_FILES[name]}")) as picture:
        image = torch.tensor(np.asarray(picture), dtype=torch.float64) / 255
    pooled = torch.nn.functional.avg_pool2d(image.permute(2, 0, 1), stride)
    return pooled.permute(1, 2, 0).contiguous()
