"""Activations that keep norms as modules: CReLU, GroupSort, Householder."""

import math

import torch
from torch import Tensor, fx, nn

from colu.checks import check_axis, check_choice, check_int
from colu.functional import crelu, group_sort, householder_activation
from colu.geometry import Symmetry

from ._facts import CHANNELS, carried, permutations, shown
from .registry import register

__all__ = ["CReLU", "GroupSort", "HouseholderActivation"]

for _name in ("crelu", "group_sort", "householder_activation"):
    fx.wrap(_name)


class CReLU(nn.Module):
    """CReLU, :func:`colu.functional.crelu`: ``C`` channels become ``2 C``.

    Parameters
    ----------
    channel_dim : int
        Position of the channels.

    Examples
    --------
    >>> CReLU()(torch.tensor([[-1.0, 2.0]]))
    tensor([[0., 2., 1., 0.]])
    """

    def __init__(self, channel_dim: int = 1):
        super().__init__()
        self.channel_dim = check_axis(channel_dim)

    def forward(self, x: Tensor) -> Tensor:
        return crelu(x, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return shown(self.channel_dim).removeprefix(", ")


class GroupSort(nn.Module):
    """GroupSort, :func:`colu.functional.group_sort`; groups of two are MaxMin.

    Parameters
    ----------
    group_size : int
        Channels to sort together; must divide the channels.
    channel_dim : int
        Position of the channels.

    Examples
    --------
    >>> GroupSort()(torch.tensor([[1.0, 3.0, 5.0, 2.0]]))
    tensor([[3., 1., 5., 2.]])
    """

    def __init__(self, group_size: int = 2, channel_dim: int = 1):
        super().__init__()
        group_size = check_int("group_size", group_size, 1)
        self.group_size, self.channel_dim = group_size, check_axis(channel_dim)

    def forward(self, x: Tensor) -> Tensor:
        return group_sort(x, self.group_size, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}{shown(self.channel_dim)}"


class HouseholderActivation(nn.Module):
    r"""Householder activation, :func:`colu.functional.householder_activation`, with an angle a pair that is learnt.

    Parameters
    ----------
    num_channels : int
        An even number of channels.
    angle : float
        :math:`\theta` at the start; :math:`\pi/2` is MaxMin.
    pairing : {"neighbours", "halves"}
        Which channels make a pair.
    channel_dim : int
        Position of the channels.

    Notes
    -----
    The map is continuous in the input at every angle, but its derivative in the angle jumps where a pair changes sides.
    The authors' code keeps the other side of the line: its ``theta`` is :math:`\theta + 2\pi` here, and at the start it
    gives (min, max).
    Its pairs are ``pairing="halves"``, and its layer takes ``(N, C, H, W)`` alone.

    Examples
    --------
    >>> HouseholderActivation(4)(torch.tensor([[1.0, 3.0, 5.0, 2.0]])).detach().round(decimals=4)
    tensor([[3., 1., 5., 2.]])
    """

    def __init__(
        self, num_channels: int, angle: float = math.pi / 2, pairing: str = "neighbours", channel_dim: int = 1
    ):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 2)
        check_choice("pairing", pairing, ("neighbours", "halves"))
        if num_channels % 2:
            raise ValueError(f"num_channels={num_channels} does not make pairs; use an even number")
        self.num_channels, self.pairing, self.channel_dim = num_channels, pairing, check_axis(channel_dim)
        self.angle = nn.Parameter(torch.full((num_channels // 2,), float(angle)))

    def forward(self, x: Tensor) -> Tensor:
        return householder_activation(x, self.angle, pairing=self.pairing, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, pairing={self.pairing!r}{shown(self.channel_dim)}"


def _pairs(module: HouseholderActivation, channels: int) -> Symmetry:
    layout = "blocks" if module.pairing == "neighbours" else "axes_first"
    angle = carried(module, {"angle": 0})
    return Symmetry("units", channels, dim=2, scales=True, layout=layout, carries=angle)


register(
    "crelu",
    CReLU,
    r"(\max(x, 0), \max(-x, 0))",
    citation="shang2016crelu",
    symmetry=permutations(scales=True, output="twice"),
    homogeneity="positive",
    lipschitz=1.0,
    notes="Doubles the channels; an isometry. Sign changes swap its halves.",
    unfit=CHANNELS,
)
register(
    "group-sort",
    GroupSort,
    r"(\max(x_1, x_2), \min(x_1, x_2))",
    citation="anil2019sorting",
    symmetry=lambda module, channels: Symmetry("units", channels, dim=module.group_size, scales=True),
    homogeneity="positive",
    lipschitz=1.0,
    aliases=("maxmin",),
)
register(
    "householder",
    HouseholderActivation,
    r"z \text{ or } (I - 2 u u^\top) z,\ u = (-\sin\tfrac\theta2, \cos\tfrac\theta2)",
    citation="singla2022householder",
    parameters=lambda channels: channels // 2,
    parameter_formula="C/2",
    symmetry=_pairs,
    homogeneity="positive",
    lipschitz=1.0,
    lipschitz_all=1.0,
    needs_channels=True,
    notes="MaxMin at the start; pairs are neighbours, in the authors' code from two halves.",
)
