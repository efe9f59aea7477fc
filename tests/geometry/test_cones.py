"""Cones: projections by their optimality conditions, duals, Moreau's decomposition."""

import math

import pytest
import torch

from colu.geometry import LorentzCone, Orthant
from colu.testing import assert_idempotent, assert_lipschitz, assert_same_function

CONES = [LorentzCone(4), LorentzCone(3, 0.4), LorentzCone(3, 1.3), LorentzCone(2, 0.5), LorentzCone(1), Orthant(3)]


def points(dim, num=300):
    return torch.randn(num, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cone", CONES, ids=repr)
def test_projection_is_the_nearest_point(cone):
    x, others = points(cone.dim), points(cone.dim, 2000)
    y = cone.project(x)
    assert cone.contains(y, 1e-12).all()
    inside = others[cone.contains(others)]
    assert len(inside) > 10
    nearest = torch.cdist(x, inside).amin(1)
    assert ((x - y).norm(dim=1) <= nearest + 1e-12).all()


@pytest.mark.parametrize("cone", CONES, ids=repr)
def test_moreau_parts_are_orthogonal_and_sum_to_the_point(cone):
    x = points(cone.dim)
    part, rest = cone.moreau(x)
    torch.testing.assert_close(part + rest, x)
    assert (part * rest).sum(1).abs().max() < 1e-12
    assert cone.polar_contains(rest, 1e-12).all()


@pytest.mark.parametrize("cone", CONES, ids=repr)
def test_dual_has_non_negative_products_and_is_no_larger_than_that(cone):
    x = points(cone.dim, 2000)
    mine, dual = x[cone.contains(x)], x[cone.dual().contains(x)]
    assert (mine @ dual.T).min() >= -1e-12
    outside = x[~cone.dual().contains(x, 0.3)]
    assert (outside @ cone.project(points(cone.dim, 4000)).T).amin(1).max() < 0


def test_lorentz_cone_is_self_dual_only_at_45_degrees():
    assert LorentzCone(4).dual().angle == LorentzCone(4).angle
    assert LorentzCone(4, 0.4).dual().angle == pytest.approx(math.pi / 2 - 0.4)
    assert LorentzCone(4, 0.4).dual().dual().angle == pytest.approx(0.4)


def test_projections_are_nonexpansive_and_the_skew_one_is_not():
    cone = LorentzCone(3)
    assert_lipschitz(cone.project, points(3), 1.0, reached=True)
    assert_lipschitz(cone.skew_project, points(3), math.sqrt(2), reached=True)
    with pytest.raises(AssertionError):
        assert_lipschitz(cone.skew_project, points(3), 1.4)


def test_skew_projection_keeps_the_height_and_the_fixed_set_has_the_negative_axis():
    cone, x = LorentzCone(3), points(3)
    y = cone.skew_project(x)
    assert torch.equal(y[:, 0], x[:, 0])
    assert_idempotent(cone.skew_project, x)
    up = x[:, 0] > 0
    assert cone.contains(y[up], 1e-12).all() and (y[~up, 1:] == 0).all()
    axis = torch.tensor([[-2.0, 0.0, 0.0]])
    assert torch.equal(cone.skew_project(axis), axis)
    assert torch.equal(cone.project(axis), torch.zeros(1, 3))


def test_fixed_set_of_the_skew_projection_is_not_convex():
    cone = LorentzCone(2)
    a, b = torch.tensor([1.0, 1.0]), torch.tensor([-1.0, 0.0])
    assert torch.equal(cone.skew_project(a), a) and torch.equal(cone.skew_project(b), b)
    middle = (a + b) / 2
    assert not torch.equal(cone.skew_project(middle), middle)


def test_orthant_projection_is_relu():
    assert_same_function(Orthant(4).project, torch.relu, points(4))
    assert Orthant(2).polar_contains(torch.tensor([-1.0, -2.0])) and not Orthant(2).contains(torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LorentzCone(0), "dim=0"),
        (lambda: LorentzCone(3, 0.0), "angle=0.0"),
        (lambda: LorentzCone(3, 2.0), "radians"),
        (lambda: LorentzCone(3).project(torch.zeros(2, 4)), r"\(2, 4\).*3"),
        (lambda: Orthant(3).contains(torch.zeros(4)), r"\(4,\).*3"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
