"""soc_projection against its optimality conditions, ReLU and the formula written out, and as a tensor program."""

import math
from functools import partial

import pytest
import torch

from colu.functional import colu, soc_projection
from colu.testing import (
    assert_different_function,
    assert_gradients_finite,
    assert_homogeneous,
    assert_idempotent,
    assert_lipschitz,
    assert_same_function,
)


@pytest.fixture
def x():
    return torch.randn(200, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def formula(x, dim, angle, axis):
    t = math.tan(angle)
    out = []
    for row in x.unflatten(1, (-1, dim)):
        for block in row:
            e = torch.full((dim,), dim**-0.5).double() if axis == "homogeneous" else torch.eye(dim).double()[0]
            s = block @ e
            v = block - s * e
            n = v.norm()
            if n <= t * s:
                out.append(block)
            elif s <= -t * n:
                out.append(0 * block)
            else:
                s = (s + t * n) / (1 + t * t)
                out.append(s * e + t * s * v / n)
    return torch.stack(out).reshape(x.shape)


@pytest.mark.parametrize("dim", [2, 3, 4, 12])
@pytest.mark.parametrize("angle", [0.3, math.pi / 4, 1.2])
@pytest.mark.parametrize("axis", ["homogeneous", "coordinate"])
def test_value_is_the_formula(x, dim, angle, axis):
    y = soc_projection(x[:40], dim=dim, angle=angle, axis=axis)
    torch.testing.assert_close(y, formula(x[:40], dim, angle, axis))


def test_two_channels_at_45_degrees_are_relu(x):
    assert_same_function(soc_projection, torch.relu, x)
    assert_different_function(lambda v: soc_projection(v, angle=0.6), torch.relu, x)
    assert_different_function(lambda v: soc_projection(v, dim=3), torch.relu, x)


@pytest.mark.parametrize("options", [dict(dim=3), dict(dim=4, axis="coordinate", angle=0.5), dict(layout="axes_first")])
def test_residual_is_orthogonal_and_in_the_polar_cone(x, options):
    y = soc_projection(x, **options)
    assert (y * (x - y)).sum(1).abs().max() < 1e-12
    assert (soc_projection(x - y, **options)).abs().max() < 1e-12


@pytest.mark.parametrize("axis", ["homogeneous", "coordinate"])
def test_idempotent_homogeneous_and_nonexpansive(x, axis):
    def f(v):
        return soc_projection(v, dim=3, axis=axis, angle=0.6)

    assert_idempotent(f, x)
    assert_homogeneous(f, x)
    assert_lipschitz(f, x[:, :6], 1.0, reached=True)


def test_leaky_form_mixes_in_the_input(x):
    y = soc_projection(x, dim=3, leak=0.01)
    torch.testing.assert_close(y, 0.99 * soc_projection(x, dim=3) + 0.01 * x)
    torch.testing.assert_close(soc_projection(x, leak=1.0), x)
    with pytest.raises(AssertionError):
        assert_idempotent(lambda v: soc_projection(v, dim=3, leak=0.1), x)


def test_it_is_not_the_skew_projection(x):
    assert_different_function(lambda v: soc_projection(v, dim=4, axis="coordinate"), colu, x)


def test_tensor_angle_per_cone_matches_each_cone(x):
    angles = torch.tensor([0.3, 0.8, 1.2], dtype=torch.float64)
    want = [soc_projection(x[:, 4 * i : 4 * i + 4], dim=4, angle=angles[i].item()) for i in range(3)]
    torch.testing.assert_close(soc_projection(x, dim=4, angle=angles), torch.cat(want, 1))


def test_layout_axes_first_is_a_permutation_for_the_coordinate_axis(x):
    order = [0, 4, 8, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    y = soc_projection(x[:, order], dim=4, axis="coordinate", layout="axes_first")
    torch.testing.assert_close(y, soc_projection(x, dim=4, axis="coordinate")[:, order])


def test_gradients_finite_at_zero_tiny_huge_and_on_the_boundary():
    patterns = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0], [-1, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]])
    inputs = [patterns * size for size in (1.0, 1e-20, 1e20, 1e-42)]
    for axis in ("homogeneous", "coordinate"):
        for angle in (None, 0.01, 1.5):
            assert_gradients_finite(lambda v: soc_projection(v, dim=4, axis=axis, angle=angle), inputs)  # noqa: B023


@pytest.mark.parametrize(
    "options, channels, message",
    [
        ({}, 7, "7 channels.*6 and 8"),
        (dict(dim=3), 8, "6 and 9"),
        (dict(axis="first"), 8, "'first'.*'coordinate'"),
        (dict(layout="x"), 8, "'x'"),
        (dict(angle=-0.1), 8, "angle=-0.1"),
        (dict(leak=1.5), 8, "leak=1.5"),
        (dict(angle=torch.ones(2, 2)), 8, r"\(2, 2\)"),
        (dict(angle=torch.ones(3)), 8, r"\(3,\).*4 cones"),
    ],
)
def test_refused_with_value_and_fix(options, channels, message):
    with pytest.raises(ValueError, match=message):
        soc_projection(torch.zeros(2, channels), **options)


def test_no_cones_is_the_identity(x):
    assert torch.equal(soc_projection(x, num_groups=0), x)


#: A map, and the channels of its input.
MAPS = {
    "soc": (partial(soc_projection, dim=4), 12),
    "soc-leaky": (partial(soc_projection, dim=4, axis="coordinate", angle=0.5, leak=0.1), 12),
}


@pytest.mark.parametrize("name", MAPS)
def test_as_a_tensor_program(tensor_property, name):
    tensor_property(*MAPS[name])


@pytest.mark.parametrize("name", MAPS)
def test_half_precision_squares_do_not_overflow_or_vanish(half_precision, name):
    half_precision(*MAPS[name])


@pytest.mark.slow
def test_compiles_without_graph_breaks(assert_compiles):
    assert_compiles(list(MAPS.values()))


def test_derivatives_of_a_learnable_angle(x):
    for angle in (torch.tensor(0.6), torch.tensor([0.4, 0.7, 1.1])):
        inputs = x[:4].requires_grad_(), angle.double().requires_grad_()
        assert torch.autograd.gradcheck(lambda v, a: soc_projection(v, dim=4, angle=a), inputs)
        assert torch.autograd.gradgradcheck(lambda v, a: soc_projection(v, dim=4, angle=a), inputs)


def test_nan_goes_through():
    x = torch.tensor([[math.nan, 1.0, 1.0, 1.0], [1.0, math.nan, 1.0, 1.0]])
    assert soc_projection(x, dim=4).isnan().all()


def test_exports_with_a_dynamic_batch(x):
    class Map(torch.nn.Module):
        def forward(self, x):
            return soc_projection(x, dim=3)

    batch = torch.export.Dim("batch")
    program = torch.export.export(Map(), (x[:4].float(),), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(x.float()), Map()(x.float()))
