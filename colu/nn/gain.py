r"""Gains for initialisation: how much of the second moment an activation keeps.

With :math:`\rho = E\lVert f(x)\rVert^2 / E\lVert x\rVert^2` for :math:`x \sim \mathcal N(0, I)`,
weights of standard deviation :math:`1 / \sqrt{\rho\, n_\text{in}}` keep the second moment from layer to layer.
ReLU has :math:`\rho = 1/2`, He's gain; the conic units differ.
"""

import functools
import math
from collections.abc import Callable

import numpy
import torch
from torch import Tensor, nn

__all__ = ["gain", "kaiming_like_", "second_moment_ratio"]

_SOBOL_POINTS = 8192


def gain(activation: str | nn.Module | Callable[[Tensor], Tensor], num_channels: int | None = None) -> float:
    r"""Gain :math:`1/\sqrt\rho` of an activation.

    Parameters
    ----------
    activation : str, Module or callable
        A module with its own ``gain`` method is asked; a name is created first.
    num_channels : int, optional
        Channels C of the input, on dimension 1; None evaluates a pointwise function.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        An activation that is zero on every sample, or that refuses the channels.

    Notes
    -----
    Deterministic: composite Gauss-Legendre for pointwise functions, otherwise 8192 Sobol points
    (relative error about 1e-3). The conic family integrates over the angle to the axis instead, to 1e-10.

    References
    ----------
    He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, section 2.2, for ReLU.

    Examples
    --------
    >>> round(gain(torch.relu), 6)
    1.414214
    >>> from colu.nn import CoLU
    >>> round(gain(CoLU(dim=4)), 2)
    1.71
    """
    return 1 / math.sqrt(second_moment_ratio(activation, num_channels))


def second_moment_ratio(
    activation: str | nn.Module | Callable[[Tensor], Tensor], num_channels: int | None = None
) -> float:
    r"""The ratio :math:`\rho = E\lVert f(x)\rVert^2 / E\lVert x\rVert^2` for standard normal ``x``.

    Parameters and method as for :func:`gain`.

    Examples
    --------
    >>> round(second_moment_ratio("mpu"), 6)
    0.5
    """
    if isinstance(activation, str):
        from .registry import create

        activation = create(activation, num_channels)
    own = getattr(activation, "second_moment_ratio", None)
    rho = own(num_channels) if own is not None else measured_ratio(activation, num_channels)
    if not rho > 0:
        raise ValueError(f"the second moment after {activation!r} is {rho}; no gain can restore it")
    return rho


@torch.no_grad()
def measured_ratio(activation, num_channels: int | None) -> float:
    """The ratio through the map itself: quadrature for one channel, Sobol points for more."""
    parameter = next(activation.parameters(), None) if isinstance(activation, nn.Module) else None
    like = torch.zeros((), dtype=torch.float64) if parameter is None else parameter

    def apply(x):
        # A copy goes in, since some change their input in place.
        return activation(x.to(like).clone()).to(x)

    if num_channels is None:
        return normal_second_moment(lambda x: apply(x[:, None])[:, 0])
    # What changes the number of channels, such as gates, may want others.
    x = sobol_normal(getattr(activation, "in_channels", num_channels))
    return (apply(x).square().sum() / x.square().sum()).item()


def sobol_normal(size: int) -> Tensor:
    """8192 standard normal vectors of ``size`` entries from scrambled Sobol points, float64, the same each time.

    Examples
    --------
    >>> sobol_normal(3).shape
    torch.Size([8192, 3])
    """
    if size > torch.quasirandom.SobolEngine.MAXDIM:
        raise ValueError(f"{size} channels are more than the {torch.quasirandom.SobolEngine.MAXDIM} of Sobol points")
    sobol = torch.quasirandom.SobolEngine(size, scramble=True, seed=0)
    return torch.special.ndtri(sobol.draw(_SOBOL_POINTS, dtype=torch.float64).clamp(1e-12, 1 - 1e-12))


def gauss_legendre(knots: list[float], order: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights of composite Gauss-Legendre between ascending ``knots``, float64, shape ``(n,)`` each.

    Examples
    --------
    >>> x, w = gauss_legendre([0.0, 1.0, 2.0], 4)
    >>> round((w * x**3).sum().item(), 12)
    4.0
    """
    node, weight = (torch.from_numpy(v) for v in _legendre(order))
    left, width = torch.tensor(knots[:-1], dtype=torch.float64), torch.tensor(knots, dtype=torch.float64).diff()
    x = left[:, None] + width[:, None] * (node + 1) / 2
    return x.flatten(), (width[:, None] * weight / 2).flatten()


@functools.cache
def _legendre(order: int):
    return numpy.polynomial.legendre.leggauss(order)


def normal_second_moment(f: Callable[[Tensor], Tensor]) -> float:
    r"""The integral :math:`\mathbb E f(z)^2` for a standard normal :math:`z`; ``f`` takes a row of float64.

    Examples
    --------
    >>> round(normal_second_moment(torch.relu), 12)
    0.5
    """
    x, weight = gauss_legendre([0.25 * k for k in range(-48, 49)], 8)
    return (weight * f(x).square() * torch.exp(-x.square() / 2)).sum().item() / math.sqrt(2 * math.pi)


def normal_angle(size: int, knots: list[float]) -> tuple[Tensor, Tensor]:
    r"""Nodes and probabilities of the angle of a standard normal vector to an axis, density :math:`\sin^{S-2}\theta`.

    Between the ``knots``, which begin at 0 and end at :math:`\pi`, what is integrated should be smooth.

    Examples
    --------
    >>> theta, mass = normal_angle(3, [0.0, math.pi])
    >>> round((mass * theta.cos().square()).sum().item(), 12)
    0.333333333333
    """
    theta, weight = gauss_legendre(knots, 100)
    weight = weight * theta.sin() ** (size - 2)
    return theta, weight / weight.sum()


def normal_norm(size: int) -> tuple[Tensor, Tensor]:
    """Nodes and probabilities of the norm of a standard normal vector of ``size`` entries.

    Examples
    --------
    >>> radius, mass = normal_norm(3)
    >>> round((mass * radius**2).sum().item(), 9)
    3.0
    """
    end = math.sqrt(size) + 9
    radius, weight = gauss_legendre([end * k / 24 for k in range(25)], 8)
    log_density = (size - 1) * radius.log() - radius.square() / 2 - (size / 2 - 1) * math.log(2) - math.lgamma(size / 2)
    return radius, weight * log_density.exp()


def kaiming_like_(
    tensor: Tensor,
    activation: str | nn.Module | Callable[[Tensor], Tensor],
    *,
    mode: str = "fan_in",
    distribution: str = "normal",
    num_channels: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Fill a weight in place so that the layer after ``activation`` keeps the second moment.

    .. math:: \mathrm{Var}(w) = \frac{1}{\rho\, n}, \qquad n = n_\text{in} \text{ or } n_\text{out}

    Parameters
    ----------
    tensor : Tensor
        Weight of a linear layer or convolution, ``(out, in, ...)``.
    activation : str, Module or callable
        What stands before the layer.
    mode : {"fan_in", "fan_out"}
        Keep the second moment forwards, or the layer's backwards.
    distribution : {"normal", "uniform"}
        Of the weights.
    num_channels : int, optional
        Channels of the activation; only needed where rho depends on them.
    generator : torch.Generator, optional
        Source of randomness.

    Returns
    -------
    Tensor
        ``tensor``.

    Raises
    ------
    ValueError
        A weight of fewer than two dimensions, or an unknown mode or distribution.

    Examples
    --------
    >>> layer = nn.Linear(1024, 1024)
    >>> w = kaiming_like_(layer.weight, "colu", generator=torch.Generator().manual_seed(0))
    >>> round(w.std().item() * 32, 2)
    1.71
    """
    if tensor.dim() < 2:
        raise ValueError(f"shape {tuple(tensor.shape)} is no weight of a layer; use (out, in, ...)")
    fans = {"fan_in": tensor[0].numel(), "fan_out": tensor.shape[0] * tensor[0, 0].numel()}
    if mode not in fans:
        raise ValueError(f"mode={mode!r} is unknown; use one of 'fan_in', 'fan_out'")
    std = gain(activation, num_channels) / math.sqrt(fans[mode])
    with torch.no_grad():
        if distribution == "normal":
            return tensor.normal_(0, std, generator=generator)
        if distribution == "uniform":
            return tensor.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std, generator=generator)
    raise ValueError(f"distribution={distribution!r} is unknown; use one of 'normal', 'uniform'")
