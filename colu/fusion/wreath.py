r"""Units that change places, and what may act on the channels inside each: one group for what a network leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from colu.checks import check_channel_dim, check_choice, settle_ints

from .groups import MODES
from .inner import Inner
from .nested import best_within
from .solve import assign

__all__ = ["Wreath", "WreathElement"]


def _inner(inner) -> tuple[Inner, ...]:
    sets = (inner,) if isinstance(inner, Inner) else tuple(inner)
    if not sets or not all(isinstance(one, Inner) for one in sets):
        raise ValueError(f"inner={inner!r} holds no sets of channels; use Inner(kind, size), or a sequence of them")
    return sets


@dataclass(frozen=True, eq=False)
class WreathElement:
    r"""An element of :class:`Wreath`: permute the units, then act inside each.

    .. math:: (g x)_{i} = \bigl(Q^{1}_i\, x^{1}_{\pi(i)},\; Q^{2}_i\, x^{2}_{\pi(i)}, \dots\bigr)

    Parameters
    ----------
    permutation : Tensor
        Shape ``(G,)``, integers: the unit that moves to place i.
    inner : Inner or sequence of Inner
        The sets of channels of a unit, in their order.
    matrices : sequence of Tensor
        For each set that is not ``fixed``, shape ``(G, k, k)``; kept in float64.

    Raises
    ------
    ValueError
        No permutation, or matrices that do not belong to their group to 1e-6.

    Examples
    --------
    >>> group = Wreath(3, (Inner("fixed"), Inner("signed", 3)))
    >>> g = group.random(torch.Generator().manual_seed(0))
    >>> g.compose(g.inverse()).is_identity()
    True
    """

    permutation: Tensor
    inner: tuple[Inner, ...]
    matrices: tuple[Tensor, ...] = ()

    def __post_init__(self):
        permutation = torch.as_tensor(self.permutation, dtype=torch.long)
        inner = _inner(self.inner)
        matrices = tuple(torch.as_tensor(one, dtype=torch.float64) for one in self.matrices)
        if permutation.dim() != 1 or not torch.equal(permutation.sort().values, torch.arange(len(permutation))):
            raise ValueError(f"{permutation.tolist()} is no permutation; use each of 0..G-1 once, shape (G,)")
        moving = [one for one in inner if one.kind != "fixed"]
        wanted = [(len(permutation), one.size, one.size) for one in moving]
        if [tuple(one.shape) for one in matrices] != wanted:
            shapes = [tuple(one.shape) for one in matrices]
            raise ValueError(f"matrices of shapes {shapes}; use {wanted}, one a unit for each set that is not fixed")
        for one, values in zip(moving, matrices, strict=True):
            one.check(values)
        object.__setattr__(self, "permutation", permutation)
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "matrices", matrices)

    @property
    def num_groups(self) -> int:
        """Number of units G."""
        return len(self.permutation)

    @property
    def dim(self) -> int:
        """Channels of a unit."""
        return sum(one.size for one in self.inner)

    @property
    def exact(self) -> bool:
        """Whether entries only change places and signs, so that no dtype rounds them."""
        return not any(one.turns for one in self.inner)

    def sets(self) -> list[tuple[Inner, Tensor | None]]:
        """Each set with its matrices; None for those that are fixed."""
        matrices = iter(self.matrices)
        return [(one, None if one.kind == "fixed" else next(matrices)) for one in self.inner]

    def apply(
        self, x: Tensor, channel_dim: int = 1, *, sets: Sequence[int] | None = None, even: bool = False
    ) -> Tensor:
        """Act on the channels of ``x``; computed in float64 and returned in the dtype of ``x``.

        Parameters
        ----------
        x : Tensor
        channel_dim : int
        sets : sequence of int, optional
            The sets that ``x`` has channels of; all by default.
        even : bool
            Without signs, as a variance moves.
        """
        axis = check_channel_dim(x, channel_dim)
        chosen = self.sets() if sets is None else [self.sets()[index] for index in sets]
        sizes = [one.size for one, _ in chosen]
        if x.shape[axis] != self.num_groups * sum(sizes):
            raise ValueError(
                f"{x.shape[axis]} channels on axis {axis} of shape {tuple(x.shape)}; an element of "
                f"{self.num_groups} units of {sum(sizes)} channels acts on {self.num_groups * sum(sizes)}"
            )
        wide = x if self.exact else x.double()
        last = wide.movedim(axis, -1).unflatten(-1, (self.num_groups, sum(sizes)))
        moved = last.index_select(-2, self.permutation.to(x.device)).split(sizes, -1)
        acted = [_act(one, matrices, part, even) for (one, matrices), part in zip(chosen, moved, strict=True)]
        return torch.cat(acted, -1).flatten(-2).to(x.dtype).movedim(-1, axis)

    def apply_sets(self, x: Tensor, sets: Sequence[int], *, even: bool = False) -> Tensor:
        r"""Act on products of channels, :math:`y_i = (Q^1_i \otimes Q^2_i)\, x_{\pi(i)}`, in float64.

        Parameters
        ----------
        x : Tensor
            Shape ``(G, k, ..., D)``, with one axis for each of the sets; its dtype is kept.
        sets : sequence of int
            Sets of channels, by their places.
        even : bool
            Without signs.

        Examples
        --------
        >>> group = Wreath(1, (Inner("permutation", 2), Inner("signed")))
        >>> swap = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        >>> g = WreathElement(torch.tensor([0]), group.inner, (swap, -torch.ones(1, 1, 1)))
        >>> g.apply_sets(torch.tensor([[[[2.0]], [[3.0]]]]), (0, 1)).flatten()
        tensor([-3., -2.])
        """
        wide = x if self.exact else x.double()
        moved = wide.index_select(0, self.permutation.to(x.device))
        for axis, place in enumerate(sets, 1):
            inner, matrices = self.sets()[place]
            last = moved.movedim((0, axis), (-2, -1))
            moved = _act(inner, matrices, last, even).movedim((-2, -1), (0, axis))
        return moved.to(x.dtype)

    def compose(self, other: WreathElement) -> WreathElement:
        """The element that acts as ``other`` first, then as ``self``."""
        if (self.num_groups, self.inner) != (other.num_groups, other.inner):
            raise ValueError(
                f"elements of {self.num_groups} units of {self.inner} and {other.num_groups} of {other.inner} "
                "do not compose; take them from one group"
            )
        places = self.permutation
        products = []
        for one, mine in self.sets():
            if mine is not None:
                before = other.matrices[len(products)][places]
                # The columns of what acted before, as channels: no product of matrices where these only permute.
                products.append(_act(one, mine, before.permute(2, 0, 1), False).permute(1, 2, 0))
        return WreathElement(other.permutation[places], self.inner, tuple(products))

    __matmul__ = compose

    def inverse(self) -> WreathElement:
        """The element that undoes this one."""
        places = self.permutation.argsort()
        return WreathElement(places, self.inner, tuple(one[places].mT for one in self.matrices))

    def is_identity(self, tol: float = 1e-9) -> bool:
        """Whether this is the neutral element to ``tol``."""
        eyes = (torch.eye(one.shape[-1], dtype=torch.float64) for one in self.matrices)
        close = all((one - eye).abs().le(tol).all() for one, eye in zip(self.matrices, eyes, strict=True))
        return close and torch.equal(self.permutation, torch.arange(self.num_groups))

    def as_matrix(self) -> Tensor:
        """The ``(C, C)`` float64 matrix M with ``apply(x) = M x``."""
        return self.apply(torch.eye(self.num_groups * self.dim, dtype=torch.float64), -1).T.contiguous()


def _act(inner: Inner, matrices: Tensor | None, x: Tensor, even: bool) -> Tensor:
    """Matrices ``(G, k, k)`` on the channels of ``(..., G, k)``."""
    if inner.acting == "fixed":
        return x
    matrices = matrices.to(x.device)
    if inner.turns:
        if even:
            raise ValueError(f"what does not see signs cannot follow {inner}, whose maps mix channels")
        return torch.einsum("gij,...gj->...gi", matrices, x)
    order = matrices.abs().argmax(-1) + inner.size * torch.arange(len(matrices), device=x.device)[:, None]
    moved = x.flatten(-2).index_select(-1, order.flatten()).view(x.shape)
    return moved if even or inner.acting == "permutation" else moved * matrices.sum(-1).to(moved.dtype)


@dataclass(frozen=True)
class Wreath:
    r"""The wreath product :math:`(H_1 \times H_2 \times \dots) \wr \mathrm{Perm}(G)`: what a layer leaves.

    G units change places; in each of them every set of channels has a group of its own.
    Channels are ordered unit by unit, and in a unit as the sets are.

    Parameters
    ----------
    groups : int
        Number of units G.
    inner : Inner or sequence of Inner
        The sets of channels of a unit.
    exchange : bool
        False: units stay where they are.

    Notes
    -----
    Sorted by what leaves them, for C channels:

    ======================================  ==========================================================
    pointwise units                         ``Wreath(C, Inner("fixed"))``
    odd pointwise units, such as tanh       ``Wreath(C, Inner("signed"))``
    G cones of dimension S                  ``Wreath(G, (Inner("fixed"), Inner("orthogonal", S - 1)))``
    cones beside a BatchNorm                ``Wreath(G, (Inner("fixed"), Inner("signed", S - 1)))``
    GroupNorm, its scales folded            ``Wreath(G, Inner("permutation", C // G))``
    GroupNorm, units that stay              ``Wreath(G, Inner("permutation", C // G), exchange=False)``
    H attention heads                       ``Wreath(H, (Inner("orthogonal", d), Inner("orthogonal", d)))``
    K keys and values, Q query heads each   ``Wreath(K, (*(Inner("orthogonal", d),) * 2, Inner("permutation", Q)))``
    a grouped convolution, c to d channels  ``Wreath(G, (Inner("permutation", c), Inner("permutation", d)))``
    a residual stream with RMSNorm          ``Wreath(1, Inner("orthogonal", C))``
    a residual stream with LayerNorm        ``Wreath(1, Inner("mean", C))``
    ======================================  ==========================================================

    Query heads stand on no axis of their own: the rows of a head move as it does and as the channels of its key do,
    see ``of`` of :class:`colu.fusion.Part`.
    Permutations with signs of C channels are also ``Wreath(1, Inner("signed", C))``, with one matrix for all.

    Examples
    --------
    >>> group = Wreath(2, (Inner("fixed"), Inner("signed", 2)))
    >>> group.act(group.identity(), torch.arange(6.0), 0)
    tensor([0., 1., 2., 3., 4., 5.])
    >>> found = group.solve(torch.diag(torch.tensor([1.0, -2.0, 3.0, 1.0, 1.0, -1.0])))
    >>> found.as_matrix().diagonal()
    tensor([ 1., -1.,  1.,  1.,  1., -1.], dtype=torch.float64)
    """

    groups: int
    inner: tuple[Inner, ...]
    exchange: bool = True

    def __post_init__(self):
        settle_ints(self, groups=1)
        object.__setattr__(self, "inner", _inner(self.inner))

    @property
    def dim(self) -> int:
        """Channels of a unit."""
        return sum(one.size for one in self.inner)

    @property
    def size(self) -> int:
        """Channels."""
        return self.groups * self.dim

    @property
    def rows(self) -> int:
        """How many samples determine an element."""
        return max(one.rows for one in self.inner)

    @property
    def signed(self) -> bool:
        """Whether elements hold signs, or mix channels."""
        return any(one.acting in ("signed", "orthogonal", "mean") for one in self.inner)

    def _element(self, permutation: Tensor, make) -> WreathElement:
        """An element with what ``make`` gives for each set that is not fixed, and its place among the sets."""
        matrices = tuple(make(place, one) for place, one in enumerate(self.inner) if one.kind != "fixed")
        return WreathElement(permutation, self.inner, matrices)

    def identity(self) -> WreathElement:
        """The neutral element."""
        return self._element(torch.arange(self.groups), lambda _, one: one.identity(self.groups))

    def random(self, generator: torch.Generator | None = None) -> WreathElement:
        """A uniform element; from a generator on the CPU."""
        permutation = torch.arange(self.groups)
        if self.exchange:
            permutation = torch.randperm(self.groups, generator=generator)
        return self._element(permutation, lambda _, one: one.random(self.groups, generator))

    def check(self, element: WreathElement) -> None:
        """Raise ``ValueError`` unless an element belongs to this group."""
        found = (getattr(element, "num_groups", None), getattr(element, "inner", None))
        if found != (self.groups, self.inner):
            raise ValueError(
                f"an element of {found[0]} units of {found[1]} cannot act for {self}; "
                "take elements from the same specification"
            )
        if not self.exchange and not torch.equal(element.permutation, torch.arange(self.groups)):
            raise ValueError(f"an element that moves units cannot act for {self}; use exchange=True where units may")

    def act(self, element: WreathElement, x: Tensor, axis: int) -> Tensor:
        """The element on one axis of ``x``, in float64; the dtype of ``x`` is kept."""
        self.check(element)
        return element.apply(x, axis)

    def solve(
        self, covariance: Tensor, mode: str = "conic", *, even: Tensor | None = None, products: Sequence[tuple] = ()
    ) -> WreathElement:
        r"""The element :math:`g` that maximises :math:`\langle g, M\rangle`, a global optimum of this layer.

        Without products, for each pair of units every set has an optimum of its own: its trace where it is fixed, an
        assignment for permutations, an assignment on :math:`|M|` for signs, the nuclear norm for O(k), and for maps
        that fix the ones the entry of their direction and the nuclear norm beside it.
        An assignment over units takes the best pairs. What is equally good is decided towards the identity.

        Parameters
        ----------
        covariance : Tensor
            M, shape ``(C, C)``: rows belong to the model that stays, columns to the one that moves.
        mode : {"naive", "permutation", "conic"}
            Nothing; units, and what permutes inside them; the whole group.
            If the group is one set of one unit, ``permutation`` means the permutations of its channels.
        even : Tensor, optional
            Shape ``(C, C)``, of entries that do not see signs: adds :math:`\langle |g|, P\rangle`.
        products : sequence of (sets, Tensor, Tensor)
            Entries that belong to channels of two sets at once, of the model that stays and of the one that moves, both
            of shape ``(G, k, l, D)`` (``(G, k, D)`` for one set): adds their inner product after the moves. The
            optimum over units then holds one over the sets of each pair of them: a global one where a set of at most
            four channels that change places is in every product, else the end of an ascent.

        Raises
        ------
        ValueError
            A covariance that holds NaN or infinity.

        Notes
        -----
        :math:`O(G^2 k^3)` for each set, unless it is fixed, and :math:`O(G^3)` for the units.
        A single unit, and units that stay, need :math:`O(G k^3)`.
        Products of sets of k and l channels add :math:`O(G^2 k l (k + l) D)` for each turn of the ascent.
        Measured, in seconds on one thread of a shared server: 0.6 for 32 heads of two sets of 64; 0.1 for 512 cones
        of four and 0.2 for 128 of sixteen, with signs; for one set of 4096 channels 3 with permutations, signed or
        not, and 47 with orthogonal maps (7 at 2048).
        """
        check_choice("mode", mode, MODES)
        if mode == "naive":
            return self.identity()
        given = [one.detach().double().cpu() for one in (covariance, even) if one is not None]
        products = [(pair, *(one.detach().double().cpu() for one in rows)) for pair, *rows in products]
        given += [one for _, *rows in products for one in rows]
        if not all(torch.isfinite(one).all() for one in given):
            raise ValueError("the covariance holds NaN or infinity; check the weights and the samples")
        sets = self._within(mode)
        blocks = self._blocks(given[0])
        evens = [None] * len(sets) if even is None else self._blocks(given[1])
        if products:
            return self._nested(sets, blocks, evens, products)
        permutation = places = torch.arange(self.groups)
        if self.exchange and self.groups > 1:
            gains = sum(one.gain(*pair) for one, *pair in zip(sets, blocks, evens, strict=True))
            permutation = assign(gains)

        def best(place: int, one: Inner) -> Tensor:
            pair = [x if x is None else x[places, permutation] for x in (blocks[place], evens[place])]
            return sets[place].best(*pair)

        return self._element(permutation, best)

    def _nested(self, sets, blocks, evens, products) -> WreathElement:
        """The optimum of each pair of units, and of these the best pairs."""
        count, moves = self.groups, self.exchange and self.groups > 1
        gains, found = [], []
        for unit in range(count):
            # One unit with all others: what belongs to all pairs at once would be too much.
            others = torch.arange(count) if moves else torch.tensor([unit])
            here = [None if one is None else one[unit, others] for one in (*blocks, *evens)]
            linear, signless, pairs = here[: len(sets)], here[len(sets) :], {}
            for places, stays, moving in products:
                if len(places) == 1:
                    linear[places[0]] = linear[places[0]] + torch.einsum("rd,nsd->nrs", stays[unit], moving[others])
                else:
                    pairs.setdefault(places, []).append((stays[unit], moving[others]))
            joined = {key: [torch.cat(rows, -1) for rows in zip(*some, strict=True)] for key, some in pairs.items()}
            gain, best = best_within(sets, linear, signless, joined)
            gains.append(gain)
            found.append(best)
        permutation = places = torch.arange(count)
        if moves:
            permutation = assign(torch.stack(gains))
        chosen = permutation if moves else torch.zeros_like(places)

        def best_of(place: int, one: Inner) -> Tensor:
            return torch.stack([found[unit][place][int(chosen[unit])] for unit in range(count)])

        return self._element(permutation, best_of)

    def _within(self, mode: str) -> list[Inner]:
        """The sets with what a mode lets act in them."""
        if mode == "conic":
            return list(self.inner)
        alone = self.groups == len(self.inner) == 1 and self.inner[0].kind != "fixed"
        kinds = ["permutation" if alone or one.kind == "permutation" else "fixed" for one in self.inner]
        return [Inner(kind, one.size) for kind, one in zip(kinds, self.inner, strict=True)]

    def _blocks(self, covariance: Tensor) -> list[Tensor]:
        """The blocks ``(G, G, k, k)`` of each set."""
        pairs = covariance.unflatten(0, (self.groups, self.dim)).unflatten(-1, (self.groups, self.dim))
        pairs, start, found = pairs.permute(0, 2, 1, 3), 0, []
        for one in self.inner:
            found.append(pairs[..., start : start + one.size, start : start + one.size])
            start += one.size
        return found
