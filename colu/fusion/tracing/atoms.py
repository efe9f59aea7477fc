"""Channels and units as numbers: which are one, what may not be done to them, and which unit holds which channel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

__all__ = ["CONSTANT", "ZERO", "Atoms", "canonical", "common", "components", "matched", "squashed", "varying"]

#: What no group moves, and what every group leaves as it is.
CONSTANT, ZERO = 0, 1


@dataclass
class Atoms:
    """What one pass through a network says of its channels; :mod:`colu.fusion.structure` decides from it.

    Each entry of each axis of each parameter starts as an atom of its own, as does each unit that holds channels.
    """

    count: int = 2
    same: list[Tensor] = field(default_factory=list)
    fixed: list[tuple[Tensor, str]] = field(default_factory=list)
    #: What has read nothing but zeros, and the axes of its parameter: all fixed unless it is one with others.
    idle: list[tuple[Tensor, list[Tensor], str]] = field(default_factory=list)
    #: No rotation may mix these; no sign may be changed of those.
    separate: list[tuple[Tensor, str]] = field(default_factory=list)
    unsigned: list[tuple[Tensor, str]] = field(default_factory=list)
    #: Maps must leave the mean of these alone.
    centred: list[tuple[Tensor, str]] = field(default_factory=list)
    marks: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    units: list[tuple[Tensor, Tensor, str]] = field(default_factory=list)
    #: Atoms that move as two others do: as a copy among copies, and as the channel that all of these share.
    products: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    #: The unit of each copy.
    copies: dict[int, int] = field(default_factory=dict)

    def new(self, count: int) -> Tensor:
        """So many further atoms."""
        self.count += count
        return torch.arange(self.count - count, self.count)

    def unite(self, one: Tensor, other: Tensor) -> None:
        """Both carry the same element wherever they meet; a zero agrees with all."""
        one, other = squashed(*torch.broadcast_tensors(one, other))
        pairs = _pairs(one, other)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        if len(pairs):
            self.same.append(pairs)

    def fix(self, atoms: Tensor, why: str) -> None:
        self.fixed.append((_each(atoms), why))

    def part(self, atoms: Tensor, why: str, *, signs: bool) -> None:
        """A layer that acts on each of these by itself; ``signs`` says whether it is odd."""
        each = _each(atoms)
        self.separate.append((each, why))
        if not signs:
            self.unsigned.append((each, why))

    def mark(self, atoms: Tensor, values: Tensor) -> None:
        """Only atoms with equal values may be exchanged."""
        atoms, values = squashed(*torch.broadcast_tensors(atoms, values))
        self.marks.append((atoms.flatten(), values.flatten()))

    def hold(self, children: Tensor, units: Tensor, why: str) -> None:
        """Children move with their units only."""
        children, units = squashed(*torch.broadcast_tensors(children, units))
        pairs = _pairs(children, units)
        pairs = pairs[(pairs[:, 0] > ZERO) & (pairs[:, 0] != pairs[:, 1])]
        self.units.append((pairs[:, 0], pairs[:, 1], why))

    @staticmethod
    def joined(one: Tensor, other: Tensor) -> Tensor:
        """One label for all that these two tell to be the same."""
        pairs = _pairs(one, other)
        if not len(pairs):
            return torch.where(one == ZERO, other, one)
        each, place = torch.unique(pairs, return_inverse=True)
        parts = torch.from_numpy(components(place.numpy(), len(each))[1]).long()
        first = torch.full((int(parts.max()) + 1,), each.max() + 1).scatter_reduce_(0, parts, each, "amin")
        kept = torch.where(one == ZERO, other, one)
        where = torch.searchsorted(each, kept).clamp_max(len(each) - 1)
        return torch.where(each[where] == kept, first[parts[where]], kept)

    def rows(self, labels: Tensor, why: str) -> Tensor:
        """A unit for each different row of labels, which holds them; for equal rows the same."""
        flat = labels.flatten(0, -2)
        # One number a row: a sum with random weights, in the integers modulo 2 ** 64.
        weights = torch.randint(-(2**62), 2**62, (flat.shape[1],), generator=torch.Generator().manual_seed(0))
        sums, place = torch.unique((flat * weights).sum(1), return_inverse=True)
        if len(sums) == 1:
            return torch.full(labels.shape[:-1], CONSTANT)
        made = self.new(len(sums))
        one_of = torch.zeros(len(sums), dtype=torch.long).scatter_(0, place, torch.arange(len(place)))
        self.hold(flat[one_of], made[:, None], why)
        return made[place].view(labels.shape[:-1])


def components(pairs, count: int):
    """How many classes pairs make of so many atoms, and the class of each."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)


def _pairs(one: Tensor, other: Tensor) -> Tensor:
    """The different pairs at equal places, none of them with a zero."""
    one, other = one.flatten(), other.flatten()
    both = torch.unique((one << 32) | other)
    pairs = torch.stack([both >> 32, both & 0xFFFFFFFF], 1)
    return pairs[(pairs != ZERO).all(1)]


def _each(atoms: Tensor) -> Tensor:
    each = torch.unique(squashed(atoms)[0])
    return each[each > ZERO]


def squashed(*labels: Tensor) -> list[Tensor]:
    """Labels of one shape without the dimensions along which all are repeated."""
    for dim in range(labels[0].dim()):
        if labels[0].shape[dim] > 1 and all(one.stride(dim) == 0 for one in labels):
            labels = tuple(one.narrow(dim, 0, 1) for one in labels)
    return list(labels)


def varying(labels: Tensor) -> frozenset[int]:
    """The dimensions along which labels differ.

    Examples
    --------
    >>> sorted(varying(torch.arange(3).view(1, 3, 1).expand(2, 3, 5)))
    [1]
    """
    short = squashed(labels)[0]
    return frozenset(dim for dim, size in enumerate(short.shape) if size > 1 and not _alike(short, dim))


def _alike(labels: Tensor, dim: int) -> bool:
    return bool(((labels == common(labels, dim)) | (labels == ZERO)).all())


def common(labels: Tensor, *dims: int) -> Tensor:
    """The one label along dimensions in which labels are alike but for zeros, of which any may be the first.

    Examples
    --------
    >>> common(torch.tensor([[ZERO, 5, 5], [6, 6, ZERO]]), 1)
    tensor([[5],
            [6]])
    """
    for dim in dims:
        if labels.stride(dim) == 0 or labels.shape[dim] < 2:
            labels = labels.narrow(dim, 0, 1)
            continue
        largest = torch.where(labels == ZERO, -1, labels).amax(dim, keepdim=True)
        labels = torch.where(largest < 0, ZERO, largest)
    return labels


def canonical(atoms: Atoms, labels: Tensor, keep: tuple[int, ...]) -> Tensor:
    """The labels along the dimensions kept; what differs along the others is united."""
    other = [dim for dim in range(labels.dim()) if dim not in keep]
    for dim in other:
        if labels.shape[dim] > 1 and labels.stride(dim) == 0:
            labels = labels.narrow(dim, 0, 1)
    if all(labels.shape[dim] == 1 for dim in other):
        return labels.permute(*keep, *other).flatten(len(keep)).squeeze(-1) if other else labels.permute(*keep)
    largest = labels.amax(other, keepdim=True)
    # A constant among channels fixes them, by being one with them.
    atoms.unite(largest.expand_as(labels), labels)
    return largest.permute(*keep, *other).flatten(len(keep)).squeeze(-1)


def matched(one: Tensor, other: Tensor) -> str:
    """How labels at the same places belong together: ``same``, ``holds``, ``held`` or ``mixed``.

    Examples
    --------
    >>> matched(torch.tensor([2, 2, 3]), torch.tensor([4, 5, 6])), matched(torch.tensor([2, 3]), torch.tensor([5, 6]))
    ('holds', 'same')
    """
    pairs = _pairs(*squashed(*torch.broadcast_tensors(one, other)))
    lengths = [len(torch.unique(pairs[:, side])) for side in (0, 1)]
    if len(pairs) == lengths[0] == lengths[1]:
        return "same"
    if len(pairs) == lengths[1]:
        return "holds"
    return "held" if len(pairs) == lengths[0] else "mixed"
