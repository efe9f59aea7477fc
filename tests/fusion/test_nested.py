"""Sets whose channels are factors of the same entries: solved as well as by trying everything."""

import itertools

import pytest
import torch

from colu.fusion import Inner, Wreath
from colu.fusion.nested import best_within


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def orders(size, signs=(1.0,)):
    for order in itertools.permutations(range(size)):
        for sign in itertools.product(signs, repeat=size):
            yield torch.diag(torch.tensor(sign).double())[:, list(order)]


def turns(num=720):
    angles = torch.arange(num).double() * 2 * torch.pi / num
    cos, sin = angles.cos(), angles.sin()
    plain = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    return torch.cat([plain, plain * torch.tensor([1.0, -1.0]).double()])


def candidates(one):
    if one.kind == "orthogonal":
        return turns()
    return torch.stack(list(orders(one.size, (1.0, -1.0) if one.kind == "signed" else (1.0,))))


PAIRS = {
    "a grouped convolution": (Inner("permutation", 3), Inner("permutation", 3)),
    "with signs": (Inner("permutation", 3), Inner("signed", 2)),
    "query heads": (Inner("permutation", 3), Inner("orthogonal", 2)),
    "one head": (Inner("fixed"), Inner("orthogonal", 2)),
}


# Fewer numbers to an entry than there are entries, and more: two forms of the same products.
@pytest.mark.parametrize("size, seed", [(2, 0), (2, 1), (20, 2), (20, 3)])
@pytest.mark.parametrize("inner", PAIRS.values(), ids=PAIRS)
def test_a_pair_is_solved_as_well_as_by_trying_all_elements(inner, size, seed):
    k, m = (one.size for one in inner)
    blocks = [normal(1, n, n, seed=seed + place) for place, n in enumerate((k, m))]
    rows = normal(k, m, size, seed=seed + 10), normal(1, k, m, size, seed=seed + 20)
    table = torch.einsum("abx,ncdx->nacbd", *rows)
    first, second = (candidates(one) if one.kind != "fixed" else torch.eye(one.size)[None].double() for one in inner)
    values = torch.einsum("abcd,iab,jcd->ij", table[0], first, second)
    values += (first * blocks[0]).sum((1, 2))[:, None] + (second * blocks[1]).sum((1, 2))
    gain, found = best_within(inner, blocks, [None, None], {(0, 1): rows})
    reached = torch.einsum("nabcd,nab,ncd->n", table, *found)
    reached += sum((one * block).sum() for one, block in zip(found, blocks, strict=True))
    assert gain.item() == pytest.approx(reached.item(), abs=1e-12)
    # A quarter of a degree beside the optimum costs at most 1e-5 of it.
    slack = 1e-3 if inner[1].turns else 1e-12
    assert values.max() - 1e-12 <= gain.item() <= values.max() + slack


@pytest.mark.parametrize("inner, pairs", [
    ((Inner("permutation", 3), Inner("orthogonal", 2), Inner("signed")), [(0, 1), (0, 2)]),
    ((Inner("permutation", 2), Inner("permutation", 2), Inner("permutation", 3)), [(0, 1), (1, 2)]),
], ids=str)  # fmt: skip
def test_whole_groups_of_two_products_are_solved_by_trying_all_elements(inner, pairs):
    group, rows = Wreath(2, inner), []
    for number, pair in enumerate(pairs):
        shape = (2, *(inner[place].size for place in pair), 4)
        rows.append((pair, normal(*shape, seed=number), normal(*shape, seed=number + 5)))
    matrix = normal(group.size, group.size, seed=9)

    def value(element):
        linear = (element.as_matrix() * matrix).sum()
        return linear + sum((one * element.apply_sets(other, pair)).sum() for pair, one, other in rows)

    found = value(group.solve(matrix, products=rows)).item()
    # What stands between a pair of units, over all elements of it.
    tables = torch.full((2, 2), -float("inf")).double()
    for i, j in itertools.product(range(2), repeat=2):
        for some in itertools.product(*(candidates(one) for one in inner)):
            total, start = 0.0, 0
            for place, one in enumerate(inner):
                at = [slice(group.dim * n + start, group.dim * n + start + one.size) for n in (i, j)]
                total += (some[place] * matrix[at[0], at[1]]).sum()
                start += one.size
            for (s, t), stays, moving in rows:
                total += (stays[i] * torch.einsum("ab,cd,bdx->acx", some[s], some[t], moving[j])).sum()
            tables[i, j] = max(tables[i, j], total)
    best = max(tables.diagonal().sum(), tables[0, 1] + tables[1, 0]).item()
    assert best - 1e-10 <= found <= best + (1e-3 if any(one.turns for one in inner) else 1e-10)
    for seed in range(200):
        assert value(group.random(torch.Generator().manual_seed(seed))) <= found + 1e-10


def test_larger_sets_are_improved_in_turns_and_never_fall_below_the_identity():
    inner = (Inner("permutation", 6), Inner("permutation", 6))
    blocks = [normal(8, 6, 6, seed=place) for place in range(2)]
    rows = normal(6, 6, 3, seed=2), normal(8, 6, 6, 3, seed=3)
    table = torch.einsum("abx,ncdx->nacbd", *rows)
    gain, found = best_within(inner, blocks, [None, None], {(0, 1): rows})
    still = [one.identity(8) for one in inner]
    values = torch.einsum("nabcd,nab,ncd->n", table, *still) + sum(
        (one * block).sum((1, 2)) for one, block in zip(still, blocks, strict=True)
    )
    assert (gain >= values).all()
    # No exchange of two channels of either set is better.
    for place, (a, b) in itertools.product(range(2), itertools.combinations(range(6), 2)):
        order = list(range(6))
        order[a], order[b] = b, a
        tried = [one[:, order] if k == place else one for k, one in enumerate(found)]
        value = torch.einsum("nabcd,nab,ncd->n", table, *tried)
        value += sum((one * block).sum((1, 2)) for one, block in zip(tried, blocks, strict=True))
        assert (value <= gain + 1e-10).all()


def test_what_is_equally_good_stays():
    inner = (Inner("permutation", 3), Inner("orthogonal", 2))
    zeros = [torch.zeros(2, 3, 3).double(), torch.zeros(2, 2, 2).double()]
    rows = torch.ones(3, 2, 4).double(), torch.zeros(2, 3, 2, 4).double()
    gain, found = best_within(inner, zeros, [None, None], {(0, 1): rows})
    assert not gain.any() and all(torch.equal(one, other.identity(2)) for one, other in zip(found, inner, strict=True))
