"""Equivariant activations that scale whole vectors as modules: norm-ReLU, modReLU and gates."""

import torch
from torch import Tensor, fx, nn

from colu.checks import check_axis, check_int, check_number
from colu.functional import gated, modrelu, norm_relu
from colu.geometry import Symmetry

from ._facts import CHANNELS, carried, shown
from .registry import register

__all__ = ["Gated", "ModReLU", "NormReLU"]

for _name in ("gated", "modrelu", "norm_relu"):
    fx.wrap(_name)


class NormReLU(nn.Module):
    r"""Norm-ReLU, :func:`colu.functional.norm_relu`, with a radius a vector that is learnt.

    .. math:: f(v) &= \max(\|v\| - b, 0)\,v / \|v\|, \\
              b &= e^{\ell} > 0

    Parameters
    ----------
    num_channels : int
        ``G S`` channels.
    dim : int
        ``S``.
    radius : float
        ``b`` at the start; 1 in the package escnn, which also learns its logarithm.
    channel_dim : int
        Position of the channels.

    Examples
    --------
    >>> NormReLU(2, dim=2)(torch.tensor([[3.0, 4.0]])).detach()
    tensor([[2.4000, 3.2000]])
    """

    def __init__(self, num_channels: int, dim: int = 4, radius: float = 1.0, channel_dim: int = 1):
        super().__init__()
        num_channels, dim = _check_size(num_channels, dim)
        radius = check_number("radius", radius, "use a positive number", gt=0)
        self.dim, self.channel_dim = dim, check_axis(channel_dim)
        self.log_radius = nn.Parameter(torch.full((num_channels // dim,), float(radius)).log())

    def forward(self, x: Tensor) -> Tensor:
        return norm_relu(x, self.log_radius.exp(), num_groups=len(self.log_radius), channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{len(self.log_radius) * self.dim}, dim={self.dim}{shown(self.channel_dim)}"


class ModReLU(nn.Module):
    r"""ModReLU, :func:`colu.functional.modrelu`, with a bias a complex number that is learnt.

    .. math:: f(z) = \max(|z| + b, 0)\,z / |z|

    Parameters
    ----------
    num_channels : int
        An even number of channels: neighbours are real and imaginary part.
    bias : float
        ``b`` at the start; the choice of -0.1 is ours, as 0 would start from the identity.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    References
    ----------
    Arjovsky, Shah and Bengio, ICML 2016, arXiv 1511.06464.

    Examples
    --------
    >>> ModReLU(2, bias=-1.0)(torch.tensor([[3.0, 4.0]])).detach()
    tensor([[2.4000, 3.2000]])
    """

    dim = 2

    def __init__(self, num_channels: int, bias: float = -0.1, channel_dim: int = 1):
        super().__init__()
        num_channels, _ = _check_size(num_channels, self.dim)
        self.channel_dim = check_axis(channel_dim)
        self.bias = nn.Parameter(torch.full((num_channels // 2,), float(bias)))

    def forward(self, x: Tensor) -> Tensor:
        return modrelu(x, self.bias, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{2 * len(self.bias)}{shown(self.channel_dim)}"


class Gated(nn.Module):
    """Gated nonlinearity, :func:`colu.functional.gated`: ``G (1 + S)`` channels become ``G S``.

    Parameters
    ----------
    num_channels : int
        ``G S`` channels that come out.
    dim : int
        ``S``.
    channel_dim : int
        Position of the channels.

    Notes
    -----
    The biases start from 0; the package escnn draws them from N(0, 1).

    Examples
    --------
    >>> Gated(2, dim=2)(torch.tensor([[0.0, 3.0, 4.0]])).detach()
    tensor([[1.5000, 2.0000]])
    """

    def __init__(self, num_channels: int, dim: int = 4, channel_dim: int = 1):
        super().__init__()
        num_channels, dim = _check_size(num_channels, dim)
        self.dim, self.channel_dim = dim, check_axis(channel_dim)
        self.bias = nn.Parameter(torch.zeros(num_channels // dim))

    @property
    def in_channels(self) -> int:
        """Channels that the input must have."""
        return len(self.bias) * (self.dim + 1)

    def forward(self, x: Tensor) -> Tensor:
        return gated(x, self.bias, dim=self.dim, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{len(self.bias) * self.dim}, dim={self.dim}{shown(self.channel_dim)}"


def _check_size(num_channels: int, dim: int) -> tuple[int, int]:
    num_channels = check_int("num_channels", num_channels, 1)
    dim = check_int("dim", dim, 1)
    if num_channels % dim:
        raise ValueError(
            f"num_channels={num_channels} is no multiple of dim={dim}; nearest: {-(-num_channels // dim) * dim}"
        )
    return num_channels, dim


def _vectors(module: NormReLU | ModReLU, channels: int) -> Symmetry:
    along = carried(module, {"log_radius": 0, "bias": 0})
    return Symmetry("vectors", channels, dim=module.dim, carries=along)


def _gates(module: Gated, channels: int) -> Symmetry:
    # A gate and its vector are one cone, all gates before all vectors.
    along = carried(module, {"bias": 0})
    options = dict(dim=module.dim + 1, layout="axes_first", output="sections")
    return Symmetry("cones", channels, carries=along, **options)


register(
    "norm-relu",
    NormReLU,
    r"\max(\|v\| - b, 0)\,v / \|v\|",
    citation="worrall2017harmonic",
    parameters=lambda channels: channels // 4,
    parameter_formula="C/4",
    symmetry=_vectors,
    lipschitz=1.0,
    lipschitz_all=1.0,
    needs_channels=True,
)
register(
    "modrelu",
    ModReLU,
    r"\max(|z| + b, 0)\,z / |z|,\ z = x_{2k} + i x_{2k+1}",
    citation="arjovsky2016unitary",
    parameters=lambda channels: channels // 2,
    parameter_formula="C/2",
    symmetry=_vectors,
    lipschitz=1.0,
    needs_channels=True,
    notes="Complex numbers are pairs of channels; jumps at 0 where b > 0. Initial value ours.",
)
register(
    "gated",
    Gated,
    r"\sigma(g - b)\,v",
    citation="weiler2018steerable",
    parameters=lambda channels: channels // 4,
    parameter_formula="C/4",
    symmetry=_gates,
    needs_channels=True,
    notes="Takes C/4 gates on top of the C channels that come out; S - 1 is the dimension of a vector.",
    unfit=CHANNELS,
)
