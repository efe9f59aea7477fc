"""The wreath product, its action on CoLU, and what is no symmetry."""

import math

import pytest
import torch

from colu.functional import colu, rcolu, soc_projection
from colu.geometry import ConicElement, householder, lorentz_boost, sample_orthogonal, sample_sphere
from colu.testing import assert_equivariant, assert_not_equivariant


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x():
    return torch.randn(32, 12, dtype=torch.float64, generator=seeded(1))


@pytest.fixture
def g():
    return ConicElement.random(3, 4, seeded(2))


@pytest.fixture
def h():
    return ConicElement.random(3, 4, seeded(3))


def same(a, b):
    return a.compose(b.inverse()).is_identity()


def test_compose_acts_as_one_after_the_other(g, h, x):
    torch.testing.assert_close(g.compose(h).apply(x), g.apply(h.apply(x)))
    torch.testing.assert_close((g @ h).as_matrix(), g.as_matrix() @ h.as_matrix())


def test_inverse_and_identity(g, x):
    torch.testing.assert_close(g.inverse().apply(g.apply(x)), x)
    assert g.compose(g.inverse()).is_identity() and not g.is_identity()
    assert same(g.compose(ConicElement.identity(3, 4)), g)


def test_associative(g, h):
    k = ConicElement.random(3, 4, seeded(4))
    assert same((g @ h) @ k, g @ (h @ k))


def test_product_is_semidirect_not_direct(x):
    swap = ConicElement.from_permutation([1, 0, 2], 4)
    turn = torch.eye(3, dtype=torch.float64).repeat(3, 1, 1)
    turn[0] = sample_orthogonal(3, generator=seeded())
    turn = ConicElement.from_rotations(turn)
    assert not same(swap @ turn, turn @ swap)
    # Conjugation moves the rotation to the other cone: rotations are the normal part.
    moved = swap @ turn @ swap.inverse()
    assert torch.equal(moved.permutation, torch.arange(3))
    torch.testing.assert_close(moved.rotations[1], turn.rotations[0])


@pytest.mark.parametrize("share_axis, layout", [(False, "blocks"), (False, "axes_first"), (True, "blocks")])
def test_matrix_is_the_action_and_orthogonal(g, share_axis, layout):
    channels = 10 if share_axis else 12
    v = torch.randn(5, channels, dtype=torch.float64, generator=seeded())
    m = g.as_matrix(share_axis=share_axis, layout=layout)
    torch.testing.assert_close(v @ m.T, g.apply(v, share_axis=share_axis, layout=layout))
    torch.testing.assert_close(m @ m.T, torch.eye(channels, dtype=torch.float64))


def test_action_on_any_dimension_and_dtype(g):
    v = torch.randn(2, 5, 12, 3, generator=seeded())
    w = g.apply(v, channel_dim=2)
    assert w.dtype == torch.float32
    torch.testing.assert_close(w.movedim(2, 1), g.apply(v.movedim(2, 1)))


@pytest.mark.parametrize("scaling", ["hard", "soft", "firm", "sqrt", "log"])
@pytest.mark.parametrize("axis_mode", ["pass", "rectify"])
def test_colu_commutes_with_the_wreath_product(g, x, scaling, axis_mode):
    assert_equivariant(lambda v: colu(v, scaling=scaling, axis_mode=axis_mode), g, x)


@pytest.mark.parametrize("share_axis, layout", [(True, "blocks"), (False, "axes_first")])
def test_colu_commutes_in_other_arrangements(g, x, share_axis, layout):
    x = x[:, :10] if share_axis else x
    m = g.as_matrix(share_axis=share_axis, layout=layout)
    assert_equivariant(lambda v: colu(v, share_axis=share_axis, layout=layout), m, x)


@pytest.mark.parametrize("f", [rcolu, lambda v: soc_projection(v, dim=4)])
def test_homogeneous_axis_has_the_reflected_group(g, x, f):
    block = householder(torch.eye(4, dtype=torch.float64)[0] - 0.5)
    reflect = torch.block_diag(block, block, block)
    assert_equivariant(f, reflect @ g.as_matrix() @ reflect, x)
    assert_not_equivariant(f, g.as_matrix(), x)


def test_larger_groups_are_no_symmetry(x):
    assert_not_equivariant(colu, torch.eye(12)[[1, 0, *range(2, 12)]], x)
    assert_not_equivariant(colu, sample_orthogonal(12, generator=seeded()), x)
    mix_sections = torch.eye(12)[[0, 1, 2, 7, 4, 5, 6, 3, 8, 9, 10, 11]]
    assert_not_equivariant(colu, mix_sections, x)


def test_other_norms_keep_permutations_and_lose_rotations(g, x):
    flips = ConicElement(g.permutation, torch.eye(3).double()[[2, 0, 1]].repeat(3, 1, 1) * -1)
    for p in (1, 3, math.inf):
        assert_equivariant(lambda v, p=p: colu(v, p=p), flips, x)
        assert_not_equivariant(lambda v, p=p: colu(v, p=p), g, x)


def test_one_scale_a_cone_is_a_symmetry_only_without_sharing(x):
    scales = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
    assert_equivariant(colu, torch.diag(scales.repeat_interleave(4)), x)
    shared = torch.cat([torch.ones(1, dtype=torch.float64), scales.repeat_interleave(3)])
    f = lambda v: colu(v, share_axis=True)  # noqa: E731
    assert_not_equivariant(f, torch.diag(shared), x[:, :10])
    assert_equivariant(f, lambda v: 2.5 * v, x[:, :10])


def test_boost_keeps_the_cone_but_is_no_symmetry(x):
    boost = lorentz_boost(4, 0.7)
    metric = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=torch.float64))
    torch.testing.assert_close(boost.T @ metric @ boost, metric)
    assert_not_equivariant(lambda v: colu(v, dim=4), boost, x[:, :4])
    assert_equivariant(lambda v: colu(v, dim=4), lorentz_boost(4, 0.0), x[:, :4])


def test_householder_swaps_unit_vectors():
    a, b = sample_sphere(5, 2, generator=seeded())
    h = householder(a - b)
    torch.testing.assert_close(h @ a, b)
    torch.testing.assert_close(h @ h, torch.eye(5, dtype=torch.float64))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ConicElement([0, 0], torch.eye(2).repeat(2, 1, 1)), r"\[0, 0\]"),
        (lambda: ConicElement([0, 1], torch.eye(2).repeat(3, 1, 1)), r"\(3, 2, 2\)"),
        (lambda: ConicElement([0], 2 * torch.eye(2)[None]), "orthogonal"),
        (lambda: ConicElement.identity(2, 3).compose(ConicElement.identity(3, 3)), "same sizes"),
        (lambda: ConicElement.identity(2, 3).apply(torch.zeros(1, 7)), "7 channels"),
        (lambda: ConicElement.identity(2, 3).apply(torch.zeros(1, 6), layout="x"), "'x'"),
        (lambda: lorentz_boost(1, 0.1), "dim=1"),
        (lambda: householder(torch.zeros(3)), "non-zero"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
