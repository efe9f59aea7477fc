"""Products of atoms hold between their classes, or their copies stay in order."""

import numpy as np
import torch

from colu.fusion.tracing.atoms import Atoms, components
from colu.fusion.tracing.copies import copied, paired
from colu.fusion.tracing.factors import factors_of


def shared(keys=2):
    """Two query heads for each key, of three channels, and values of two."""
    atoms = Atoms()
    queries, partners, values = (atoms.new(n).view(-1, k) for n, k in ((6 * keys, 3), (3 * keys, 3), (2 * keys, 2)))
    rows = copied(atoms, queries, partners.repeat_interleave(2, 0), "queries and keys")
    made = paired(atoms, rows[:, None].expand(-1, 2), values.repeat_interleave(2, 0), "weights and values")
    return atoms, queries, partners, made


def found(atoms, *pairs):
    joined = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return factors_of(atoms, components(joined, atoms.count)[1])


def test_products_that_hold():
    atoms, *_ = shared()
    factors = found(atoms)
    assert len(factors.table) == 12 + 8 and len(factors.copies) == 4
    assert not len(factors.broken) and not factors.ordered
    child, copy, channel = factors.table[0].tolist()
    assert factors.get(child) == (copy, channel) and factors.get(copy) == (copy,)


def test_one_that_does_not_hold_keeps_all_copies_of_its_unit_in_order():
    atoms, queries, _, made = shared()
    # The first query channel has another product too: it is one with a channel of the second head.
    factors = found(atoms, (int(queries[0, 0]), int(queries[1, 1])))
    assert len(factors.table) == 6 + 4 and len(factors.broken) == 6 + 4
    ((first, second),) = (one.tolist() for one in factors.ordered)
    assert atoms.copies[first] == atoms.copies[second]
    assert set(factors.broken[:, 0].tolist()) == {*queries[:2].flatten().tolist(), *made[:2].flatten().tolist()}


def test_a_factor_and_what_a_unit_holds_are_no_products():
    atoms, queries, partners, _ = shared(keys=1)
    assert not len(found(atoms, (int(queries[0, 0]), int(partners[0, 0]))).table)
    atoms.hold(queries[0], atoms.new(1), "a norm of each head")
    assert not len(found(atoms).table)


def test_without_copies_there_is_nothing():
    factors = found(Atoms())
    assert factors.table.shape == (0, 3) and torch.equal(torch.tensor(factors.get(7)), torch.tensor((7,)))
