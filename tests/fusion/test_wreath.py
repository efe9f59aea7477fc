"""Units and what acts inside them: a group, solved to the optimum, and no larger than it says."""

import itertools
import time

import pytest
import torch
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Inner,
    Orthogonal,
    Permutation,
    Spec,
    Vectors,
    Wreath,
    WreathElement,
    apply,
    assert_invariant_under,
    invariance_error,
    match_weights,
)
from colu.fusion.inner import KINDS
from colu.geometry import sample_orthogonal
from colu.testing import assert_equivariant, assert_not_equivariant, assert_preserves

GROUPS = {
    "pointwise": Wreath(5, Inner("fixed")),
    "odd": Wreath(5, Inner("signed")),
    "odd, one matrix": Wreath(1, Inner("signed", 5)),
    "cones": Wreath(3, (Inner("fixed"), Inner("orthogonal", 3))),
    "signed cones": Wreath(3, (Inner("fixed"), Inner("signed", 3))),
    "group norm": Wreath(3, Inner("permutation", 4)),
    "group norm, units stay": Wreath(3, Inner("permutation", 4), exchange=False),
    "heads": Wreath(4, (Inner("orthogonal", 3), Inner("orthogonal", 2))),
    "root mean squares": Wreath(1, Inner("orthogonal", 6)),
    "layer norm": Wreath(1, Inner("mean", 6)),
    "means of units": Wreath(3, Inner("mean", 3)),
    "all": Wreath(2, tuple(Inner(kind, 3) for kind in KINDS)),
    "large sets": Wreath(2, (Inner("signed", 6), Inner("permutation", 7))),
    "single channels": Wreath(3, tuple(Inner(kind) for kind in KINDS)),
}


@pytest.fixture(params=GROUPS)
def group(request):
    return GROUPS[request.param]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def value(element, matrix):
    return (element.as_matrix() * matrix).sum().item()


def test_elements_are_a_group_of_orthogonal_maps(group):
    f, g, h = (group.random(generator(seed)) for seed in (1, 2, 3))
    x = normal(4, group.size, 2, seed=5)
    matrix = g.as_matrix()
    assert torch.allclose(matrix @ matrix.T, torch.eye(group.size).double(), atol=1e-12)
    assert torch.allclose(group.act(g, x, 1), torch.einsum("ij,bjk->bik", matrix, x), atol=1e-12)
    assert torch.allclose(group.act(g @ h, x, 1), group.act(g, group.act(h, x, 1), 1), atol=1e-12)
    assert torch.allclose(((f @ g) @ h).as_matrix(), (f @ (g @ h)).as_matrix(), atol=1e-12)
    assert torch.allclose(group.act(g.inverse(), group.act(g, x, -2), -2), x, atol=1e-12)
    assert g.compose(g.inverse()).is_identity() and g.inverse().compose(g).is_identity()
    assert group.identity().is_identity() and not g.is_identity()
    assert torch.equal(group.act(group.identity(), x, 1), x)
    assert_preserves(g.apply, lambda y: y.norm(dim=1), x)


def test_random_elements_follow_their_generator(group):
    one, same, other = (group.random(generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.as_matrix(), same.as_matrix())
    assert not torch.allclose(one.as_matrix(), other.as_matrix())


def test_inner_groups_are_what_their_names_say(group):
    """Each kind is the group of a map on its set; the map beside it has a smaller one."""
    maps = {
        "permutation": torch.relu,
        "signed": torch.tanh,
        "orthogonal": lambda y: y * y.square().sum(1, keepdim=True),
        "mean": lambda y: (y - y.mean(1, keepdim=True)) / (y - y.mean(1, keepdim=True)).norm(dim=1, keepdim=True),
    }
    wider = {"permutation": "signed", "signed": "orthogonal", "mean": "orthogonal"}
    for kind in maps:
        x = normal(7, 4, seed=6)
        assert_equivariant(maps[kind], Wreath(1, Inner(kind, 4)).random(generator(2)), x, tol=1e-12)
        if kind in wider:
            assert_not_equivariant(maps[kind], Wreath(1, Inner(wider[kind], 4)).random(generator(2)), x)


def signed_permutations(size, signs=(1.0, -1.0)):
    for order in itertools.permutations(range(size)):
        for sign in itertools.product(signs, repeat=size):
            yield torch.diag(torch.tensor(sign).double())[:, list(order)]


def candidates(inner):
    """All matrices of a finite inner group; a grid of a degree, both components, of O(2)."""
    if inner.kind == "fixed":
        return torch.eye(inner.size).double()[None]
    if inner.kind in ("permutation", "signed"):
        signs = (1.0, -1.0) if inner.kind == "signed" else (1.0,)
        return torch.stack(list(signed_permutations(inner.size, signs)))
    if inner.size == 1:
        return torch.tensor([[[1.0]], [[-1.0]]]).double()[: 1 + (inner.kind == "orthogonal")]
    angles = torch.arange(0, 360, 1).double().deg2rad()
    cos, sin = angles.cos(), angles.sin()
    turns = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    turns = torch.cat([turns, turns * torch.tensor([1.0, -1.0])])
    if inner.kind == "orthogonal":
        return turns
    # O(2) beside the ones of three channels.
    basis = torch.tensor([[1.0, -1, 0], [1, 1, -2]]).double()
    basis = basis / basis.norm(dim=1, keepdim=True)
    return basis.T @ turns @ basis + torch.full((3, 3), 1 / 3).double()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("inner", [
    (Inner("fixed", 2),), (Inner("fixed"), Inner("permutation", 3)), (Inner("fixed"), Inner("signed", 3)),
    (Inner("signed"), Inner("orthogonal"), Inner("mean")), (Inner("orthogonal", 2), Inner("fixed")),
    (Inner("mean", 3),), (Inner("permutation", 5),), (Inner("signed", 2), Inner("orthogonal", 2)),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("exchange", [True, False])
def test_one_layer_is_solved_as_well_as_by_trying_all_elements(inner, exchange, seed):
    group = Wreath(3, inner, exchange)
    matrix, even = normal(group.size, group.size, seed=seed), normal(group.size, group.size, seed=seed + 50)
    for given in ({},) if any(one.turns for one in inner) else ({}, {"even": even}):
        best, tables = -float("inf"), torch.zeros(3, 3, dtype=torch.float64)
        for i, j in itertools.product(range(3), repeat=2):
            start = 0
            for one in inner:
                rows, columns = (slice(group.dim * n + start, group.dim * n + start + one.size) for n in (i, j))
                tried = candidates(one)
                found = (tried * matrix[rows, columns]).sum((-2, -1))
                if "even" in given:
                    found = found + (tried.abs() * even[rows, columns]).sum((-2, -1))
                tables[i, j] += found.max()
                start += one.size
        for order in itertools.permutations(range(3)) if exchange else [(0, 1, 2)]:
            best = max(best, sum(tables[i, j] for i, j in enumerate(order)).item())
        element = group.solve(matrix, **given)
        reached = value(element, matrix)
        if "even" in given:
            reached += (element.as_matrix().abs() * even).sum().item()
        # Half a degree beside the optimum costs at most 4e-5 of it.
        slack = 1e-3 if any(one.turns for one in inner) else 1e-12
        assert best - 1e-10 <= reached <= best + slack


def test_no_random_element_is_better(group):
    matrix = normal(group.size, group.size, seed=4)
    found = value(group.solve(matrix), matrix)
    assert found >= value(group.solve(matrix, "permutation"), matrix) - 1e-12
    assert found >= value(group.identity(), matrix)
    for seed in range(300):
        assert value(group.random(generator(seed)), matrix) <= found + 1e-12


def test_a_planted_element_is_found_under_noise(group):
    truth = group.random(generator(7))
    samples = normal(group.size, 400, seed=8)
    noisy = group.act(truth, samples, 0) + 0.3 * normal(group.size, 400, seed=9)
    found = group.solve(noisy @ samples.T)
    assert torch.equal(found.permutation, truth.permutation)
    assert (found.as_matrix() - truth.as_matrix()).norm() < 0.15 * truth.as_matrix().norm()
    if not any(one.turns for one in group.inner):
        assert torch.equal(found.as_matrix(), truth.as_matrix())
    exact = group.solve(group.act(truth, samples, 0) @ samples.T)
    assert torch.allclose(exact.as_matrix(), truth.as_matrix(), atol=1e-9)


def small_turns(group, scale, seed):
    """An element near the identity, in each set whose maps mix channels."""
    matrices = list(group.identity().matrices)
    for place, one in enumerate(one for one in group.inner if one.kind != "fixed"):
        if one.turns:
            slope = scale * normal(group.groups, one.size, one.size, seed=seed + place)
            if one.kind == "mean":
                slope = slope - slope.mean(1, keepdim=True)
                slope = slope - slope.mean(2, keepdim=True)
            matrices[place] = torch.matrix_exp(slope - slope.mT)
    return WreathElement(torch.arange(group.groups), group.inner, tuple(matrices))


@pytest.mark.parametrize("name", ["cones", "heads", "root mean squares", "layer norm", "means of units", "all"])
def test_no_turn_from_the_best_element_is_better(name):
    group = GROUPS[name]
    matrix = normal(group.size, group.size, seed=4)
    best = group.solve(matrix)
    for scale, seed in itertools.product((1e-4, 1e-2, 0.3), range(20)):
        turned = small_turns(group, scale, seed) @ best
        assert value(turned, matrix) < value(best, matrix) + 1e-12
        # Second order: an optimum loses a share that falls with the square of the turn.
        assert value(best, matrix) - value(turned, matrix) < 200 * scale**2 * matrix.norm()


@pytest.mark.parametrize("small, large", [
    (Wreath(2, Inner("fixed", 3)), Wreath(2, Inner("permutation", 3))),
    (Wreath(2, Inner("permutation", 3)), Wreath(2, Inner("signed", 3))),
    (Wreath(2, Inner("permutation", 3)), Wreath(1, Inner("permutation", 6))),
    (Wreath(3, Inner("permutation", 2), exchange=False), Wreath(3, Inner("permutation", 2))),
    (Wreath(2, (Inner("fixed"), Inner("signed", 3))), Wreath(2, (Inner("fixed"), Inner("orthogonal", 3)))),
    (Wreath(2, (Inner("fixed"), Inner("orthogonal", 3))), Wreath(2, Inner("orthogonal", 4))),
    (Wreath(1, Inner("permutation", 6)), Wreath(1, Inner("mean", 6))),
    (Wreath(1, Inner("mean", 6)), Wreath(1, Inner("orthogonal", 6))),
    (Wreath(2, (Inner("orthogonal", 3), Inner("orthogonal", 2))), Wreath(2, Inner("orthogonal", 5))),
], ids=str)  # fmt: skip
def test_what_lies_in_the_next_larger_group_only_is_not_reached(small, large):
    truth = large.random(generator(3))
    samples = normal(large.size, 60, seed=1)
    covariance = large.act(truth, samples, 0) @ samples.T
    exact, near = (group.solve(covariance) for group in (large, small))
    assert torch.allclose(exact.as_matrix(), truth.as_matrix(), atol=1e-9)
    assert (near.as_matrix() - truth.as_matrix()).norm() > 0.5
    assert value(near, covariance) < 0.99 * value(exact, covariance)
    with pytest.raises(ValueError, match="cannot act for|matrices are off|matrices of shapes"):
        small.act(truth, samples, 0)
    # Nor can it be written down as one of the smaller group.
    if (small.groups, small.dim) == (large.groups, large.dim) and len(small.inner) == len(large.inner):
        if all(one.kind != "fixed" for one in small.inner) and small.exchange:
            with pytest.raises(ValueError, match="matrices are off"):
                WreathElement(truth.permutation, small.inner, truth.matrices)


OLD = {
    "permutations": (Permutation(6), Wreath(6, Inner("fixed"))),
    "in blocks": (Permutation(6, blocks=2), Wreath(2, Inner("permutation", 3), exchange=False)),
    "cones": (Conic(4, 4), Wreath(4, (Inner("fixed"), Inner("orthogonal", 3)))),
    "one cone": (Conic(1, 6), Wreath(1, (Inner("fixed"), Inner("orthogonal", 5)))),
    "cones of one channel": (Conic(5, 1), Wreath(5, Inner("fixed"))),
    "cones that do not turn": (Conic(4, 4, rotate=False), Wreath(4, Inner("fixed", 4))),
    "vectors": (Vectors(4, 3), Wreath(4, Inner("orthogonal", 3))),
    "all orthogonal maps": (Orthogonal(5), Wreath(1, Inner("orthogonal", 5))),
}


def translated(element, wreath):
    """The element of an older class as one of a wreath product."""
    if hasattr(element, "matrix"):
        return WreathElement([0], wreath.inner, (element.matrix[None],))
    if wreath.inner[-1].kind == "permutation":
        size, places = wreath.dim, element.permutation
        inside = torch.nn.functional.one_hot(places.view(-1, size) % size, size)
        return WreathElement(torch.arange(wreath.groups), wreath.inner, (inside,))
    turning = [one for one in wreath.inner if one.kind != "fixed"]
    return WreathElement(element.permutation, wreath.inner, (element.rotations,) if turning else ())


@pytest.mark.parametrize("name", OLD)
def test_older_groups_are_wreath_products(name):
    old, new = OLD[name]
    assert old.size == new.size
    g, h = (old.random(generator(seed)) for seed in (1, 2))
    x = normal(3, old.size, 2)
    assert torch.allclose(new.act(translated(g, new), x, 1), old.act(g, x, 1), atol=1e-12)
    product = translated(g, new) @ translated(h, new)
    assert torch.allclose(new.act(product, x, 1), old.act(g.compose(h), x, 1), atol=1e-12)
    for seed, mode in itertools.product(range(4), ("naive", "permutation", "conic")):
        matrix = normal(old.size, old.size, seed=seed)
        best, found = (group.act(group.solve(matrix, mode), matrix.mT, 0).trace() for group in (old, new))
        assert best == pytest.approx(found.item(), abs=1e-10)


def test_modes_take_units_then_what_permutes_in_them_then_all():
    matrix = normal(12, 12, seed=2)
    group = Wreath(3, (Inner("fixed"), Inner("signed", 3)))
    assert group.solve(matrix, "naive").is_identity()
    units = group.solve(matrix, "permutation")
    assert torch.equal(units.matrices[0], torch.eye(3).double().expand(3, 3, 3))
    assert not torch.equal(units.permutation, torch.arange(3))
    inside = Wreath(3, Inner("permutation", 4), exchange=False)
    assert torch.equal(inside.solve(matrix, "permutation").as_matrix(), inside.solve(matrix).as_matrix())
    # A stream is compared with what permutes its channels.
    stream = Wreath(1, Inner("mean", 12)).solve(matrix, "permutation")
    assert torch.equal(stream.as_matrix(), Wreath(12, Inner("fixed")).solve(matrix).as_matrix())
    with pytest.raises(ValueError, match="mode='all' is unknown"):
        group.solve(matrix, "all")


def test_ties_stay_where_they_are(group):
    for matrix in (torch.zeros(group.size, group.size).double(), torch.eye(group.size).double()):
        assert group.solve(matrix).is_identity()
        assert group.solve(matrix, "permutation").is_identity()
    dead = torch.diag(torch.arange(group.size).double() % 2)
    assert group.solve(dead).is_identity(1e-7)


@pytest.mark.parametrize("kind", ["signed", "orthogonal"])
def test_rounding_beside_the_rest_turns_no_sign(kind):
    matrix = torch.diag(torch.tensor([1.0, -1e-16, -1.0]).double())
    assert torch.equal(Wreath(1, Inner(kind, 3)).solve(matrix).as_matrix().diagonal().sign(),
                       torch.tensor([1.0, 1.0, -1.0]).double())  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_dtype_stays_and_moves_alone_are_exact(group, dtype):
    x = normal(3, group.size, 2).to(dtype)
    g = group.random(generator(1))
    y = group.act(g, x, 1)
    assert y.dtype == dtype
    if not any(one.turns for one in group.inner):
        assert torch.equal(group.act(g.inverse(), y, 1), x)
    assert torch.equal(y, group.act(g, x.double(), 1).to(dtype))
    assert group.act(g, x[:0], 1).shape == (0, group.size, 2)


@pytest.mark.parametrize("group, seconds", [
    (Wreath(1, Inner("signed", 1024)), 5),
    (Wreath(256, (Inner("fixed"), Inner("signed", 3))), 5),
    (Wreath(64, (Inner("fixed"), Inner("signed", 15))), 5),
    (Wreath(12, (Inner("orthogonal", 64), Inner("orthogonal", 64))), 10),
], ids=str)  # fmt: skip
def test_wide_layers_are_solved_in_seconds(group, seconds):
    """A tenth of it and less on an idle server; minutes would be a loop in Python over what is batched."""
    matrix = torch.randn(group.size, group.size, dtype=torch.float64, generator=generator())
    start = time.process_time()
    element = group.solve(matrix)
    assert time.process_time() - start < seconds
    assert value(element, matrix) > value(group.identity(), matrix)


@pytest.mark.parametrize("make, message", [
    (lambda: Inner("turned", 3), "kind='turned' is unknown"),
    (lambda: Inner("signed", 0), "size=0 is out of range"),
    (lambda: Wreath(0, Inner("fixed")), "groups=0 is out of range"),
    (lambda: Wreath(2, ()), "holds no sets of channels"),
    (lambda: Wreath(2, ("signed", 3)), "holds no sets of channels"),
    (lambda: WreathElement([0, 0], Inner("fixed")), "is no permutation"),
    (lambda: WreathElement([0, 1], Inner("signed", 2)), r"matrices of shapes \[\]; use \[\(2, 2, 2\)\]"),
    (lambda: WreathElement([0], Inner("signed", 2), [sample_orthogonal(2, num=1)]), "off Inner.*1 or -1 in each row"),
    (lambda: WreathElement([0], Inner("permutation", 2), [-torch.eye(2)[None]]), "off Inner.*one entry 1 in each row"),
    (lambda: WreathElement([0], Inner("mean", 2), [-torch.eye(2)[None]]), "vector of ones where it is"),
    (lambda: WreathElement([0], Inner("orthogonal", 2), [2 * torch.eye(2)[None]]), "orthogonalise them"),
    (lambda: Wreath(2, Inner("fixed")).identity() @ Wreath(3, Inner("fixed")).identity(), "do not compose"),
    (lambda: Wreath(2, Inner("fixed")).act(Permutation(2).identity(), torch.zeros(2), 0), "same specification"),
    (lambda: Wreath(2, Inner("fixed")).identity().apply(torch.zeros(1, 3)), "3 channels on axis 1"),
    (lambda: Wreath(2, Inner("fixed")).solve(torch.full((2, 2), torch.nan)), "holds NaN or infinity"),
])  # fmt: skip
def test_bad_input_is_refused_with_the_fix(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Stream(nn.Module):
    """A residual stream between norms without gains, with what reads it and adds to it."""

    def __init__(self, norm):
        super().__init__()
        self.embed, self.up, self.down, self.head = nn.Linear(5, 8), nn.Linear(8, 7), nn.Linear(7, 8), nn.Linear(8, 3)
        self.norm = norm

    def forward(self, x):
        h = self.embed(x)
        h = h + self.down(torch.tanh(self.up(self.norm(h))))
        return self.head(self.norm(h))


@pytest.mark.parametrize("kind", ["mean", "orthogonal"])
def test_norms_without_gains_leave_maps_of_the_stream(nets, kind):
    norms = {"mean": nn.LayerNorm(8, elementwise_affine=False), "orthogonal": nn.RMSNorm(8, elementwise_affine=False)}
    model, x = nets.randomised(Stream(norms[kind])), nets.vectors(60, 5)
    groups = {"stream": Wreath(1, Inner(kind, 8)), "hidden": Wreath(7, Inner("signed"))}
    axes = {"embed.weight": ("stream", FIXED), "embed.bias": ("stream",), "up.weight": ("hidden", "stream"),
            "up.bias": ("hidden",), "down.weight": ("stream", "hidden"), "down.bias": ("stream",),
            "head.weight": (FIXED, "stream"), "head.bias": (FIXED,)}  # fmt: skip
    spec = Spec(groups, axes)
    for seed in range(3):
        assert_invariant_under(spec, model, x, tol=1e-11, seed=seed)
    state = model.state_dict()
    moved = apply(spec, spec.random(4), state)
    found = match_weights(spec, state, moved, max_sweeps=300, tol=1e-14)
    assert nets.distance(found.apply(spec, moved), state) < 1e-4
    if kind == "mean":
        larger = Spec(groups | {"stream": Wreath(1, Inner("orthogonal", 8))}, axes)
        assert invariance_error(model, larger, x) > 1e-2
    turned = Spec(groups | {"hidden": Wreath(1, Inner("orthogonal", 7))}, axes)
    assert invariance_error(model, turned, x) > 1e-2
