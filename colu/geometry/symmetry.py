r"""How the channels of a layer may be moved without a change of what the network computes."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from colu.blocks import LAYOUTS
from colu.checks import check_choice, settle_ints

from .elements import ConicElement, householder
from .sampling import sample_orthogonal

KINDS = ("fixed", "linear", "units", "vectors", "cones")
OUTPUTS = ("channels", "twice", "units", "sections")


@dataclass(frozen=True)
class Carried:
    """An entry of a module's state that moves with the channels.

    Parameters
    ----------
    name : str
        Its name in the state dict.
    axis : int
        The axis that has one entry a unit (a channel, where units are single channels).
    tiles : int
        How often the units follow each other on that axis.
    reads : bool
        Whether it is a weight that reads the channels, not a value that each of them has.
    """

    name: str
    axis: int = 0
    tiles: int = 1
    reads: bool = False


@dataclass(frozen=True)
class Symmetry:
    r"""The linear maps that can be moved through an activation, its own parameters moved along.

    .. math:: f_{g\theta}(g x) = g f_\theta(x)

    Parameters
    ----------
    kind : {"fixed", "linear", "units", "vectors", "cones"}
        Nothing moves; every invertible map; units are permuted as wholes; vectors are permuted and each turned by
        O(S); cones are permuted and the section of each turned by O(S-1).
    channels : int
        How many; they need not fill whole units, see :meth:`width`.
    dim : int
        Channels of a unit, a vector or a cone; one for single channels.
    blocks : int
        Units move only inside each of this many equal blocks. The blocks could be exchanged too.
    signs, scales : bool
        Whether each unit may change its sign, be multiplied by a positive number
        (with a shared axis, all channels by the same).
    share_axis : bool
        Channel 0 is the axis of all cones: it stays.
    layout : {"blocks", "axes_first"}
        Where the channels of a unit are.
    frame : {"coordinate", "homogeneous"}
        The axis is the first channel of a cone, or the direction :math:`\mathbf 1/\sqrt S`.
    output : {"channels", "twice", "units", "sections"}
        What comes out: as many channels, all of them twice, one a unit, or the sections without the axes.
    carries : tuple of Carried
        The parameters that move along.

    Examples
    --------
    >>> cones = Symmetry("cones", 18, dim=4, scales=True)
    >>> cones.width(), cones.latex
    (16, '(\\mathbb R_{>0} \\times O(S-1)) \\wr \\mathrm{Perm}(G)')
    """

    kind: str
    channels: int
    dim: int = 1
    blocks: int = 1
    signs: bool = False
    scales: bool = False
    share_axis: bool = False
    layout: str = "blocks"
    frame: str = "coordinate"
    output: str = "channels"
    carries: tuple[Carried, ...] = field(default=())

    def __post_init__(self):
        check_choice("kind", self.kind, KINDS)
        settle_ints(self, channels=0, dim=1, blocks=1)
        check_choice("layout", self.layout, LAYOUTS)
        check_choice("frame", self.frame, ("coordinate", "homogeneous"))
        check_choice("output", self.output, OUTPUTS)

    @property
    def channelwise(self) -> bool:
        """Whether every channel is a unit by itself."""
        return self.kind == "units" and self.dim == 1

    @property
    def turns(self) -> int:
        """Dimension of the rotations of each vector or section; below 2 there are none."""
        return {"vectors": self.dim, "cones": self.dim - 1}.get(self.kind, 0)

    @property
    def groups(self) -> int:
        """Number of units that the channels fill."""
        return max(self.channels - 1, 0) // (self.dim - 1) if self.share_axis else self.channels // self.dim

    def width(self, channels: int | None = None) -> int:
        """The largest number of channels, at most so many (its own by default), that whole units fill."""
        whole = self if channels is None else replace(self, channels=channels)
        return 1 + whole.groups * (self.dim - 1) if self.share_axis else whole.groups * self.dim

    @property
    def latex(self) -> str:
        """The group, without dollar signs: C channels, G units of S."""
        if self.kind in ("fixed", "linear"):
            return r"\{1\}" if self.kind == "fixed" else r"\mathrm{GL}(C)"
        scale = r"\mathbb R_{>0}"
        if self.kind == "units":
            inside = {(1, 0): r"\{\pm 1\} \wr ", (0, 1): rf"{scale} \wr ", (1, 1): r"\mathbb R_{\ne 0} \wr "}
            moved = inside.get((self.signs, self.scales), "")
            if self.blocks > 1:
                return moved + r"\mathrm{Perm}(C/G) \wr \mathrm{Perm}(G)"
            return moved + r"\mathrm{Perm}(%s)" % ("C" if self.dim == 1 else f"C/{self.dim}")
        turned = "O(S)" if self.kind == "vectors" else "O(S-1)"
        if self.scales and self.share_axis:
            return rf"{scale} \times ({turned} \wr \mathrm{{Perm}}(G))"
        return (rf"({scale} \times {turned})" if self.scales else turned) + r" \wr \mathrm{Perm}(G)"

    def enlarged(self) -> "Symmetry | None":
        """A larger symmetry, under which an activation of this one must fail; None where there is none.

        Examples
        --------
        >>> Symmetry("cones", 8, dim=4).enlarged()
        Symmetry(kind='vectors', channels=8, dim=4)
        """
        if self.kind == "linear":
            return None
        if self.kind == "fixed" or self.blocks > 1 or (self.kind == "units" and self.dim > 1):
            return Symmetry("units", self.channels)
        if self.kind == "cones" and not self.share_axis and self.groups > 1:
            return Symmetry("vectors", self.channels, dim=self.dim, layout=self.layout)
        return Symmetry("vectors", self.channels, dim=self.channels)

    def random(self, generator: torch.Generator | None = None) -> Tensor:
        """A random element as a ``(C, C)`` matrix in float64, for inputs whose parameters need not move.

        Raises
        ------
        ValueError
            Channels that do not fill whole units.

        Examples
        --------
        >>> Symmetry("units", 3).random(torch.Generator().manual_seed(0)).sum(0)
        tensor([1., 1., 1.], dtype=torch.float64)
        """
        if self.width() != self.channels or self.groups % self.blocks:
            raise ValueError(f"{self.channels} channels do not fill {self}; use {self.width()}")
        if self.kind == "fixed":
            return torch.eye(self.channels, dtype=torch.float64)
        if self.kind == "linear":
            return torch.randn(self.channels, self.channels, generator=generator, dtype=torch.float64)
        units, step = self.groups, self.groups // self.blocks
        order = torch.cat([torch.randperm(step, generator=generator) + k * step for k in range(self.blocks)])
        if self.kind == "vectors":
            matrix = torch.zeros(units, self.dim, units, self.dim, dtype=torch.float64)
            matrix[torch.arange(units), :, order] = sample_orthogonal(self.dim, num=units, generator=generator)
            matrix = self._placed(matrix.flatten(2).flatten(0, 1))
        else:
            still = ConicElement.from_permutation(order, self.dim)
            turned = self.kind == "cones"
            turns = sample_orthogonal(self.dim - 1, num=units, generator=generator) if turned else still.rotations
            matrix = ConicElement(order, turns).as_matrix(share_axis=self.share_axis, layout=self.layout)
        if self.frame == "homogeneous" and self.dim > 1:
            matrix = self._reflected(matrix)
        return self._factors(generator)[:, None] * matrix

    def _placed(self, matrix: Tensor) -> Tensor:
        """From units that follow each other to the layout."""
        if self.layout == "blocks":
            return matrix
        axes = torch.arange(self.channels).view(self.groups, self.dim)
        order = torch.cat([axes[:, 0], axes[:, 1:].flatten()])
        return matrix[order][:, order]

    def _reflected(self, matrix: Tensor) -> Tensor:
        """In the frame whose axis is the homogeneous direction."""
        size = self.channels if self.share_axis else self.dim
        change = torch.full((size,), -(size**-0.5), dtype=torch.float64)
        change[0] += 1
        swap = householder(change)
        if not self.share_axis:
            swap = self._placed(torch.block_diag(*[swap] * self.groups))
        return swap @ matrix @ swap

    def _factors(self, generator: torch.Generator | None) -> Tensor:
        factors = torch.ones(1 if self.share_axis else self.groups, dtype=torch.float64)
        if self.scales:
            factors = factors * torch.empty_like(factors).uniform_(0.5, 2, generator=generator)
        if self.signs:
            factors = factors * (2 * torch.randint(2, factors.shape, generator=generator) - 1)
        if self.share_axis:
            return factors.expand(self.channels)
        each = factors.repeat_interleave(self.dim)
        return each if self.layout == "blocks" else torch.cat([factors, factors.repeat_interleave(self.dim - 1)])

    def __repr__(self) -> str:
        default = Symmetry.__dataclass_fields__
        told = [f"{name}={getattr(self, name)!r}" for name, f in default.items()
                if name in ("kind", "channels") or getattr(self, name) != f.default]  # fmt: skip
        return f"Symmetry({', '.join(told)})"
