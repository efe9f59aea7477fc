"""Values against formulas written here, and what print gets wrong."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

import colu.functional as F
from colu.geometry import ConicElement, householder, sample_orthogonal
from colu.lab.models import fit_threshold_lasso, hyperplane_arrangements
from colu.nn import AFKANLinear, EvoNormB0, GRKANLinear, GroupRational, PHMLinear, create, fit_rational
from colu.nn.rational import TARGETS
from colu.testing import assert_different_function, assert_equivariant, assert_not_equivariant, assert_preserves


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


X = torch.linspace(-9, 9, 181, dtype=torch.float64)


@pytest.mark.parametrize("version", ["A", "B", "C", "mixed"])
def test_rational_is_its_formula_on_both_sides_of_one(version):
    a, b = normal(6, seed=1), 0.3 * normal(5 if version == "C" else 4, seed=2)
    top = sum(a[j] * X**j for j in range(6))
    bottom = {
        "A": lambda: 1 + sum((b[k - 1] * X**k).abs() for k in range(1, 5)),
        "B": lambda: 1 + sum(b[k - 1] * X**k for k in range(1, 5)).abs(),
        "C": lambda: 0.1 + sum(b[k] * X**k for k in range(5)).abs(),
        "mixed": lambda: 1 + sum(b[k - 1].abs() * X**k for k in range(1, 5)),
    }[version]()
    assert torch.allclose(F.rational(X, a, b, version), top / bottom, rtol=1e-9)
    odd = F.rational(X, a[:4], b[:3], version)
    first = 0 if version == "C" else 1
    top = sum(a[j] * X**j for j in range(4))
    if version == "A":
        bottom = 1 + sum((b[k - 1] * X**k).abs() for k in range(1, 4))
        assert torch.allclose(odd, top / bottom, rtol=1e-9)
    if version == "B":
        bottom = 1 + sum(b[k - first] * X**k for k in range(1, 4)).abs()
        assert torch.allclose(odd, top / bottom, rtol=1e-9)
    if version == "mixed":
        bottom = 1 + sum(b[k - first].abs() * X**k for k in range(1, 4))
        assert torch.allclose(odd, top / bottom, rtol=1e-9)


def test_groups_have_their_own_denominators():
    x, a, b = normal(3, 4, 2), normal(6, seed=1), normal(2, 4, seed=2)
    expected = torch.cat([F.rational(x[:, :2], a, b[0]), F.rational(x[:, 2:], a, b[1])], 1)
    assert torch.allclose(F.rational(x, a, b), expected)
    with pytest.raises(ValueError, match="2 groups"):
        F.rational(normal(3, 5), a, b)


@pytest.mark.parametrize("target, error", [
    ("identity", 1e-12), ("silu", 0.01), ("gelu", 0.02), ("tanh", 0.01), ("relu", 0.08), ("leaky-relu", 0.08),
])  # fmt: skip
@pytest.mark.parametrize("version", ["A", "B", "C"])
def test_fits_are_near_to_their_targets(target, error, version):
    numerator, denominator = (torch.tensor(v, dtype=torch.float64) for v in fit_rational(target, version))
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    assert (F.rational(x, numerator, denominator, version) - TARGETS[target](x)).abs().max() < error


def test_the_three_denominators_of_the_published_code_differ():
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)
    a, b = (torch.tensor(v, dtype=torch.float64) for v in fit_rational("gelu", "B"))
    fitted = F.rational(x, a, b, "B")
    b = torch.where(b.abs() < 1e-3, 0.05, b)
    assert_different_function(lambda v: F.rational(v, a, b, "B"), lambda v: F.rational(v, a, b, "A"), x)
    assert_different_function(lambda v: F.rational(v, a, b, "mixed"), lambda v: F.rational(v, a, b, "A"), x)
    # They agree where every term is positive.
    plus, right = b.abs(), x[x > 0]
    assert torch.allclose(F.rational(right, a, plus, "A"), F.rational(right, a, plus, "B"))
    assert torch.allclose(F.rational(right, a, plus, "A"), F.rational(right, a, plus, "mixed"))
    assert (fitted - torch.nn.functional.gelu(x)).abs().max() < 0.02


def test_mixed_denominator_can_have_a_pole():
    b = torch.tensor([2.0], dtype=torch.float64)
    x = torch.tensor([-0.5], dtype=torch.float64)
    assert not F.rational(x, torch.ones(1, dtype=torch.float64), b, "mixed").isfinite()
    assert F.rational(x, torch.ones(1, dtype=torch.float64), b, "A").isfinite()


@pytest.mark.parametrize("init", ["silu", "gelu", "relu"])
def test_gr_kan_keeps_the_second_moment(init):
    torch.manual_seed(0)
    layer = GRKANLinear(256, 256, init=init)
    second = layer(torch.randn(4000, 256)).square().mean().item()
    assert abs(second - 1) < 0.05
    plain = torch.nn.Sequential(GroupRational(256, init=init), torch.nn.Linear(256, 256))
    assert plain(torch.randn(4000, 256)).square().mean() < 0.5


def test_af_kan_as_published_leaks_between_samples():
    torch.manual_seed(0)
    x, others = torch.randn(3, 8), 5 * torch.randn(3, 8)
    for normalisation, leaks in (("sample", False), ("batch", True)):
        layer = AFKANLinear(8, normalisation=normalisation)
        torch.nn.init.normal_(layer.attention)
        alone, together = layer(x), layer(torch.cat([x, others]))[:3]
        assert torch.allclose(alone, together, atol=1e-5) == (not leaks)


def test_crelu_is_an_isometry_with_a_lossless_inverse():
    x = normal(5, 6)
    y = F.crelu(x)
    assert torch.allclose(y.norm(dim=1), x.norm(dim=1))
    assert torch.equal(y[:, :6] - y[:, 6:], x)


def test_group_sort_sorts_and_keeps_norms():
    x = normal(7, 12, 3)
    for size in (2, 3, 4):
        expected = x.unflatten(1, (-1, size)).sort(2, descending=True).values.flatten(1, 2)
        assert torch.equal(F.group_sort(x, size), expected)
    assert_preserves(F.group_sort, lambda v: v.norm(dim=1), x)
    with pytest.raises(ValueError, match="12 channels.*nearest: 10 and 15"):
        F.group_sort(x, 5)
    swap = torch.arange(12).view(-1, 2).flip(1).flatten()
    assert torch.equal(F.group_sort(x[:, swap]), F.group_sort(x))
    assert_not_equivariant(F.group_sort, lambda v: v[:, swap], x)


def test_householder_at_a_right_angle_is_maxmin():
    x = normal(50, 8)
    assert torch.allclose(F.householder_activation(x, math.pi / 2), F.group_sort(x))
    assert_different_function(lambda v: F.householder_activation(v, 1.0), F.group_sort, x)
    halves = F.householder_activation(x, pairing="halves")
    assert torch.allclose(halves, torch.cat([torch.maximum(x[:, :4], x[:, 4:]), torch.minimum(x[:, :4], x[:, 4:])], 1))
    assert_preserves(lambda v: F.householder_activation(v, 0.7), lambda v: v.norm(dim=1), x)


def test_householder_is_continuous_at_its_line():
    angle = 0.9
    line = torch.tensor([[math.cos(angle / 2), math.sin(angle / 2)]], dtype=torch.float64)
    normal_ = torch.tensor([[-line[0, 1], line[0, 0]]], dtype=torch.float64)
    above = F.householder_activation(line + 1e-9 * normal_, angle)
    below = F.householder_activation(line - 1e-9 * normal_, angle)
    assert (above - below).abs().max() < 1e-8


def test_norm_relu_and_gate_are_their_formulas_and_turn_with_the_vectors():
    x, bias = normal(6, 12, 2), torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)
    v = x.unflatten(1, (3, 4))
    norm = v.square().sum(2, keepdim=True).sqrt()
    expected = (v * (norm - bias.view(3, 1, 1)).clamp(min=0) / norm).flatten(1, 2)
    assert torch.allclose(F.norm_relu(x, bias, dim=4), expected)
    turn = sample_orthogonal(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def rotate(v):
        return torch.einsum("ij,ngjp->ngip", turn, v.unflatten(1, (3, 4))).flatten(1, 2)

    assert_equivariant(lambda v: F.norm_relu(v, bias, dim=4), rotate, x)
    assert_not_equivariant(lambda v: F.norm_relu(v, 0.5, dim=2), rotate, x)
    g = normal(6, 3, 2, seed=4)
    out = F.gated(torch.cat([g, x], 1), bias, dim=4)
    assert torch.allclose(out, (torch.sigmoid(g - bias.view(3, 1)).unsqueeze(2) * v).flatten(1, 2))
    assert torch.allclose(F.gated(torch.cat([g, rotate(x)], 1), dim=4), rotate(F.gated(torch.cat([g, x], 1), dim=4)))


def test_soft_colu_is_a_gate_that_knows_the_norm_and_keeps_the_scalar():
    x = normal(9, 4)
    y = F.colu(x, dim=4, scaling="soft")
    g = x[:, :1] / x[:, 1:].norm(dim=1, keepdim=True)
    assert torch.allclose(y[:, 1:], F.gated(torch.cat([g, x[:, 1:]], 1), 0.5, dim=3), atol=1e-6)
    assert torch.equal(y[:, :1], x[:, :1])


def test_hopfield_lowers_its_energy_retrieves_and_commutes_with_rotations():
    state, stored = normal(20, 6), normal(9, 6, seed=1)
    for beta in (0.3, 2.0):
        energies = [
            F.hopfield_energy(F.hopfield_update(state, stored, beta, steps), stored, beta) for steps in range(5)
        ]
        assert all((after <= before + 1e-12).all() for before, after in zip(energies, energies[1:], strict=False))
        assert (energies[0] > energies[-1] + 1e-3).any() and (energies[-1] >= 0).all()
    expected = torch.softmax(2.0 * state @ stored.T, 1) @ stored
    assert torch.allclose(F.hopfield_update(state, stored, 2.0), expected)
    apart = 3 * sample_orthogonal(6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    noisy = apart + 0.05 * normal(6, 6, seed=2)
    assert (F.hopfield_update(noisy, apart, 4.0) - apart).abs().max() < 1e-3
    q = sample_orthogonal(6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.allclose(F.hopfield_update(state @ q.T, stored @ q.T), F.hopfield_update(state, stored) @ q.T)
    assert not torch.allclose(F.hopfield_update(state @ q.T, stored), F.hopfield_update(state, stored) @ q.T)


def test_evonorm_is_its_formula():
    x, v = normal(5, 4, 3, 2), torch.rand(4, dtype=torch.float64) + 0.5
    column = v.view(4, 1, 1)
    batch, instance = x.var((0, 2, 3), correction=0), x.var((2, 3), correction=0, keepdim=True)
    bottom = torch.maximum((batch + 1e-5).sqrt().view(4, 1, 1), column * x + (instance + 1e-5).sqrt())
    assert torch.allclose(F.evonorm_b0(x, batch, v), x / bottom)
    group = x.reshape(5, 2, -1).var(2, correction=0).repeat_interleave(2, 1)[..., None, None]
    assert torch.allclose(F.evonorm_s0(x, 2, v), x * torch.sigmoid(column * x) / (group + 1e-5).sqrt())
    with pytest.raises(ValueError, match="num_groups=3"):
        F.evonorm_s0(x, 3)


def test_evonorm_b0_is_not_linear_although_it_has_no_activation():
    layer = EvoNormB0(4).double().eval()
    x, y = normal(6, 4, 5, 5), normal(6, 4, 5, 5, seed=1)
    gap = layer(x + y) - layer(x) - layer(y)
    assert gap.abs().max() > 0.1
    # For a comparison: batch normalisation in evaluation has none.
    norm = torch.nn.BatchNorm2d(4, affine=False).double().eval()
    assert (norm(x + y) - norm(x) - norm(y)).abs().max() < 1e-12


def test_evonorm_b0_uses_the_batch_in_training_and_the_running_variance_after():
    layer = EvoNormB0(4, momentum=1.0).double()
    x = normal(6, 4, 5, 5)
    trained = layer(x)
    assert torch.allclose(layer.eval()(x), trained)
    assert not torch.allclose(layer(x[:1]), EvoNormB0(4).double()(x[:1]))
    with pytest.raises(ValueError, match="no variance"):
        EvoNormB0(4)(torch.zeros(1, 4))


def test_threshold_is_a_step_whose_gradient_is_a_ramps():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    y = F.threshold(x, 3.0)
    assert torch.equal(y.detach(), torch.tensor([0.0, 0.0, 3.0, 3.0, 3.0], dtype=torch.float64))
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.tensor([0, 1.5, 1.5, 1.5, 0], dtype=torch.float64))
    assert not F.threshold(x, 3.0, window=0.0).requires_grad


@pytest.mark.parametrize("n, d", [(5, 1), (6, 2), (8, 3), (7, 4)])
def test_arrangements_are_as_many_as_cover_says(n, d):
    x = np.random.default_rng(0).normal(size=(n, d))
    patterns, directions = hyperplane_arrangements(x)
    assert ((x @ directions >= 0) == patterns).all()
    cover = 2 * sum(math.comb(n - 1, k) for k in range(d))
    everything = linprog(np.zeros(d), A_ub=-x, b_ub=-np.ones(n), bounds=(None, None)).status == 0
    assert patterns.shape[1] == cover + (not everything)
    drawn = np.unique(x @ np.random.default_rng(1).normal(size=(d, 20000)) >= 0, axis=1)
    known = {column.tobytes() for column in patterns.astype(bool).T}
    assert {column.tobytes() for column in drawn.T} <= known


def test_arrangements_refuse_points_that_are_not_in_general_position():
    with pytest.raises(ValueError, match="general position"):
        hyperplane_arrangements(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))


def test_threshold_network_by_lasso_is_the_optimum_of_its_own_objective():
    generator = np.random.default_rng(0)
    x = np.column_stack([generator.normal(size=(8, 2)), np.ones(8)])
    y, beta = generator.normal(size=8), 0.1
    net = fit_threshold_lasso(x, y, beta)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    patterns, _ = hyperplane_arrangements(x)
    value = net.objective(tx, ty, beta).item()
    # No gap to the dual of the Lasso: max over |D'v| <= beta of v'y - v'v / 2.
    residual = y - net(tx).detach().numpy()
    dual_point = residual * min(1, beta / np.abs(patterns.T @ residual).max())
    dual = dual_point @ y - dual_point @ dual_point / 2
    assert 0 <= value - dual < 1e-6
    assert len(net.weight) < patterns.shape[1] / 2
    # Descent from random weights with straight-through gradients does no better.
    for seed in range(3):
        torch.manual_seed(seed)
        rival = type(net)(*(torch.randn(*s, dtype=torch.float64) for s in ((30, 3), (30,), (30,))))
        optimiser = torch.optim.Adam(rival.parameters(), lr=0.02)
        for _ in range(300):
            optimiser.zero_grad()
            loss = rival.objective(tx, ty, beta)
            loss.backward()
            optimiser.step()
        assert rival.objective(tx, ty, beta) > value


def hamilton(p, q):
    a, b, c, d = p.unbind(-1)
    e, f, g, h = q.unbind(-1)
    parts = a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g
    return torch.stack([*parts, a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e], -1)


def test_phm_of_four_is_the_quaternion_product():
    p, q = normal(4), normal(6, 4, seed=1)
    weight = F.phm_weight(F.quaternion_algebra(torch.float64), p.view(4, 1, 1))
    assert torch.allclose(q @ weight.T, hamilton(p.expand(6, 4), q))
    assert torch.allclose(weight, sum(torch.kron(a, f) for a, f in zip(F.quaternion_algebra(p.dtype), p.view(4, 1, 1))))  # noqa: B905
    layer = PHMLinear(8, 12).double()
    dense = sum(torch.kron(a, f) for a, f in zip(layer.algebra, layer.factors, strict=True))
    assert torch.allclose(layer(q.reshape(3, 8)), q.reshape(3, 8) @ dense.T + layer.bias)


def test_phm_weight_starts_with_the_variance_of_a_dense_layer():
    torch.manual_seed(0)
    for n in (2, 4):
        weight = PHMLinear(512, n=n).weight
        assert abs(weight.var().item() * 512 - 1) < (0.05 if n == 4 else 0.9)


def test_householder_product_is_the_product_of_reflections():
    v = normal(2, 3, 5)
    expected = torch.stack([householder(a) @ householder(b) @ householder(c) for a, b, c in v])
    q = F.householder_product(v)
    assert torch.allclose(q, expected)
    assert torch.allclose(torch.linalg.det(q), torch.full((2,), -1.0, dtype=torch.float64))
    assert torch.autograd.gradcheck(F.householder_product, (v.requires_grad_(),))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_gram_schmidt_gives_rotations_and_gives_a_rotation_back(n):
    q = F.gram_schmidt_rotation(normal(7, n - 1, n))
    assert torch.allclose(q @ q.mT, torch.eye(n, dtype=q.dtype).expand_as(q))
    assert torch.allclose(torch.linalg.det(q), torch.ones(7, dtype=q.dtype))
    assert torch.allclose(F.gram_schmidt_rotation(q[:, :-1]), q)
    if n == 3:
        assert torch.allclose(q[:, 2], torch.linalg.cross(q[:, 0], q[:, 1]))
    turn = F.gram_schmidt_rotation(normal(n - 1, n, seed=4))
    rows = normal(n - 1, n, seed=5)
    assert torch.allclose(F.gram_schmidt_rotation(rows @ turn.T), F.gram_schmidt_rotation(rows) @ turn.T)


def circular_singular_values(weight, size):
    spectrum = torch.fft.fft2(weight, (size, size)).permute(2, 3, 0, 1)
    return torch.linalg.svdvals(spectrum)


@pytest.mark.parametrize("outputs, inputs", [(4, 4), (3, 5), (6, 4)])
def test_orthogonality_penalty_is_zero_exactly_for_isometries(outputs, inputs):
    big = max(outputs, inputs)
    # A product of an orthogonal 1x1 convolution, shifts of half the channels, and another 1x1 convolution.
    p, q = (sample_orthogonal(big, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (0, 1))
    kernel = torch.zeros(big, big, 3, 3, dtype=torch.float64)
    shifts = [(0, 0), (1, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
    for channel in range(big):
        row, column = shifts[channel]
        kernel[:, :, row, column] += torch.outer(p[:, channel], q[channel])
    kernel = kernel[:outputs, :inputs]
    assert F.orthogonal_convolution_penalty(kernel).abs() < 1e-12
    assert torch.allclose(circular_singular_values(kernel, 8), torch.ones(8, 8, min(outputs, inputs), dtype=p.dtype))
    spoilt = kernel + 0.1 * normal(outputs, inputs, 3, 3)
    assert F.orthogonal_convolution_penalty(spoilt) > 1e-3
    assert (circular_singular_values(spoilt, 8) - 1).abs().max() > 1e-2


def test_orthogonality_penalty_draws_a_convolution_to_an_isometry():
    torch.manual_seed(0)
    conv, penalty = torch.nn.Conv2d(3, 4, 3, bias=False), create("orthogonal-convolution")
    optimiser = torch.optim.Adam(conv.parameters(), lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        loss = penalty(conv.weight)
        loss.backward()
        optimiser.step()
    assert loss < 1e-3
    values = circular_singular_values(conv.weight.detach(), 8)
    assert (values - 1).abs().max() < 0.05


def test_elements_of_the_conic_group_from_both_parametrisations():
    turn = F.gram_schmidt_rotation(normal(2, 2, 3))
    mirror = F.householder_product(normal(2, 3, 3, seed=1))
    for rotations in (turn, mirror):
        element = ConicElement.from_rotations(rotations)
        assert_equivariant(lambda x: F.colu(x, dim=4), element, normal(5, 8))
