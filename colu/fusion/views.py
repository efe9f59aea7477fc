"""What a layer may leave of the channels of a group, and the group as it acts there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from colu.blocks import split
from colu.checks import as_int

from .groups import Conic, Orthogonal, Permutation, Vectors
from .inner import Inner
from .wreath import Wreath

__all__ = ["VIEWS", "check_view", "lifted", "units_of", "viewed", "written"]

#: One entry a unit; the sections of cones, which is all sets that are not fixed; channels that do not see signs.
VIEWS = ("units", "sections", "even")


def check_view(view) -> None:
    """Raise ``ValueError`` unless ``view`` is ``"channels"``, one of :data:`VIEWS`, a set, or a set and its copies.

    Examples
    --------
    >>> check_view("even"), check_view(1), check_view((1, 4))
    (None, None, None)
    """
    place, copies = view if isinstance(view, tuple) and len(view) == 2 else (view, 1)
    known = isinstance(view, str) and view in ("channels", *VIEWS)
    numbers = as_int(place) is not None and place >= 0 and as_int(copies) is not None and copies >= 1
    if not known and not numbers:
        raise ValueError(
            f"view={view!r} is unknown; use one of 'channels', {', '.join(map(repr, VIEWS))}, "
            "the place of a set of a Wreath, such as 0, or (place, copies)"
        )


@dataclass(frozen=True)
class _Units:
    """A group as it acts where each unit has one entry: it permutes them."""

    size: int

    def act(self, element, x: Tensor, axis: int) -> Tensor:
        return x.index_select(axis, element.permutation.to(x.device))


@dataclass(frozen=True)
class _Even:
    """A group as it acts on what does not see signs."""

    group: Wreath

    @property
    def size(self) -> int:
        return self.group.size

    def act(self, element, x: Tensor, axis: int) -> Tensor:
        self.group.check(element)
        return element.apply(x, axis, even=True)


@dataclass(frozen=True)
class Sets:
    """Some of the sets of each unit, all of them so many times one after the other."""

    group: Wreath
    places: tuple[int, ...]
    copies: int = 1

    @property
    def inner(self) -> tuple[Inner, ...]:
        return tuple(self.group.inner[place] for place in self.places)

    @property
    def dim(self) -> int:
        return sum(one.size for one in self.inner)

    @property
    def size(self) -> int:
        return self.group.groups * self.copies * self.dim

    def act(self, element, x: Tensor, axis: int) -> Tensor:
        self.group.check(element)
        axis %= x.dim()
        # Copies are put aside, as samples.
        apart = x.unflatten(axis, (self.group.groups, self.copies, self.dim)).movedim(axis + 1, 0)
        acted = element.apply(apart.flatten(axis + 1, axis + 2), axis + 1, sets=self.places)
        together = acted.unflatten(axis + 1, (self.group.groups, self.dim)).movedim(0, axis + 1)
        return together.flatten(axis, axis + 2)

    def lifted(self, product: Tensor) -> Tensor:
        shape = (self.group.groups, self.copies, self.dim)
        product = product.unflatten(1, shape).unflatten(0, shape).diagonal(dim1=1, dim2=4).sum(-1)
        # From here on (G, dim, G, dim).
        stretches = torch.arange(self.group.dim).split([one.size for one in self.group.inner])
        inside = torch.cat([stretches[place] for place in self.places])
        places = (torch.arange(shape[0])[:, None] * self.group.dim + inside).flatten().to(product.device)
        total = product.new_zeros(self.group.size, self.group.size)
        total[places[:, None], places] = product.reshape(len(places), len(places))
        return total


def viewed(group, view):
    """The group as it acts on part of what its channels are, with the same elements.

    Parameters
    ----------
    group : Group
    view : {"channels", "units", "sections", "even"}, int or pair of int
        ``even`` is for what does not see signs, such as a variance. A number names one set of a
        :class:`colu.fusion.Wreath`; a pair the set and how often it stands in each unit, one after the other, as the
        values of grouped-query attention do.

    Raises
    ------
    ValueError
        A group that has no such view.

    Examples
    --------
    >>> viewed(Conic(2, 4), "units").size, viewed(Conic(2, 4), "sections")
    (2, Vectors(groups=2, dim=3, rotate=True, blocks=1))
    >>> from colu.fusion import Inner
    >>> heads = Wreath(2, (Inner("orthogonal", 4), Inner("orthogonal", 3)))
    >>> viewed(heads, 1).size, viewed(heads, (1, 5)).size
    (6, 30)
    """
    check_view(view)
    if view == "channels":
        return group
    if view == "units" and not isinstance(group, Orthogonal):
        return _Units(group.groups)
    if view == "sections" and isinstance(group, Conic):
        return Vectors(group.groups, group.dim - 1)
    if view == "even" and (isinstance(group, Permutation) or (isinstance(group, Conic | Vectors) and not group.rotate)):
        return group
    if isinstance(group, Wreath):
        if view == "even" and not any(one.turns for one in group.inner):
            return _Even(group)
        if view == "sections":
            places = tuple(place for place, one in enumerate(group.inner) if one.kind != "fixed")
            if 0 < len(places) < len(group.inner):
                return Sets(group, places)
        if view != "even" and view != "sections":
            place, copies = view if isinstance(view, tuple) else (view, 1)
            if place < len(group.inner):
                return Sets(group, (place,), copies)
    if isinstance(view, str):
        wanted = {"sections": "cones", "units": "units", "even": "permutations, perhaps with signs"}[view]
        raise ValueError(f"{group} has no {view}; use a group of {wanted}")
    raise ValueError(f"{group} has no set {view}; use a Wreath, and the place of one of its sets")


def units_of(group):
    """The subgroup that permutes whole units; of one unit, or of orthogonal maps, the channels are the units.

    Examples
    --------
    >>> units_of(Conic(2, 4)).rotate, units_of(Orthogonal(3))
    (False, Permutation(n=3, blocks=1))
    """
    if isinstance(group, Orthogonal):
        return Permutation(group.size)
    if isinstance(group, Conic | Vectors):
        return replace(group, rotate=False)
    if isinstance(group, Wreath):
        alone = group.groups == 1 and len(group.inner) == 1 and group.inner[0].kind != "fixed"
        return Permutation(group.size) if alone else Conic(group.groups, group.dim, rotate=False)
    return group


def written(group) -> str:
    """A group in the signs of the book, in plain text.

    Examples
    --------
    >>> from colu.fusion import Inner
    >>> written(Conic(8, 4)), written(Wreath(4, (Inner("fixed"), Inner("signed", 3)))), written(Permutation(6))
    ('O(3) wr Perm(8)', 'B(3) wr Perm(4)', 'Perm(6)')
    """
    if isinstance(group, Orthogonal):
        return f"O({group.size})"
    if isinstance(group, Wreath):
        signs = {"permutation": "Perm({})", "signed": "B({})", "orthogonal": "O({})", "mean": "O({})"}
        each = [signs[one.kind].format(one.size - (one.kind == "mean")) for one in group.inner if one.kind != "fixed"]
        inside, count = " x ".join(each), group.groups if group.exchange else 1
    else:
        turned = group.rows if isinstance(group, Vectors) else group.dim - 1
        inside, count = f"O({turned})" if group.rotate and turned else "", group.groups // group.blocks
    outside = f"Perm({count})" if count > 1 else ""
    if " x " in inside and outside:
        inside = f"({inside})"
    blocks = getattr(group, "blocks", 1)
    whole = " wr ".join(filter(None, (inside, outside))) or "1"
    return whole if blocks == 1 else f"{whole}, in each of {blocks} blocks"


def lifted(group, view, product: Tensor) -> Tensor | None:
    """A covariance of part of the channels among that of all, for matching; None if it has no place there.

    The units and the even channels of a :class:`colu.fusion.Wreath` have none: its ``solve`` takes them apart.
    """
    if view == "channels":
        return product
    if isinstance(group, Wreath):
        return None if view in ("units", "even") else viewed(group, view).lifted(product)
    if view == "even":
        return product
    if not isinstance(group, Conic) or group.frame != "coordinate" or group.share_axis:
        return None
    axis, section = split(torch.arange(group.size), 0, group.groups, group.dim, False, group.layout)
    places = (axis if view == "units" else section).flatten().to(product.device)
    total = product.new_zeros(group.size, group.size)
    total[places[:, None], places] = product
    return total
