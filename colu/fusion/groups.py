r"""Groups that act on one axis of a parameter, and the alignment problem of one layer in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from colu.blocks import LAYOUTS, join, split
from colu.checks import check_choice, settle_ints
from colu.geometry import ConicElement, OrthogonalElement, sample_orthogonal

from .solve import assign, polar

__all__ = ["MODES", "Conic", "Group", "Orthogonal", "Permutation", "Vectors"]

#: What a matching may use: nothing, permutations of units or cones, or the whole group.
MODES = ("naive", "permutation", "conic")


class Group(Protocol):
    """What a specification needs of a group: a size, elements, their action, and a matching."""

    @property
    def size(self) -> int: ...

    def identity(self): ...

    def random(self, generator: torch.Generator | None = None): ...

    def act(self, element, x: Tensor, axis: int) -> Tensor: ...

    def solve(self, covariance: Tensor, mode: str): ...

    @property
    def rows(self) -> int: ...


class _Cones:
    """Action and matching common to permutations and conic groups: G units of dimension S."""

    @property
    def rows(self) -> int:
        """How many samples determine an element."""
        return self.dim - 1 if self.rotate else 1

    def identity(self) -> ConicElement:
        """The neutral element."""
        return ConicElement.identity(self.groups, self.dim)

    def random(self, generator: torch.Generator | None = None) -> ConicElement:
        """A uniform element; from a generator on the CPU."""
        step = self.groups // self.blocks
        permutation = torch.cat(
            [torch.randperm(step, generator=generator) + k * step for k in range(self.blocks)]
        )
        if not self.rotate:
            return ConicElement.from_permutation(permutation, self.dim)
        return ConicElement(
            permutation, sample_orthogonal(self.dim - 1, num=self.groups, generator=generator)
        )

    def act(self, element: ConicElement, x: Tensor, axis: int) -> Tensor:
        """The element on one axis of ``x``, in float64; the dtype of ``x`` is kept."""
        if (element.num_groups, element.dim) != (self.groups, self.dim):
            raise ValueError(
                f"an element of {element.num_groups} units of dim {element.dim} cannot act for {self}; "
                "take elements from the same specification"
            )
        wide = x if element.exact else x.double()
        y = element.apply(self._turn(wide, axis), axis, share_axis=self.share_axis, layout=self.layout)
        return self._turn(y, axis).to(x.dtype)

    def _turn(self, x: Tensor, axis: int) -> Tensor:
        """Swap the first coordinate and the homogeneous direction, if that is the frame; its own inverse."""
        if self.frame == "coordinate" or self.dim == 1:
            return x
        last = x.movedim(axis, -1)
        blocks = last if self.share_axis else torch.cat(self._split(last, last.dim() - 1), -1)
        size = blocks.shape[-1]
        v = torch.full((size,), -(size**-0.5), dtype=x.dtype, device=x.device)
        v[0] += 1
        blocks = blocks - 2 / v.square().sum() * (blocks @ v)[..., None] * v
        if not self.share_axis:
            blocks = join(blocks[..., :1], blocks[..., 1:], last.dim() - 1, False, self.layout)
        return blocks.movedim(-1, axis)

    def _split(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        return split(x, axis, self.groups, self.dim, self.share_axis, self.layout)

    def blocks_of(self, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """Axis products ``(G, G)`` and section blocks ``(G, G, S-1, S-1)`` of a ``(C, C)`` covariance."""
        turned = self._turn(self._turn(covariance, 0), 1)
        axis, section = self._split(turned, 0)
        axis = self._split(axis, 2)[0].squeeze(3).squeeze(1)
        section = self._split(section, 2)[1]
        return axis, section.permute(0, 2, 1, 3)

    def gains(self, covariance: Tensor, mode: str) -> Tensor:
        """What each pair of units contributes at its best rotation; shape ``(G, G)``."""
        axis, section = self.blocks_of(covariance)
        # A shared axis is the same for all pairs.
        shared = torch.zeros(section.shape[:2], dtype=section.dtype, device=section.device) if self.share_axis else None
        gain = axis if shared is None else shared
        if self.dim == 1:
            return gain
        if mode == "conic" and self.rotate:
            return gain + torch.linalg.svdvals(section).sum(-1)
        return gain + section.diagonal(dim1=-2, dim2=-1).sum(-1)

    def solve(self, covariance: Tensor, mode: str = "conic") -> ConicElement:
        r"""The element :math:`g` that maximises :math:`\langle g, M\rangle`, a global optimum of this layer.

        The gain of cone j for place i is :math:`M_{aa} + \lVert M_{ss}\rVert_*`;
        an assignment problem over cones, then the polar factor of each chosen block.

        Parameters
        ----------
        covariance : Tensor
            M, shape ``(C, C)``, float64: rows belong to the model that stays, columns to the one that moves.
        mode : {"naive", "permutation", "conic"}
        """
        check_choice("mode", mode, MODES)
        if mode == "naive":
            return self.identity()
        covariance = covariance.cpu()
        permutation = assign(self.gains(covariance, mode), self.blocks)
        if mode == "permutation" or not self.rotate or self.dim == 1:
            return ConicElement.from_permutation(permutation, self.dim)
        section = self.blocks_of(covariance)[1]
        return ConicElement(permutation, polar(section[torch.arange(self.groups), permutation]))


def _check_blocks(groups: int, blocks: int) -> None:
    if groups % blocks:
        raise ValueError(f"{groups} units do not divide into blocks={blocks}; use a divisor of {groups}")


@dataclass(frozen=True)
class Permutation(_Cones):
    """All permutations of ``n`` channels: the symmetry of a pointwise activation.

    Parameters
    ----------
    n : int
        Channels.
    blocks : int
        Permute only inside each of this many equal blocks, as a GroupNorm demands.

    Examples
    --------
    >>> Permutation(3).act(Permutation(3).identity(), torch.arange(3.0), 0)
    tensor([0., 1., 2.])
    """

    n: int
    blocks: int = 1

    # One code path with the cones: a channel is a cone of dimension 1, all axis and no section.
    dim = 1
    rotate = False
    share_axis = False
    layout = "blocks"
    frame = "coordinate"

    def __post_init__(self):
        settle_ints(self, n=1, blocks=1)
        _check_blocks(self.n, self.blocks)

    @property
    def groups(self) -> int:
        return self.n

    @property
    def size(self) -> int:
        """Channels."""
        return self.n


@dataclass(frozen=True)
class Conic(_Cones):
    r"""The wreath product :math:`O(S-1) \wr \mathrm{Perm}(G)`: the symmetry of a conic activation.

    Parameters
    ----------
    groups, dim : int
        Number of cones G and their dimension S.
    share_axis : bool
        Channel 0 is the axis of all cones: it stays, only sections move.
    layout : {"blocks", "axes_first"}
        Where the channels of a cone are.
    frame : {"coordinate", "homogeneous"}
        The axis is the first channel of a cone, or the direction :math:`\mathbf 1/\sqrt S` as in RCoLU;
        the group is then conjugated by the reflection that swaps the two.
    rotate : bool
        False leaves permutations of cones, what remains beside channelwise layers such as BatchNorm.
    blocks : int
        Permute cones only inside each of this many equal blocks.

    References
    ----------
    Fu and Cohen, "Conic Activation Functions", UniReps 2024, PMLR 285, section 2.

    Examples
    --------
    >>> Conic(groups=8, dim=4).size, Conic(groups=8, dim=4, share_axis=True).size
    (32, 25)
    """

    groups: int
    dim: int
    share_axis: bool = False
    layout: str = "blocks"
    frame: str = "coordinate"
    rotate: bool = True
    blocks: int = 1

    def __post_init__(self):
        settle_ints(self, groups=1, dim=2 if self.share_axis else 1, blocks=1)
        check_choice("layout", self.layout, LAYOUTS)
        check_choice("frame", self.frame, ("coordinate", "homogeneous"))
        _check_blocks(self.groups, self.blocks)

    @property
    def size(self) -> int:
        """Channels: G S, or 1 + G (S - 1) with a shared axis."""
        return 1 + self.groups * (self.dim - 1) if self.share_axis else self.groups * self.dim


@dataclass(frozen=True)
class Vectors:
    r"""The wreath product :math:`O(S) \wr \mathrm{Perm}(G)`: the symmetry of maps that scale whole vectors.

    Its elements are those of cones of dimension S + 1 on a shared axis that is not there.

    Parameters
    ----------
    groups, dim : int
        Number of vectors G and their dimension S.
    rotate : bool
        False leaves permutations of vectors.
    blocks : int
        Permute vectors only inside each of this many equal blocks.

    Examples
    --------
    >>> Vectors(2, 3).act(Vectors(2, 3).identity(), torch.arange(6.0), 0)
    tensor([0., 1., 2., 3., 4., 5.])
    """

    groups: int
    dim: int
    rotate: bool = True
    blocks: int = 1

    def __post_init__(self):
        settle_ints(self, groups=1, dim=1, blocks=1)
        _check_blocks(self.groups, self.blocks)

    @property
    def _cones(self) -> Conic:
        return Conic(self.groups, self.dim + 1, share_axis=True, rotate=self.rotate, blocks=self.blocks)

    @property
    def size(self) -> int:
        """Channels: G S."""
        return self.groups * self.dim

    @property
    def rows(self) -> int:
        """How many samples determine an element."""
        return self.dim if self.rotate else 1

    def identity(self) -> ConicElement:
        """The neutral element."""
        return self._cones.identity()

    def random(self, generator: torch.Generator | None = None) -> ConicElement:
        """A uniform element."""
        return self._cones.random(generator)

    def act(self, element: ConicElement, x: Tensor, axis: int) -> Tensor:
        """The element on one axis of ``x``, in float64; the dtype of ``x`` is kept."""
        return self._cones.act(element, _with_axis(x, axis), axis).narrow(axis, 1, self.size)

    def solve(self, covariance: Tensor, mode: str = "conic") -> ConicElement:
        r"""The maximiser of :math:`\langle g, M\rangle`, as for cones without their axes."""
        return self._cones.solve(_with_axis(_with_axis(covariance, 0), 1), mode)


def _with_axis(x: Tensor, axis: int) -> Tensor:
    return torch.cat([torch.zeros_like(x.narrow(axis, 0, 1)), x], axis)


@dataclass(frozen=True)
class Orthogonal:
    """The orthogonal group of ``n`` channels: the symmetry of a norm or of nothing between linear maps.

    Examples
    --------
    >>> Orthogonal(3).solve(-torch.eye(3, dtype=torch.float64)).matrix.diagonal()
    tensor([-1., -1., -1.], dtype=torch.float64)
    """

    n: int

    def __post_init__(self):
        settle_ints(self, n=1)

    @property
    def size(self) -> int:
        """Channels."""
        return self.n

    rows = size

    def identity(self) -> OrthogonalElement:
        """The neutral element."""
        return OrthogonalElement(torch.eye(self.n, dtype=torch.float64))

    def random(self, generator: torch.Generator | None = None) -> OrthogonalElement:
        """A uniform element."""
        return OrthogonalElement(sample_orthogonal(self.n, generator=generator))

    def act(self, element: OrthogonalElement, x: Tensor, axis: int) -> Tensor:
        """The element on one axis of ``x``, in float64; the dtype of ``x`` is kept."""
        if len(element.matrix) != self.n:
            raise ValueError(f"a matrix of size {len(element.matrix)} cannot act for {self}; use {self.n}")
        y = x.double().movedim(axis, -1) @ element.matrix.to(x.device).T
        return y.movedim(-1, axis).to(x.dtype)

    def solve(self, covariance: Tensor, mode: str = "conic") -> OrthogonalElement:
        r"""The maximiser of :math:`\langle Q, M\rangle`, in mode ``permutation`` over permutations."""
        check_choice("mode", mode, MODES)
        if mode == "naive":
            return self.identity()
        covariance = covariance.cpu()
        if mode == "conic":
            return OrthogonalElement(polar(covariance))
        return OrthogonalElement(torch.eye(self.n, dtype=torch.float64)[assign(covariance)])
