"""How the channels of a group fall into units, and those of a unit into sets: one form for all that a plan carries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from colu.blocks import join

from .groups import Conic, Orthogonal, Permutation, Vectors
from .inner import Inner
from .wreath import Wreath

__all__ = ["AXIS", "Units"]

#: The axis that all cones share: it is in no unit.
AXIS = "axis"


@dataclass(frozen=True)
class Units:
    """The units of a group, as transport moves them.

    Parameters
    ----------
    group : Group
    count : int
        Units G.
    inner : tuple of Inner
        What acts on each set of their channels.
    blocks : int
        Units are exchanged inside each of so many equal blocks.
    exchange : bool
        False: units stay where they are.

    Examples
    --------
    >>> units = Units.of(Conic(2, 4))
    >>> units.count, units.inner
    (2, (Inner(kind='fixed', size=1), Inner(kind='orthogonal', size=3)))
    >>> {name: part.shape for name, part in units.take(torch.ones(8, 5)).items()}
    {0: torch.Size([2, 1, 5]), 1: torch.Size([2, 3, 5])}
    """

    group: object
    count: int
    inner: tuple[Inner, ...]
    blocks: int = 1
    exchange: bool = True

    @classmethod
    def of(cls, group, mode: str = "conic") -> Units:
        """The units of a group; with ``mode="permutation"`` nothing turns inside them."""
        blocks, exchange = getattr(group, "blocks", 1), getattr(group, "exchange", True)
        if isinstance(group, Permutation):
            count, inner = group.n, [Inner("fixed")]
        elif isinstance(group, Orthogonal):
            count, inner = 1, [Inner("orthogonal", group.n)]
        elif isinstance(group, Wreath):
            count, inner = group.groups, list(group.inner)
        else:
            turned = "orthogonal" if group.rotate else "fixed"
            size = group.dim if isinstance(group, Vectors) else group.dim - 1
            count, inner = group.groups, [Inner(turned, size)] if size else []
            if isinstance(group, Conic) and not group.share_axis:
                inner.insert(0, Inner("fixed"))
        apart = ("permutation", "signed") if mode == "conic" else ("permutation", "signed", "orthogonal", "mean")
        if count == len(inner) == 1 and inner[0].kind in apart:
            # Channels that change places are units themselves.
            signed = mode == "conic" and inner[0].kind == "signed"
            count, inner = inner[0].size, [Inner("signed" if signed else "fixed")]
        if mode != "conic":
            inner = [one if one.kind == "permutation" else Inner("fixed", one.size) for one in inner]
        return cls(group, count, tuple(inner), blocks, exchange)

    def take(self, x: Tensor) -> dict:
        """The sets of the units, each ``(G, k, D)``, from channels ``(C, D)``."""
        group = self.group
        if isinstance(group, Permutation | Conic):
            axis, section = group._split(group._turn(x, 0), 0)
            found = {AXIS if group.share_axis else 0: axis}
            return found | ({0 if group.share_axis else 1: section} if group.dim > 1 else {})
        sizes = [one.size for one in self.inner]
        return dict(enumerate(x.unflatten(0, (self.count, sum(sizes))).split(sizes, 1)))

    def put(self, parts: dict) -> Tensor:
        """Undo :meth:`take`."""
        group = self.group
        if not isinstance(group, Permutation | Conic):
            return torch.cat(list(parts.values()), 1).flatten(0, 1)
        axis = parts[AXIS if group.share_axis else 0]
        if group.dim == 1:
            return axis.flatten(0, 1)
        joined = join(axis, parts[0 if group.share_axis else 1], 0, group.share_axis, group.layout)
        return group._turn(joined, 0)
