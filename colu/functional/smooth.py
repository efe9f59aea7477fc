"""Smooth activations: Swish, Sqish, squared ReLU, Fourier series, linear combinations, the smooth maximum."""

__all__ = ["fourier", "fourier_relu", "linear_combination", "smooth_maximum", "sqish", "squared_relu", "swish"]

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from colu.channels import per_channel
from colu.checks import check_number

STANDARD = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
}


def swish(x: Tensor, beta: float | Tensor = 1.0, *, channel_dim: int = 1) -> Tensor:
    r"""Swish.

    .. math:: f(x) = x\,\sigma(\beta x)

    Half of ``x`` at :math:`\beta = 0`, ReLU for :math:`\beta \to \infty`, SiLU at 1.

    Parameters
    ----------
    x : Tensor
        Any shape; ``(N, C, ...)`` where ``beta`` is ``(C,)``.
    beta : float or Tensor
        A number, or ``(C,)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Ramachandran, Zoph and Le, Searching for Activation Functions, 2017, arXiv 1710.05941, as cited by Shazeer, 2020,
    arXiv 2002.05202.

    Examples
    --------
    >>> swish(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])
    """
    return x * torch.sigmoid(per_channel(beta, x, "beta", channel_dim) * x)


def sqish(
    x: Tensor,
    alpha: float | Tensor = 0.25,
    beta: float | Tensor = 1.0,
    gamma: float | Tensor = 1.0,
    *,
    channel_dim: int = 1,
) -> Tensor:
    r"""Sqish, a smooth leaky ReLU.

    .. math:: f(x) = \alpha x + \frac{(1 - \alpha)\,x}{\sqrt{1 + \beta e^{-2\gamma(1-\alpha)x}}}

    Parameters
    ----------
    x : Tensor
        Any shape; ``(N, C, ...)`` where a parameter is ``(C,)``.
    alpha : float or Tensor
        Slope at minus infinity, below 1 (with ``gamma`` positive); the slope at plus infinity is 1.
    beta : float or Tensor
        Positive; shifts the bend.
    gamma : float or Tensor
        How fast the slope changes.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        A number ``beta`` that is not positive.

    Notes
    -----
    The root is computed as the exponential of a softplus, so that it neither overflows nor loses its gradient.

    References
    ----------
    Biswas, Karri and Bagci, 2023, arXiv 2310.10126 (abstract); the form is a code audit of two programs by others, of
    which one takes the root and the other, with the same parameters, does not; defaults ours.

    Examples
    --------
    >>> sqish(torch.tensor([-50.0, 0.0, 50.0]), alpha=0.25)
    tensor([-12.5000,   0.0000,  50.0000])
    """
    named = ((alpha, "alpha"), (beta, "beta"), (gamma, "gamma"))
    alpha, beta, gamma = (per_channel(p, x, name, channel_dim) for p, name in named)
    if not isinstance(beta, Tensor):
        beta = check_number("beta", beta, "use a positive number", gt=0)
    log_beta = beta.log() if isinstance(beta, Tensor) else math.log(beta)
    gap = (1 - alpha) * x
    return alpha * x + gap * torch.exp(-functional.softplus(log_beta - 2 * gamma * gap) / 2)


def squared_relu(x: Tensor) -> Tensor:
    r"""Squared ReLU, homogeneous of degree two.

    .. math:: f(x) = \max(x, 0)^2

    Parameters
    ----------
    x : Tensor
        Any shape.

    Returns
    -------
    Tensor
        Shape of ``x``; overflows where the square does (float16 above 255, float32 above 1.8e19).

    References
    ----------
    So et al., Primer, 2021, arXiv 2109.08668; Zhang et al., 2024, arXiv 2402.03804.

    Examples
    --------
    >>> squared_relu(torch.tensor([-2.0, 3.0]))
    tensor([0., 9.])
    """
    return torch.relu(x).square()


def fourier(x: Tensor, cosines: Tensor, sines: Tensor, frequency: float | Tensor = 1.0) -> Tensor:
    r"""A trigonometric polynomial.

    .. math:: f(x) = \frac{a_0}{2} & + \sum_{k=1}^{K} a_k \cos(k\omega x) \\
              & + \sum_{k=1}^{K} b_k \sin(k\omega x)

    Parameters
    ----------
    x : Tensor
        Any shape.
    cosines : Tensor
        :math:`a_0, \dots, a_K`, shape ``(K + 1,)``.
    sines : Tensor
        :math:`b_1, \dots, b_K`, shape ``(K,)``.
    frequency : float or Tensor
        :math:`\omega` in radians per unit of ``x``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        Coefficients that do not match.

    Notes
    -----
    Half precision is computed in float32: the phase of a large input has no digits left in it otherwise.
    Holds ``K`` copies of ``x``.

    References
    ----------
    Form after Liao, Trainable Activation Function in Image Classification, 2020, arXiv 2004.13271 (abstract).

    Examples
    --------
    >>> fourier(torch.tensor([0.0, 0.5]), torch.tensor([2.0, 0.0]), torch.tensor([1.0]))
    tensor([1.0000, 1.4794])
    """
    if cosines.dim() != 1 or sines.dim() != 1 or len(cosines) != len(sines) + 1:
        raise ValueError(
            f"cosines {tuple(cosines.shape)} and sines {tuple(sines.shape)} do not match; use (K + 1,) and (K,)"
        )
    wide = torch.promote_types(x.dtype, torch.float32)
    order = torch.arange(1, len(sines) + 1, device=x.device, dtype=wide)
    phase = (frequency * x.to(wide))[..., None] * order
    a, b = cosines.to(wide), sines.to(wide)
    return (a[0] / 2 + (a[1:] * phase.cos() + b * phase.sin()).sum(-1)).to(x.dtype)


def fourier_relu(num_terms: int, frequency: float) -> tuple[Tensor, Tensor]:
    r"""Fourier coefficients of ReLU on one period :math:`|x| \le \pi / \omega`, float64.

    .. math:: a_0 &= \frac{\pi}{2\omega},\quad a_k = \frac{(-1)^k - 1}{\pi k^2 \omega}, \\
              b_k &= \frac{(-1)^{k+1}}{k\omega}

    Parameters
    ----------
    num_terms : int
        ``K``.
    frequency : float
        :math:`\omega`, positive.

    Returns
    -------
    tuple of Tensor
        Cosines ``(K + 1,)`` and sines ``(K,)``.

    Examples
    --------
    >>> a, b = fourier_relu(200, 1.0)
    >>> fourier(torch.tensor([-1.0, 1.0], dtype=torch.float64), a, b).round(decimals=1).abs()
    tensor([0., 1.], dtype=torch.float64)
    """
    frequency = check_number("frequency", frequency, "use a positive number", gt=0)
    k = torch.arange(1, num_terms + 1, dtype=torch.float64)
    sign = 1 - 2 * (k % 2)
    cosines = torch.cat([torch.tensor([math.pi / 2], dtype=k.dtype), (sign - 1) / (math.pi * k**2)])
    return cosines / frequency, -sign / k / frequency


def linear_combination(
    x: Tensor, weights: Tensor, functions: Sequence[str | Callable[[Tensor], Tensor]], *, channel_dim: int = 1
) -> Tensor:
    r"""A weighted sum of activations.

    .. math:: f(x) = \sum_i \alpha_i f_i(x)

    Parameters
    ----------
    x : Tensor
        Any shape; ``(N, C, ...)`` with weights a channel.
    weights : Tensor
        Shape ``(n,)`` for all channels, or ``(n, C)``.
    functions : sequence of str or callable
        ``n`` functions; names are the keys of ``colu.functional.smooth.STANDARD``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        An unknown name, or as many weights as there are not functions.

    References
    ----------
    Form after Liao, 2020, arXiv 2004.13271 (abstract).

    Examples
    --------
    >>> linear_combination(torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 0.5]), ["relu", "identity"])
    tensor([-0.5000,  3.0000])
    """
    if not len(functions) or len(functions) != len(weights):
        raise ValueError(f"{len(weights)} weights for {len(functions)} functions; give one weight a function")
    for f in functions:
        if not callable(f) and f not in STANDARD:
            raise ValueError(f"unknown function {f!r}; use a callable or one of {', '.join(STANDARD)}")
    called = [f if callable(f) else STANDARD[f] for f in functions]
    return sum(per_channel(w, x, "weights", channel_dim) * f(x) for w, f in zip(weights, called, strict=True))


def smooth_maximum(x: Tensor, beta: float | Tensor = 1.0, dim: int = -1) -> Tensor:
    r"""The smooth maximum of ACON.

    .. math:: S_\beta(x_1, \dots, x_n) = \frac{\sum_i x_i e^{\beta x_i}}{\sum_i e^{\beta x_i}}

    The maximum for :math:`\beta \to \infty`, the mean at 0, the minimum for :math:`\beta \to -\infty`.

    Parameters
    ----------
    x : Tensor
        Any shape.
    beta : float or Tensor
        Any number, the infinities included, or a tensor that broadcasts with ``x``.
    dim : int
        Dimension of the ``n`` values.

    Returns
    -------
    Tensor
        Shape of ``x`` without ``dim``.

    References
    ----------
    Ma et al., 2021, arXiv 2009.04759.

    Examples
    --------
    >>> [round(smooth_maximum(torch.tensor([1.0, 3.0]), b).item(), 3) for b in (-math.inf, 0.0, 1.0, math.inf)]
    [1.0, 2.0, 2.762, 3.0]
    """
    high, low = x.amax(dim, keepdim=True), x.amin(dim, keepdim=True)
    if not isinstance(beta, Tensor):
        if math.isinf(beta):
            return (high if beta > 0 else low).squeeze(dim)
        reference = high if beta >= 0 else low
    else:
        reference = torch.where(beta >= 0, high, low)
    # The shift changes nothing but keeps every exponent at or below zero.
    return (x * torch.softmax(beta * (x - reference.detach()), dim)).sum(dim)
