"""Gains: second moments against samples and closed forms, and weights drawn for them."""

import math

import pytest
import torch
from torch import nn

from colu.nn import MPU, CoLU, RCoLU, gain, kaiming_like_, second_moment_ratio


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: kaiming_like_(torch.zeros(3), "relu"), r"\(3,\)"),
        (lambda: kaiming_like_(torch.zeros(3, 3), "relu", mode="x"), "'x'"),
        (lambda: kaiming_like_(torch.zeros(3, 3), "relu", distribution="x"), "'x'"),
        (lambda: gain(lambda v: 0 * v), "no gain"),
    ],
)
def test_bad_options_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 9])
def test_projection_on_the_self_dual_cone_halves_the_second_moment(dim):
    assert abs(second_moment_ratio(MPU(dim=dim)) - 0.5) < 1e-12
    if dim > 1:
        assert abs(second_moment_ratio(MPU(dim=dim, angle=0.5)) - 0.5) > 0.05


# Monte Carlo figures of the conic family, three digits.
@pytest.mark.parametrize(
    "options, ratios",
    [
        ({}, {2: 0.590, 3: 0.432, 4: 0.340, 8: 0.184, 16: 0.094, 64: 0.023}),
        (dict(scaling="soft"), {2: 0.591, 3: 0.448, 4: 0.372, 8: 0.259, 16: 0.201, 64: 0.157}),
        (dict(axis_mode="rectify"), {2: 0.339, 3: 0.266, 4: 0.215, 8: 0.122, 16: 0.063, 64: 0.016}),
    ],
)
def test_second_moment_ratios(options, ratios):
    for dim, ratio in ratios.items():
        assert abs(second_moment_ratio(CoLU(dim=dim, **options)) - ratio) < 2e-3
    assert gain(CoLU(dim=4, **options)) == pytest.approx(ratios[4] ** -0.5, rel=5e-3)


@pytest.mark.parametrize(
    "module, channels",
    [
        (CoLU(scaling="log", double=True, angle=0.6), 12),
        (CoLU(scaling="firm", axis_mode="rectify"), 12),
        (CoLU(eps=0.5), 12),
        (CoLU(share_axis=True), 13),
        (RCoLU(share_axis=True, scaling="sqrt"), 13),
        (CoLU(p=1), 12),
        (CoLU(dim=2, s2="pointwise", scaling="soft"), 12),
        (CoLU(dim=1, axis_mode="rectify"), 12),
        (CoLU(num_groups=0), 12),
        (MPU(dim=3, angle=1.0, leak=0.1), 12),
        (MPU(dim=1), 12),
    ],
)
def test_ratio_matches_samples(module, channels):
    x = normal(40_000, channels)
    measured = (module(x).square().sum() / x.square().sum()).item()
    assert second_moment_ratio(module, channels) == pytest.approx(measured, rel=0.02)


def test_closed_form_of_the_hard_cone_in_the_plane():
    # Section: 2/pi times the integral of sin^2 up to 45 degrees and of cos^2 from there to 90.
    assert second_moment_ratio(CoLU(dim=2)) == pytest.approx((1 + 0.5 - 1 / math.pi) / 2, abs=1e-12)


def test_gain_of_pointwise_functions():
    assert gain("relu") == pytest.approx(math.sqrt(2), abs=1e-12)
    assert gain(torch.nn.Identity()) == pytest.approx(1.0, abs=1e-12)
    assert gain(torch.relu, 8) == pytest.approx(math.sqrt(2), rel=2e-3)
    # Second moment of a leaky slope a: (1 + a^2) / 2; the module has float32 parameters.
    assert gain(nn.PReLU(init=0.5), 4) == pytest.approx((0.5 * 1.25) ** -0.5, rel=2e-3)
    assert gain(nn.PReLU(init=0.5)) == pytest.approx((0.5 * 1.25) ** -0.5, rel=1e-6)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_kaiming_like_keeps_the_signal_where_he_loses_it(distribution):
    def norm_after(name):
        generator, x = torch.Generator().manual_seed(0), normal(256, 256)
        for _ in range(10):
            w = kaiming_like_(torch.empty(256, 256).double(), name, distribution=distribution, generator=generator)
            x = CoLU()(x) @ w.T
        return x.square().mean().item()

    assert 0.5 < norm_after("colu") < 2
    assert norm_after("relu") < 0.1


def test_kaiming_like_fans_of_a_convolution():
    w = torch.empty(64, 32, 3, 3)
    generator = torch.Generator().manual_seed(0)
    assert kaiming_like_(w, "relu", generator=generator).std().item() == pytest.approx((2 / 288) ** 0.5, rel=0.02)
    kaiming_like_(w, "relu", mode="fan_out", generator=generator)
    assert w.std().item() == pytest.approx((2 / 576) ** 0.5, rel=0.02)


GELU_MOMENT = 1 / 3 + 1 / (2 * math.pi * math.sqrt(3))


@pytest.mark.parametrize(
    "name, expected", [("relu", 0.5), ("squared-relu", 1.5), ("silu", 0.3557755198), ("gelu", GELU_MOMENT)]
)
def test_second_moments_of_pointwise_functions_are_their_integrals(name, expected):
    functions = {
        "relu": lambda x: max(x, 0),
        "squared-relu": lambda x: max(x, 0) ** 2,
        "silu": lambda x: x / (1 + math.exp(-x)),
        "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    }
    integrate = pytest.importorskip("scipy.integrate")
    density = integrate.quad(lambda x: functions[name](x) ** 2 * math.exp(-x * x / 2), -12, 12, limit=200)[0]
    assert abs(density / math.sqrt(2 * math.pi) - expected) < 1e-9
    assert abs(second_moment_ratio(name) - expected) < 1e-9
