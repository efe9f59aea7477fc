"""A set of channels with one group, by the usual name of the group where it has one."""

from __future__ import annotations

from dataclasses import dataclass

from ..groups import Conic, Orthogonal, Permutation, Vectors
from ..wreath import Inner, Wreath

__all__ = ["Channels", "formed"]


@dataclass
class Channels:
    """A set of channels with one group: for each unit the classes that it holds, in the order of the inner sets."""

    units: list[list[int]]
    inner: tuple[Inner, ...]
    name: str = ""
    why: str = ""
    form: object = None

    @property
    def order(self) -> list[int]:
        """All classes, unit by unit."""
        return [one for unit in self.units for one in unit]

    def at(self, place: int) -> tuple[int, int, int]:
        """The unit of a class, the set in it, and the place in that set, from its place in the order."""
        unit, rest = divmod(place, max(sum(one.size for one in self.inner), 1))
        for index, one in enumerate(self.inner):
            if rest < one.size:
                return unit, index, rest
            rest -= one.size
        return 0, -1, place

    @property
    def wreath(self) -> Wreath:
        """The group with its sets by their places, as products name them."""
        return Wreath(len(self.units), self.inner)

    @property
    def group(self):
        """The group by its usual name, where it has one."""
        if self.form is not None:
            return self.form
        kinds = [(one.kind, one.size) for one in self.inner]
        count = len(self.units)
        if kinds == [("fixed", 1)]:
            return Permutation(count)
        if len(kinds) == 1 and kinds[0][0] == "permutation" and count == 1:
            return Permutation(kinds[0][1])
        if len(kinds) == 1 and kinds[0][0] == "orthogonal":
            return Orthogonal(kinds[0][1]) if count == 1 else Vectors(count, kinds[0][1])
        if len(kinds) == 2 and kinds[0] == ("fixed", 1) and kinds[1][0] == "orthogonal":
            return Conic(count, 1 + kinds[1][1])
        return self.wreath


def formed(sets: list[Channels], classes: list[int], symmetry):
    """The group of an activation on its channels, if these sets are what it leaves."""
    kinds = [(one.kind, one.size) for one in sets[0].inner]
    held = set().union(*(one.order for one in sets))
    count, dim = symmetry.groups, symmetry.dim
    if symmetry.channelwise:
        size = len(classes) // symmetry.blocks
        stretches = [set(classes[start : start + size]) for start in range(0, len(classes), size)]
        exchanged = kinds in ([("fixed", 1)], [("permutation", size)])
        whole = symmetry.blocks > 1 and exchanged and [set(one.order) for one in sets] == stretches
        return Permutation(len(classes), symmetry.blocks) if whole else None
    if symmetry.kind != "cones" or len(sets) > 1:
        return None
    plain = symmetry.layout == "blocks" and symmetry.frame == "coordinate"
    if symmetry.share_axis and symmetry.frame == "homogeneous":
        fits = held == set(classes) and [kind for kind, _ in kinds] == ["mean"]
    elif symmetry.share_axis:
        fits = held == set(classes[1:]) and kinds == [("orthogonal", dim - 1)]
    else:
        turned = [("mean", dim)] if symmetry.frame == "homogeneous" else [("fixed", 1), ("orthogonal", dim - 1)]
        fits = not plain and held == set(classes) and kinds == turned
    return Conic(count, dim, symmetry.share_axis, symmetry.layout, symmetry.frame) if fits else None
