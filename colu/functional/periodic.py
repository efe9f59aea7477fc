"""Activations with waves: Snake, and the sine of SIREN."""

__all__ = ["sine", "snake"]

import math

import torch
from torch import Tensor

from colu.blocks import working
from colu.channels import per_channel
from colu.checks import check_floating


def snake(x: Tensor, alpha: float | Tensor = 1.0, *, channel_dim: int = 1) -> Tensor:
    r"""Snake: the identity with waves, for what is periodic.

    .. math:: f(x) = x + \frac{\sin^2(\alpha x)}{\alpha}

    Its slope :math:`1 + \sin(2\alpha x)` is between 0 and 2, whatever :math:`\alpha`; at :math:`\alpha = 0` it is the
    identity.

    Parameters
    ----------
    x : Tensor
        Any shape; ``(N, C, ...)`` where ``alpha`` is ``(C,)``; floating.
    alpha : float or Tensor
        A number, or ``(C,)``: half the frequency of the waves, in radians per unit of ``x``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Notes
    -----
    Half precision is computed in float32, as the phase of a large input has no digits left in it otherwise.

    References
    ----------
    Ziyin, Hartwig and Ueda, Neural Networks Fail to Learn Periodic Functions and How to Fix It, NeurIPS 2020,
    arXiv 2006.08195, as cited by github.com/EdwardDixon/snake.

    Examples
    --------
    >>> snake(torch.tensor([0.0, math.pi / 2]))
    tensor([0.0000, 2.5708])
    """
    check_floating(x, "snake")
    wide = working(x)
    alpha = per_channel(alpha, x, "alpha", channel_dim)
    phase = (working(alpha) if isinstance(alpha, Tensor) else alpha) * wide
    # sin(a x) / a, which is x where a is 0.
    return (wide + wide * torch.sinc(phase / math.pi) * torch.sin(phase)).to(x.dtype)


def sine(x: Tensor, omega: float = 1.0) -> Tensor:
    r"""Sine.

    .. math:: f(x) = \sin(\omega x)

    Parameters
    ----------
    x : Tensor
        Any shape, floating.
    omega : float
        :math:`\omega` in radians per unit of ``x``; SIREN has 30, the package torch_activation pi.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Notes
    -----
    Half precision is computed in float32, as the phase of a large input has no digits left in it otherwise.

    References
    ----------
    Sitzmann, Martel, Bergman, Lindell and Wetzstein, Implicit Neural Representations with Periodic Activation
    Functions, NeurIPS 2020, arXiv 2006.09661.

    Examples
    --------
    >>> sine(torch.tensor([0.0, 0.5]), math.pi)
    tensor([0., 1.])
    """
    check_floating(x, "sine")
    return torch.sin(omega * working(x)).to(x.dtype)
