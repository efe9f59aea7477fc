"""Values, options and refusals of colu against formulas written out here, and as a tensor program."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch

from colu.functional import axes_first_to_blocks, blocks_to_axes_first, colu, rcolu
from colu.geometry import householder
from colu.testing import (
    assert_different_function,
    assert_equivariant,
    assert_gradients_finite,
    assert_homogeneous,
    assert_idempotent,
    assert_lipschitz,
    assert_same_function,
)

PHI = {
    "hard": lambda r: min(max(r, 0.0), 1.0),
    "soft": lambda r: 1 / (1 + math.exp(-(r - 0.5))),
    "firm": lambda r: 1 / (1 + math.exp(-(4 * r - 2))),
    "sqrt": lambda r: math.sqrt(max(r, 0.0)),
    "log": lambda r: math.log1p(max(r, 0.0)),
}


@pytest.fixture
def x():
    return torch.randn(64, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def one_cone(a, s, scaling, p=2, tangent=1.0, rectify=False, double=False, eps=0.0):
    """The formula of one cone, in plain Python floats."""
    if rectify:
        a = a / (1 + math.exp(-a)) if scaling in ("soft", "firm") else max(a, 0.0)
    norm = max(abs(v) for v in s) if p == math.inf else sum(abs(v) ** p for v in s) ** (1 / p)
    r = tangent * a / (norm + eps)
    weight = PHI[scaling](r) - PHI[scaling](-r) if double else PHI[scaling](r)
    return [a, *(weight * v for v in s)]


def formula(x, dim, **options):
    rows = []
    for row in x.tolist():
        out = []
        for start in range(0, len(row), dim):
            out += one_cone(row[start], row[start + 1 : start + dim], **options)
        rows.append(out)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("dim", [2, 3, 4, 6, 12])
@pytest.mark.parametrize("scaling", PHI)
def test_value_is_the_formula(x, dim, scaling):
    assert_same_function(lambda v: colu(v, dim=dim, scaling=scaling), lambda v: formula(v, dim, scaling=scaling), x)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
@pytest.mark.parametrize("scaling", PHI)
@pytest.mark.parametrize("double", [False, True])
def test_norm_angle_double_and_eps_compose(x, p, scaling, double):
    y = colu(x, dim=4, scaling=scaling, p=p, angle=0.6, double=double, eps=0.01)
    want = formula(x, 4, scaling=scaling, p=p, tangent=math.tan(0.6), double=double, eps=0.01)
    torch.testing.assert_close(y, want)


@pytest.mark.parametrize("scaling", PHI)
def test_rectified_axis_is_used_in_the_ratio(x, scaling):
    y = colu(x, dim=4, scaling=scaling, axis_mode="rectify")
    torch.testing.assert_close(y, formula(x, 4, scaling=scaling, rectify=True))


@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_passed_and_rectified_axis_are_different_functions(x, scaling):
    assert_different_function(
        lambda v: colu(v, scaling=scaling), lambda v: colu(v, scaling=scaling, axis_mode="rectify"), x
    )


@pytest.mark.parametrize("scaling", ["hard", "soft", "sqrt", "log"])
@pytest.mark.parametrize("share_axis", [False, True])
def test_rectified_axes_first_is_the_map_of_jax_colu(x, scaling, share_axis):
    # jax-colu 0.3.0: axes first, rectified axis in output and ratio, eps 1e-7; rcolu on contiguous groups.
    weight = {
        "hard": lambda r: r.clip(0, 1),
        "soft": lambda r: 1 / (1 + np.exp(0.5 - r)),
        "sqrt": lambda r: np.sqrt(np.maximum(r, 0)),
        "log": lambda r: np.log1p(np.maximum(r, 0)),
    }[scaling]

    def activate(t):
        return t / (1 + np.exp(-t)) if scaling == "soft" else np.maximum(t, 0)

    x = x[:, :10] if share_axis else x
    v = x.numpy()
    axis, body = np.split(v, [1 if share_axis else 3], axis=1)
    axis, body = activate(axis)[..., None], body.reshape(-1, 3, 3)
    body = body * weight(axis / (np.linalg.norm(body, axis=-1, keepdims=True) + 1e-7))
    want = np.concatenate([axis[..., 0], body.reshape(-1, 9)], axis=1)
    options = dict(scaling=scaling, axis_mode="rectify", eps=1e-7)
    y = colu(x, share_axis=share_axis, layout="axes_first", **options)
    torch.testing.assert_close(y, torch.from_numpy(want))
    if not share_axis:
        blocks = v.reshape(-1, 3, 4)
        level = blocks.sum(-1, keepdims=True) / 2
        rest, level = blocks - level / 2, activate(level)
        want = level / 2 + weight(level / (np.linalg.norm(rest, axis=-1, keepdims=True) + 1e-7)) * rest
        torch.testing.assert_close(rcolu(x, **options), torch.from_numpy(want.reshape(-1, 12)))


def test_shared_axis_is_channel_zero_of_every_cone(x):
    y = colu(x[:, :10], dim=4, share_axis=True)
    cones = [formula(torch.cat([x[:, :1], x[:, i : i + 3]], 1), 4, scaling="hard") for i in (1, 4, 7)]
    torch.testing.assert_close(y, torch.cat([x[:, :1], *(cone[:, 1:] for cone in cones)], 1))


def test_layouts_are_the_same_map_up_to_a_permutation(x):
    y = axes_first_to_blocks(colu(blocks_to_axes_first(x), layout="axes_first"))
    torch.testing.assert_close(y, colu(x))


@pytest.mark.parametrize("f", [colu, rcolu])
def test_hard_is_idempotent_and_soft_is_not(x, f):
    assert_idempotent(f, x)
    with pytest.raises(AssertionError, match="not idempotent"):
        assert_idempotent(lambda v: f(v, scaling="soft"), x)


@pytest.mark.parametrize("f", [colu, rcolu])
@pytest.mark.parametrize("scaling", PHI)
def test_positively_homogeneous(x, f, scaling):
    assert_homogeneous(lambda v: f(v, scaling=scaling), x)


def test_eps_breaks_homogeneity(x):
    with pytest.raises(AssertionError, match="not homogeneous"):
        assert_homogeneous(lambda v: colu(v, eps=1e-3), x)


@pytest.mark.parametrize("eps", [0.0, 1e-7])
@pytest.mark.parametrize("size", [0.0, 1e-38, 1e-30, 1e-20, 1e-9])
def test_vanishing_section_before_an_upward_axis_passes_with_gradient_one(eps, size):
    x = torch.tensor([[1.0, size, 0, 0]], requires_grad=True)
    y = colu(x, eps=eps)
    assert torch.equal(y, x)
    y[0, 1:].sum().backward()
    assert torch.equal(x.grad, torch.tensor([[0.0, 1, 1, 1]]))


def test_lipschitz_constant_is_root_two():
    # At a clipped point just outside the cone the Jacobian has singular value sqrt(1 + 1).
    x = torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_lipschitz(lambda v: colu(v, dim=3), x, math.sqrt(2), reached=True)


def test_soft_lipschitz_is_above_one():
    x = torch.randn(500, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_lipschitz(lambda v: colu(v, scaling="soft"), x, 1.05, reached=False)
    with pytest.raises(AssertionError):
        assert_lipschitz(lambda v: colu(v, scaling="soft"), x, 1.0)


@pytest.mark.parametrize("dim", [2, 3, 4, 12])
@pytest.mark.parametrize("scaling", PHI)
@pytest.mark.parametrize("axis_mode", ["pass", "rectify"])
def test_rcolu_is_colu_between_reflections(x, dim, scaling, axis_mode):
    e = torch.full((dim,), dim**-0.5, dtype=torch.float64)
    h = householder(torch.eye(dim, dtype=torch.float64)[0] - e)
    reflect = torch.block_diag(*[h] * (12 // dim))
    options = dict(dim=dim, scaling=scaling, axis_mode=axis_mode)
    assert_same_function(lambda v: rcolu(v, **options), lambda v: colu(v @ reflect, **options) @ reflect, x, tol=1e-12)


def test_shared_rcolu_reflects_all_channels(x):
    v = x[:, :10]
    h = householder(torch.eye(10, dtype=torch.float64)[0] - 10**-0.5)
    torch.testing.assert_close(rcolu(v, share_axis=True), colu(v @ h, share_axis=True) @ h)


def test_rcolu_of_two_channels_is_not_relu():
    v = torch.tensor([[2.0, -1.0]])
    torch.testing.assert_close(rcolu(v, dim=2), torch.tensor([[1.0, 0.0]]))


def test_printed_equation_five_is_the_identity(x):
    blocks = x.unflatten(1, (3, 4))
    axis = blocks.mean(-1, keepdim=True)
    rest = blocks - axis
    t = axis * 2
    inside_out = torch.maximum(torch.minimum(t / (2 * axis.abs()), torch.zeros(())), torch.ones(()))
    torch.testing.assert_close(axis + inside_out * rest, blocks)


def test_rectified_and_repaired_equation_five_with_axis_norm_is_odd(x):
    def repaired(v):
        blocks = v.unflatten(1, (3, 4))
        axis = blocks.mean(-1, keepdim=True)
        return (axis + (axis / axis.abs()).clamp(-1, 1) * (blocks - axis)).flatten(1)

    # Keeping |x_e| leaves only the sign of the axis: past and future alike, no norm of the section.
    assert_equivariant(repaired, lambda v: 2 * v, x)
    assert_different_function(repaired, rcolu, x)


def test_two_channels_by_convention_are_pointwise(x):
    assert torch.equal(colu(x, dim=2, s2="pointwise"), x.relu())
    assert torch.equal(colu(x, dim=2, s2="pointwise", scaling="soft"), torch.nn.functional.silu(x))
    assert torch.equal(colu(x, dim=4, s2="pointwise"), colu(x, dim=4))


def test_no_cones_and_lone_axes_are_the_identity(x):
    assert torch.equal(colu(x, num_groups=0), x)
    assert torch.equal(colu(x, dim=1), x)
    assert torch.equal(colu(x, dim=1, axis_mode="rectify"), x.relu())


def test_tensor_angle_per_cone_matches_each_cone(x):
    angles = torch.tensor([0.3, 0.8, 1.2], dtype=torch.float64)
    y = colu(x, angle=angles)
    want = [colu(x[:, 4 * i : 4 * i + 4], angle=angles[i].item()) for i in range(3)]
    torch.testing.assert_close(y, torch.cat(want, 1))


def test_tensor_angle_per_cone_with_a_shared_axis(x):
    angles = torch.tensor([0.3, 0.8, 1.2], dtype=torch.float64)
    y = colu(x[:, :10], share_axis=True, angle=angles)
    for i in range(3):
        part = torch.cat([x[:, :1], x[:, 1 + 3 * i : 4 + 3 * i]], 1)
        torch.testing.assert_close(y[:, 1 + 3 * i : 4 + 3 * i], colu(part, angle=angles[i].item())[:, 1:])


@pytest.mark.parametrize("scaling", PHI)
@pytest.mark.parametrize("share_axis, layout", [(False, "blocks"), (False, "axes_first"), (True, "blocks")])
def test_every_option_composes_with_every_other(x, scaling, share_axis, layout):
    x = x[:8, :10] if share_axis else x[:8]
    axes = [0, 0, 0] if share_axis else [0, 4, 8] if layout == "blocks" else [0, 1, 2]
    start = {(False, "blocks"): [1, 5, 9], (False, "axes_first"): [3, 6, 9], (True, "blocks"): [1, 4, 7]}
    reflect = householder(
        torch.eye(10 if share_axis else 4, dtype=torch.float64)[0] - (10 if share_axis else 4) ** -0.5
    )
    order = [[a, *range(b, b + 3)] for a, b in zip(axes, start[share_axis, layout], strict=True)]

    def turn(v):
        if share_axis:
            return v @ reflect
        out = v.clone()
        for cone in order:
            out[:, cone] = v[:, cone] @ reflect
        return out

    for rectify, double in ((False, False), (True, False), (False, True)):
        for p, angle, eps in itertools.product((1, 2, math.inf), (None, 0.6), (0.0, 0.1)):
            options = dict(scaling=scaling, axis_mode="rectify" if rectify else "pass", share_axis=share_axis,
                           layout=layout, p=p, angle=angle, double=double, eps=eps)  # fmt: skip
            tangent = 1.0 if angle is None else math.tan(angle)

            def want(v):
                out = torch.empty_like(v)
                for cone in order:
                    rows = [
                        one_cone(r[0], r[1:], scaling, p, tangent, rectify, double, eps)  # noqa: B023
                        for r in v[:, cone].tolist()
                    ]
                    out[:, cone] = torch.tensor(rows, dtype=v.dtype)
                return out

            torch.testing.assert_close(colu(x, **options), want(x))
            torch.testing.assert_close(rcolu(x, **options), turn(want(turn(x))))


REFUSED = [
    (dict(dim=4), 10, "10 channels.*8 and 12"),
    (dict(dim=4, share_axis=True), 12, "10 and 13"),
    (dict(scaling="medium"), 8, "'medium'.*'hard'"),
    (dict(axis_mode="drop"), 8, "'drop'.*'rectify'"),
    (dict(layout="last"), 8, "axes_first"),
    (dict(p=0.5), 8, "p=0.5"),
    (dict(p=math.nan), 8, "p=nan"),
    (dict(angle=0.0), 8, "angle=0.0"),
    (dict(angle=math.pi / 2), 8, "radians"),
    (dict(angle=torch.ones(3)), 8, "2 cones"),
    (dict(angle=torch.ones(2, 2)), 8, "scalar"),
    (dict(eps=-1.0), 8, "eps=-1.0"),
    (dict(double=True, axis_mode="rectify"), 8, "double"),
    (dict(dim=2, s2="pointwise", angle=0.5), 8, "s2='cone'"),
    (dict(dim=2, s2="pointwise", scaling="log"), 8, "'log'"),
    (dict(s2="other"), 8, "'other'"),
    (dict(channel_dim=2), 8, "channel_dim=2"),
]


@pytest.mark.parametrize("options, channels, message", REFUSED)
def test_refused_with_value_and_fix(options, channels, message):
    with pytest.raises(ValueError, match=message):
        colu(torch.zeros(2, channels), **options)


@pytest.mark.parametrize("bad", [torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.cfloat), [1.0]])
def test_only_real_floating_tensors(bad):
    with pytest.raises(ValueError, match="floating|torch.Tensor"):
        colu(bad)


PATTERNS = torch.tensor(
    [
        [1.0, 1, 1, 1],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [-1, 1, 1, 1],
        [1, 1, 0, 0],
        [1, 1e-3, 0, 0],
        [-1, 0, 0, 0],
        [0, 0, 0, 0],
    ]
)


@pytest.mark.parametrize("f", [colu, rcolu])
@pytest.mark.parametrize("scaling", PHI)
@pytest.mark.parametrize("axis_mode", ["pass", "rectify"])
def test_gradients_finite_at_zero_tiny_huge_and_on_the_boundary(f, scaling, axis_mode):
    inputs = [PATTERNS * size for size in (0.0, 1.0, 1e-20, 1e20, 1e-30, 1e-42)]
    assert_gradients_finite(lambda v: f(v, scaling=scaling, axis_mode=axis_mode), inputs)


@pytest.mark.parametrize("f", [colu, rcolu])
@pytest.mark.parametrize("scaling", PHI)
def test_gradients_finite_where_axis_and_section_differ_by_forty_orders(f, scaling):
    rows = [[a, s, 0, -s] for a in (1e20, -1e20, 1e-20, 0) for s in (1e20, 1e-20, 1e-38)]
    assert_gradients_finite(lambda v: f(v, scaling=scaling), torch.tensor(rows))


@pytest.mark.parametrize("options", [dict(p=1), dict(p=3), dict(p=math.inf), dict(double=True), dict(eps=1e-7)])
@pytest.mark.parametrize("scaling", PHI)
def test_gradients_finite_with_options(options, scaling):
    inputs = [PATTERNS * size for size in (0.0, 1.0, 1e-20, 1e20)]
    assert_gradients_finite(lambda v: colu(v, scaling=scaling, **options), inputs)


#: A map, and the channels of its input.
MAPS = {
    "colu": (colu, 12),
    "soft": (partial(colu, scaling="soft"), 12),
    "firm-rectified": (partial(colu, scaling="firm", axis_mode="rectify"), 12),
    "log-double": (partial(colu, scaling="log", double=True), 12),
    "axes-first-p3": (partial(colu, layout="axes_first", p=3), 12),
    "angle": (partial(colu, angle=0.5), 12),
    "rcolu": (rcolu, 12),
    "rcolu-soft": (partial(rcolu, scaling="soft"), 12),
    "rcolu-axes-first": (partial(rcolu, layout="axes_first", p=1), 12),
    "colu-shared": (partial(colu, share_axis=True), 10),
    "rcolu-shared": (partial(rcolu, share_axis=True), 10),
}


@pytest.mark.parametrize("name", MAPS)
def test_as_a_tensor_program(tensor_property, name):
    tensor_property(*MAPS[name])


@pytest.mark.parametrize("name", [name for name in MAPS if "rectified" not in name])
def test_half_precision_squares_do_not_overflow_or_vanish(half_precision, name):
    half_precision(*MAPS[name])


@pytest.mark.slow
def test_compiles_without_graph_breaks(assert_compiles):
    assert_compiles(list(MAPS.values()))


def test_derivatives_of_a_learnable_angle(x):
    for angle in (torch.tensor(0.6), torch.tensor([0.4, 0.7, 1.1])):
        inputs = x[:4].requires_grad_(), angle.double().requires_grad_()
        assert torch.autograd.gradcheck(lambda v, a: colu(v, angle=a), inputs)
        assert torch.autograd.gradgradcheck(lambda v, a: colu(v, angle=a), inputs)


def test_nan_and_inf_go_through():
    x = torch.tensor([[math.nan, 1.0, 1.0, 1.0], [1.0, math.nan, 1.0, 1.0], [math.inf, 1.0, 2.0, 3.0]])
    y = colu(x)
    assert y[0].isnan().all() and y[1, 1:].isnan().all() and y[1, 0] == 1
    assert torch.equal(y[2], x[2])


def test_large_common_mean_keeps_the_digits_of_the_section(x):
    x = (x + 1e4).float()
    torch.testing.assert_close(rcolu(x, scaling="soft").double(), rcolu(x.double(), scaling="soft"))


def test_transforms_over_channels_last_images(x):
    x = x.reshape(4, 2, 4, 2, 12).movedim(-1, 2)
    assert x.stride(2) == 1
    torch.testing.assert_close(torch.func.vmap(colu)(x), torch.stack([colu(image) for image in x]))


def test_exports_with_a_dynamic_batch(x):
    class Maps(torch.nn.Module):
        def forward(self, x):
            return colu(x) + rcolu(x, scaling="soft")

    batch = torch.export.Dim("batch")
    program = torch.export.export(Maps(), (x[:4].float(),), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(x.float()), Maps()(x.float()))
