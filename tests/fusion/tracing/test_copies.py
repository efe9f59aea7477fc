"""Rows that share their partners are copies; what they make of shared channels is another thing for each pair."""

import torch

from colu.fusion.tracing.atoms import Atoms
from colu.fusion.tracing.copies import copied, paired


def heads(atoms, keys=2, share=2, size=3):
    queries, keys = atoms.new(keys * share * size).view(-1, size), atoms.new(keys * size).view(-1, size)
    return queries, keys.repeat_interleave(share, 0)


def test_queries_of_one_key_are_copies_of_it():
    atoms = Atoms()
    queries, keys = heads(atoms)
    # Each sample has the same rows.
    rows = copied(atoms, queries.repeat(2, 1), keys.repeat(2, 1), "product")
    assert rows.tolist() == rows[:4].tolist() * 2 and len(set(rows.tolist())) == 4
    units = [atoms.copies[row] for row in rows[:4].tolist()]
    assert units[0] == units[1] != units[2] == units[3]
    ((child, copy, channel),) = atoms.products
    assert sorted(child.tolist()) == sorted(queries.flatten().tolist())
    for one, row, key in zip(child.tolist(), copy.tolist(), channel.tolist(), strict=True):
        (head, place), = (queries == one).nonzero().tolist()
        assert (rows[head], keys[head, place]) == (row, key)
    # Whichever factor comes first.
    assert len(set(copied(Atoms(), keys, queries, "product").tolist())) == 4
    assert not atoms.same


def test_rows_of_their_own_and_rows_that_mix_are_no_copies():
    atoms = Atoms()
    queries, keys = heads(atoms, keys=4, share=1)
    assert copied(atoms, queries, keys, "product") is None
    queries, keys = heads(atoms)
    assert copied(atoms, torch.cat([queries[:1], queries]), torch.cat([keys[2:3], keys]), "two keys") is None
    assert copied(atoms, torch.cat([queries[:, :2], queries[:, :1]], 1), keys, "one channel at two places") is None
    assert copied(atoms, queries * (queries > queries[0, 0]), keys, "a constant") is None
    assert not atoms.products and not atoms.units


def test_values_are_shared_as_keys_are():
    atoms = Atoms()
    rows = copied(atoms, *heads(atoms), "product")
    values = atoms.new(10).view(2, 5)
    places = rows.view(4, 1, 1).expand(4, 7, 5), values.repeat_interleave(2, 0).view(4, 1, 5).expand(4, 7, 5)
    for one, other in (places, places[::-1]):
        made = paired(atoms, one, other, "sum")
        assert made.shape == (4, 7, 5) and len(torch.unique(made)) == 20 and made.stride(1) == 0
        child, copy, channel = atoms.products[-1]
        assert set(zip(copy.tolist(), channel.tolist(), strict=True)) == {
            (int(rows[head]), int(values[head // 2, place])) for head in range(4) for place in range(5)
        }
        assert len(child) == 20
    # Channels of the other key, of one head alone, and rows that are no copies.
    assert paired(atoms, places[0], values.repeat(2, 1).view(4, 1, 5).expand(4, 7, 5), "crossed") is None
    assert paired(atoms, places[0][:1], places[1][:1], "one head of two") is not None
    assert paired(atoms, atoms.new(4).view(4, 1, 1).expand(4, 7, 5), places[1], "no copies") is None
