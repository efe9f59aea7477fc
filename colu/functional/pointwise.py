"""Pointwise activations without parameters that torch has no function for: hard Mish and quick GELU."""

__all__ = ["hard_mish", "quick_gelu"]

import torch
from torch import Tensor

#: The factor of quick GELU, as printed.
QUICK = 1.702


def hard_mish(x: Tensor) -> Tensor:
    r"""Hard Mish: 0 up to -2, a parabola up to 0, then the identity.

    .. math:: f(x) = \tfrac12\, x \min(\max(x + 2, 0), 2)

    Parameters
    ----------
    x : Tensor
        Any shape.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    The package timm, ``hard_mish``, which calls it experimental; in no paper that we know.

    Examples
    --------
    >>> hard_mish(torch.tensor([-3.0, -1.0, 2.0]))
    tensor([-0.0000, -0.5000,  2.0000])
    """
    return 0.5 * x * (x + 2).clamp(min=0, max=2)


def quick_gelu(x: Tensor) -> Tensor:
    r"""Quick GELU: the sigmoid in place of the normal distribution function.

    .. math:: f(x) = x\,\sigma(1.702\,x)

    Parameters
    ----------
    x : Tensor
        Any shape.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, arXiv 1606.08415, section 2.

    Examples
    --------
    >>> quick_gelu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1542,  0.0000,  0.8458])
    """
    return x * torch.sigmoid(QUICK * x)
