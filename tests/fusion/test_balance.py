"""Positive scales are found where units have them, leave the function, and end in one state for each orbit."""

import copy

import pytest
import torch
from torch import nn

from colu.fusion import apply, balance, from_sequential, invariance_error, match_weights, trace_spec
from colu.lab.models import GPT, CIFARResNet
from colu.nn import CoLU
from colu.testing import assert_same_function

NETS = {
    "relu": lambda nets: (nets.mlp(nn.ReLU), nets.vectors()),
    "leaky": lambda nets: (nets.mlp(nn.LeakyReLU), nets.vectors()),
    "hard": lambda nets: (nets.mlp(), nets.vectors()),
    "soft": lambda nets: (nets.mlp(lambda: CoLU(dim=4, scaling="soft")), nets.vectors()),
    "axes first": lambda nets: (nets.mlp(lambda: CoLU(dim=4, layout="axes_first")), nets.vectors()),
    "shared": lambda nets: (nets.mlp(lambda: CoLU(dim=4, share_axis=True), (6, 13, 25, 5)), nets.vectors()),
    "conv": lambda nets: (nets.conv(nn.ReLU), nets.images()),
    "behind BatchNorm": lambda nets: (nets.conv(nn.ReLU, nn.BatchNorm2d), nets.images()),
    "cones behind BatchNorm": lambda nets: (nets.batch_normed(), nets.vectors(50, 12)),
}


def loaded(model, state):
    other = copy.deepcopy(model).double()
    other.load_state_dict(state)
    return other


def drawn(found, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(found.units(name), generator=generator).double() * 3 + 0.1 for name in found.makes}


@pytest.mark.parametrize("name", NETS)
def test_scales_leave_the_function_and_the_balanced_state(nets, name):
    model, x = NETS[name](nets)
    model = nets.randomised(model).double().eval()
    spec, state = from_sequential(model, x), model.state_dict()
    found = balance(model, spec, x)
    assert set(found.makes) == set(spec.groups) and not found.kept
    scaled = found.scaled(state, drawn(found))
    assert nets.distance(scaled, state) > 0.1
    assert_same_function(model, loaded(model, scaled), x, tol=1e-10)
    one, other = (found.apply(each, sweeps=2000) for each in (state, scaled))
    assert_same_function(model, loaded(model, one), x, tol=1e-10)
    # One state for each orbit: where it was scaled to before does not matter.
    assert nets.distance(one, other) < 1e-6
    for group in found.makes:
        made, read = (
            sum(one[place.parameter].movedim(place.axis, 0)[place.units == 0].square().sum() for place in places[group])
            for places in (found.makes, found.reads)
        )
        assert made.item() == pytest.approx(read.item(), rel=1e-6)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.GELU, nn.ReLU6])
def test_units_that_are_not_homogeneous_keep_their_scale(nets, activation):
    model = nets.mlp(activation)
    found = balance(model, from_sequential(model), nets.vectors())
    assert not found.makes and all(error > 1e-3 for error in found.kept.values())
    with pytest.raises(ValueError, match="units of '0' have no scales; use some of none"):
        found.scaled(model.state_dict(), {"0": torch.ones(3)})


def test_a_residual_stream_of_relus_is_scaled_as_one_and_heads_are_not(nets):
    model = nets.randomised(CIFARResNet(8, widths=(4, 8, 8))).eval()
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = balance(model, trace_spec(model, x), x)
    assert {"conv", "blocks.0.conv1"} <= set(found.makes)
    state = model.double().state_dict()
    assert_same_function(model, loaded(model, found.apply(state)), x.double(), tol=1e-9)
    text = nets.randomised(GPT(11, length=6, width=16, depth=1, heads=2, activation="relu"))
    tokens = torch.arange(12).view(2, 6) % 11
    found = balance(text, trace_spec(text, tokens), tokens)
    # Of the stream the gains and shifts of its norms have scales, which the layers behind them undo.
    assert list(found.makes) == ["tokens", "blocks.0.up"] and set(found.kept) == {"blocks.0.qkv"}
    assert all("norm" in place.parameter for place in found.makes["tokens"])
    assert_same_function(text.double(), loaded(text, found.scaled(text.state_dict(), drawn(found))), tokens, tol=1e-10)


def test_a_planted_scale_is_undone_by_balancing_and_not_by_matching(nets):
    model = nets.mlp(nn.ReLU).double()
    spec, state = from_sequential(model), model.state_dict()
    found = balance(model, spec, nets.vectors())
    moved = apply(spec, spec.random(1), found.scaled(state, drawn(found, 2)))
    plain = match_weights(spec, state, moved).apply(spec, moved)
    one, other = (found.apply(each, sweeps=2000) for each in (state, moved))
    back = match_weights(spec, one, other).apply(spec, other)
    assert nets.distance(back, one) < 1e-6 < nets.distance(plain, state)
    assert invariance_error(model, spec, nets.vectors()) < 1e-12


@pytest.mark.parametrize("factors", [torch.ones(3), torch.zeros(24), -torch.ones(24), torch.ones(24, 1)], ids=str)
def test_what_is_no_scale_is_refused(nets, factors):
    model = nets.mlp(nn.ReLU)
    found = balance(model, from_sequential(model), nets.vectors())
    if factors.shape == (24,) and found.units("0") != 24:
        factors = factors[:1].expand(found.units("0"))
    with pytest.raises(ValueError, match="positive ones"):
        found.scaled(model.state_dict(), {"0": factors})


@pytest.mark.parametrize("x", [torch.zeros(0, 6), torch.full((3, 6), float("nan"))], ids=["empty", "nan"])
def test_an_example_that_shows_nothing_is_refused(nets, x):
    """Units of tanh would else count as free."""
    model = nets.mlp(nn.Tanh)
    with pytest.raises(ValueError, match="nothing at all|NaN or infinity"):
        balance(model, from_sequential(model), x.double())
