"""What is best inside a pair of units where entries belong to two sets of channels at once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .inner import Inner

__all__ = ["best_within"]

#: Up to here all orders of a set that is in every product are tried; others are improved in turns.
_ENUMERATED = 4
_ROUNDS = 50


def best_within(
    sets: Sequence[Inner], blocks: Sequence[Tensor], evens: Sequence[Tensor | None], products: Mapping
) -> tuple[Tensor, list[Tensor]]:
    r"""For each of N pairs of units the maps of all sets that maximise what the pair contributes.

    .. math:: \max_Q & \sum_s \langle Q^s, M^s\rangle + \langle |Q^s|, P^s\rangle \\
              & + \sum_{s,t} \langle A^{st}, (Q^s \otimes Q^t)\, B^{st}\rangle

    With all sets but one given, the problem is linear in that one, and solved exactly; a set whose channels are both
    factors of a product takes what is best to first order, where that gains.
    Where one set of at most four channels that change places is in every product, each of its orders is tried with the
    best of all others, so that the optimum is global; else the sets are improved in turns, from the identity and from
    what is best without the products, and the better end is taken.

    Parameters
    ----------
    sets : sequence of Inner
    blocks, evens : sequence of Tensor
        M and P, shape ``(N, k, k)``; P may be None.
    products : dict
        A and B by the places of two sets, shapes ``(k, l, D)``, the same for all pairs, and ``(N, k, l, D)``.

    Returns
    -------
    gain : Tensor
        Shape ``(N,)``.
    matrices : list of Tensor
        Shape ``(N, k, k)`` for each set.

    Examples
    --------
    >>> stays = torch.tensor([[[1.0]], [[2.0]]]).double()
    >>> blocks = [torch.zeros(1, 2, 2).double(), torch.zeros(1, 1, 1).double()]
    >>> products = {(0, 1): (stays, -stays.flip(0)[None])}
    >>> gain, found = best_within([Inner("permutation", 2), Inner("signed")], blocks, [None, None], products)
    >>> gain, found[0][0], found[1].flatten()
    (tensor([5.], dtype=torch.float64), tensor([[0., 1.],
            [1., 0.]], dtype=torch.float64), tensor([-1.], dtype=torch.float64))
    """
    products = {pair: _Rows(*rows) for pair, rows in products.items()}
    problem = _Problem(list(sets), list(blocks), list(evens), dict(products))
    tied = sorted({place for pair in products for place in pair})
    start = [one.identity(len(blocks[0])).to(blocks[0]) for one in sets]
    alone = list(start)
    for place in range(len(sets)):
        alone[place] = problem.best(place, None)
        if place not in tied:
            start[place] = alone[place]
    hub = next((place for place in tied if problem.tries(place)), None)
    if hub is None:
        ends = [problem.climbed(one, tied) for one in (start, alone)]
    else:
        ends = (problem.around(order, hub, tied, alone) for order in problem.orders(hub))
    gain, found = None, None
    for value, matrices in ends:
        if gain is None:
            gain, found = value, matrices
            continue
        # What came first is kept where others are better by rounding alone.
        better = value > gain + 1e-13 * problem.scale
        gain = torch.where(better, value, gain)
        pick = better[:, None, None]
        found = [torch.where(pick, new, old) for new, old in zip(matrices, found, strict=True)]
    return gain, found


class _Rows:
    """Entries of two sets, of the model that stays and of the one that moves."""

    def __init__(self, stays: Tensor, moving: Tensor):
        self.stays, self.moving, self.table = stays, moving, None
        k, m, size = stays.shape
        # Whatever is smaller: all products of pairs of entries, or the entries.
        if k * m <= size:
            products = torch.einsum("rx,nsx->nrs", stays.flatten(0, 1), moving.flatten(1, 2))
            self.table = products.view(-1, k, m, k, m).transpose(2, 3)

    @property
    def scale(self) -> Tensor:
        """What no product of entries is larger than, for each pair."""
        return self.stays.norm() * self.moving.flatten(1).norm(dim=1)

    def first(self, given: Tensor) -> Tensor:
        """The block of the first set, where the second is given."""
        if self.table is not None:
            return torch.einsum("nacbd,nbd->nac", self.table, given)
        return torch.einsum("abx,ncbx->nac", self.stays, torch.einsum("nbd,ncdx->ncbx", given, self.moving))

    def second(self, given: Tensor) -> Tensor:
        """The block of the second set, where the first is given."""
        if self.table is not None:
            return torch.einsum("nacbd,nac->nbd", self.table, given)
        return torch.einsum("abx,nadx->nbd", self.stays, torch.einsum("nac,ncdx->nadx", given, self.moving))


class _Problem:
    """N pairs at once."""

    def __init__(self, sets, blocks, evens, products):
        self.sets, self.blocks, self.evens, self.products = sets, blocks, evens, products
        every = [*blocks, *(one for one in evens if one is not None)]
        self.scale = sum(one.flatten(1).abs().amax(1) for one in every) + sum(one.scale for one in products.values())

    def tries(self, place: int) -> bool:
        """Whether all orders of a set are tried."""
        one = self.sets[place]
        small = one.acting in ("fixed", "permutation") and (one.acting == "fixed" or one.size <= _ENUMERATED)
        return small and all(place in pair for pair in self.products)

    def orders(self, place: int):
        """The matrices of all orders, the identity first."""
        size = self.sets[place].size
        some = itertools.permutations(range(size)) if self.sets[place].acting == "permutation" else [range(size)]
        for order in some:
            yield F.one_hot(torch.tensor(list(order)), size).to(self.blocks[0]).expand_as(self.blocks[place])

    def linear(self, place: int, given) -> Tensor:
        """The block of one set when the others are given."""
        total = self.blocks[place]
        for (one, other), rows in self.products.items() if given is not None else ():
            if place == one:
                total = total + rows.first(given[other])
            if place == other:
                total = total + rows.second(given[one])
        return total

    def best(self, place: int, given) -> Tensor:
        return self.sets[place].best(self.linear(place, given), self.evens[place])

    def value(self, given) -> Tensor:
        """What the pairs contribute."""
        total = sum((one * block).sum((1, 2)) for one, block in zip(given, self.blocks, strict=True))
        for one, even in zip(given, self.evens, strict=True):
            total = total if even is None else total + (one.abs() * even).sum((1, 2))
        for (one, other), rows in self.products.items():
            total = total + (given[other] * rows.second(given[one])).sum((1, 2))
        return total

    def around(self, order: Tensor, hub: int, tied, alone) -> tuple[Tensor, list[Tensor]]:
        """The optimum with one order of the set that is in every product."""
        found = list(alone)
        found[hub] = order
        for place in tied:
            if place != hub:
                found[place] = self.best(place, found)
        return self.value(found), found

    def climbed(self, start, tied) -> tuple[Tensor, list[Tensor]]:
        """One set after the other, until none gains."""
        found, value = list(start), self.value(start)
        for _ in range(_ROUNDS):
            before = value
            for place in tied:
                tried = [self.best(place, found) if k == place else one for k, one in enumerate(found)]
                # A set that is in a product twice may lose by what is best to first order.
                new = self.value(tried)
                better = new > value
                value = torch.where(better, new, value)
                found[place] = torch.where(better[:, None, None], tried[place], found[place])
            if (value <= before + 1e-12 * self.scale).all():
                break
        return value, found
