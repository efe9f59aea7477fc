"""Entries that belong to two sets of channels at once: where they stand, and what is left of them without one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .inner import Inner
from .part import FIXED, Part
from .wreath import Wreath

__all__ = ["Product", "plain_group", "plain_parts", "product_of"]


@dataclass(frozen=True, eq=False)
class Product:
    """Entries of a parameter that move as channels of one or of two sets of each unit.

    Parameters
    ----------
    parameter : str
    axis : int
    sets : tuple of int
        By their places among the sets of a unit.
    places : Tensor
        Shape ``(G, k, ..., repeat)``, one axis for each of the sets; -1 for entries that are not there.
    side : {"out", "in"}
    even : bool
        Whether the entries do not see signs.
    across : bool
        Whether places count the entries of this axis and the next.

    Examples
    --------
    >>> one = Product("w", 0, (0, 1), torch.arange(4).view(1, 2, 2, 1), "out", False, True)
    >>> one.take(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).shape
    torch.Size([1, 2, 2, 1])
    """

    parameter: str
    axis: int
    sets: tuple[int, ...]
    places: Tensor
    side: str
    even: bool
    across: bool

    def take(self, tensor: Tensor) -> Tensor:
        """The entries, shape ``(G, k, ..., D)``; zero where there is none."""
        first, places = self._first(tensor), self.places.flatten().to(tensor.device)
        found = first.index_select(0, places.clamp_min(0)).reshape(len(places), -1)
        found = found * (places >= 0).to(found.dtype)[:, None]
        return found.view(*self.places.shape[:-1], -1)

    def put(self, tensor: Tensor, entries: Tensor) -> Tensor:
        """A tensor with other entries; of the same shape."""
        first, places = self._first(tensor), self.places.flatten().to(tensor.device)
        here = places >= 0
        rows = entries.reshape(len(places), *first.shape[1:])
        moved = first.index_copy(0, places[here], rows[here]).movedim(0, self.axis)
        return moved.reshape(tensor.shape)

    def _first(self, tensor: Tensor) -> Tensor:
        whole = tensor.flatten(self.axis, self.axis + 1) if self.across else tensor
        return whole.movedim(self.axis, 0)


def product_of(group, parameter: str, axis: int, part: Part) -> Product:
    """What a part says of a product.

    Raises
    ------
    ValueError
        A group without such sets, or places of another number.
    """
    if not isinstance(group, Wreath) or not all(0 <= place < len(group.inner) for place in part.of):
        raise ValueError(f"axis {axis} of {parameter} names sets {part.of} of {group}; use those of a Wreath")
    shape = (group.groups, *(group.inner[place].size for place in part.of), part.repeat)
    places = torch.tensor(part.at)
    if len(places) != (wanted := torch.Size(shape).numel()):
        raise ValueError(f"axis {axis} of {parameter} names {len(places)} places of {part.name!r}; name {wanted}")
    side = part.side or ("in" if axis else "out")
    return Product(parameter, axis, part.of, places.view(shape), side, part.even, bool(part.across))


def plain_group(group, products: Iterable[Product]):
    """The group in which the first set of each product, or one that is read alone, moves with its unit only."""
    still = {one.sets[0] for one in products if len(one.sets) > 1 or one.side == "in"}
    if not still:
        return group
    inner = tuple(Inner("fixed", one.size) if k in still else one for k, one in enumerate(group.inner))
    return replace(group, inner=inner)


def plain_parts(parts: Sequence[Part], groups: Mapping) -> tuple[Part, ...] | str:
    """The parts of an axis where each entry belongs to the last of its sets alone."""
    if all(part.of is None for part in parts):
        return tuple(parts)
    tables: dict[str, list[Tensor]] = {}
    kept: dict[str, Part] = {}
    seen = set()
    for part in parts:
        group, table = groups[part.name], torch.tensor(part.at)
        if part.of is None:
            table = table.view(group.size, part.repeat)
        elif len(part.of) == 1 and part.side == "in" or part.across and (part.name, part.of[-1]) in seen:
            continue
        else:
            seen.add((part.name, part.of[-1]))
            table = _of_last(group, part, table)
        tables.setdefault(part.name, []).append(table)
        kept.setdefault(part.name, part)
    return tuple(_merged(part, tables[name]) for name, part in kept.items()) or FIXED


def _of_last(group, part: Part, places: Tensor) -> Tensor:
    """The places of the channels of the last set, ``(size, repeat)``; of rows, where places run across two axes."""
    sizes = [one.size for one in group.inner]
    last = sizes[part.of[-1]]
    each = places.view(group.groups, -1, last, part.repeat).transpose(1, 2).flatten(2)
    if part.across:
        each = torch.div(each[..., :1], part.across, rounding_mode="floor")
    table = torch.full((group.groups, sum(sizes), each.shape[-1]), -1)
    start = sum(sizes[: part.of[-1]])
    table[:, start : start + last] = each
    return table.flatten(0, 1)


def _merged(part: Part, tables: list[Tensor]) -> Part:
    """One part for the places of several, in which each channel has as many as it has in any."""
    width = max(len(row[row >= 0]) for table in zip(*tables, strict=True) for row in [torch.cat(table)])
    rows = []
    for table in zip(*tables, strict=True):
        row = torch.cat(table)
        row = row[row >= 0]
        rows.append(torch.cat([row, torch.full((width - len(row),), -1)]))
    flat = tuple(torch.cat(rows).tolist())
    return replace(part, repeat=width, at=flat, of=None, across=0)
