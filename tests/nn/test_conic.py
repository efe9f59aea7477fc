"""Conic modules: agreement with the functions, state, printing."""

import math

import pytest
import torch
from torch import nn

from colu.functional import colu, rcolu, soc_projection
from colu.nn import MPU, CoLU, RCoLU
from colu.testing import assert_gradients_finite, assert_same_function


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


OPTIONS = [
    {},
    dict(dim=3, scaling="soft", axis_mode="rectify"),
    dict(num_groups=2, p=math.inf, angle=0.5, double=True),
    dict(dim=6, layout="axes_first", eps=1e-7, channel_dim=-1),
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("module, function", [(CoLU, colu), (RCoLU, rcolu)])
def test_module_is_its_function(module, function, options):
    assert_same_function(module(**options), lambda v: function(v, **options), normal(5, 12))


@pytest.mark.parametrize("options", [{}, dict(dim=4, axis="coordinate", angle=0.4), dict(num_groups=1, leak=0.01)])
def test_mpu_is_the_projection(options):
    assert_same_function(MPU(**options), lambda v: soc_projection(v, **options), normal(5, 12))


@pytest.mark.parametrize("module", [CoLU, RCoLU, MPU])
def test_learnable_angle_starts_at_the_fixed_one_and_trains(module):
    x = normal(200, 12).float()
    learnt, fixed = module(dim=4, angle=0.5, learnable_angle=True), module(dim=4, angle=0.5)
    assert_same_function(learnt, fixed, x)
    assert_gradients_finite(learnt, [x, torch.zeros(1, 4), 1e20 * x[:, :4]])
    target = module(dim=4, angle=1.0)(x)
    optimiser = torch.optim.Adam(learnt.parameters(), lr=0.05)
    for _ in range(100):
        optimiser.zero_grad()
        (learnt(x) - target).square().mean().backward()
        optimiser.step()
    assert abs(learnt.angle.item() - 1.0) < 0.01


def test_angle_stays_in_range_for_any_parameter():
    module = MPU(learnable_angle=True)
    for value in (-10.0, 0.0, 10.0):
        nn.init.constant_(module.angle_logit, value)
        assert 0 < module.angle.item() < math.pi / 2


def test_no_parameters_unless_asked(tmp_path):
    assert not CoLU().state_dict() and not RCoLU().state_dict() and not MPU().state_dict()
    assert list(CoLU(learnable_angle=True).state_dict()) == ["angle_logit"]


def test_safetensors_round_trip(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    source = nn.Sequential(nn.Linear(6, 8), MPU(angle=0.7, learnable_angle=True), nn.Linear(8, 8), CoLU(8))
    copy = nn.Sequential(nn.Linear(6, 8), MPU(learnable_angle=True), nn.Linear(8, 8), CoLU(8))
    safetensors.save_file(source.state_dict(), tmp_path / "net.safetensors")
    copy.load_state_dict(safetensors.load_file(tmp_path / "net.safetensors"))
    assert_same_function(source, copy, normal(4, 6).float(), tol=0.0)


@pytest.mark.parametrize("module", [CoLU(double=True), RCoLU(double=True), MPU(learnable_angle=True)])
def test_options_hide_no_method_of_modules(module):
    assert module.double() is module and module.float() is module
    hidden = {name for name in vars(module) if callable(getattr(nn.Module, name, None))}
    assert not hidden


@pytest.mark.parametrize(
    "module, text",
    [
        (CoLU(), "CoLU(dim=4)"),
        (CoLU(num_groups=2, p=1, angle=0.5), "CoLU(num_groups=2, p=1, angle=0.5)"),
        (RCoLU(3, -1, scaling="soft"), "RCoLU(dim=3, channel_dim=-1, scaling='soft')"),
        (MPU(learnable_angle=True), "MPU(dim=2, learnable_angle=True, angle=0.7854)"),
    ],
)
def test_prints_what_differs_from_the_defaults(module, text):
    assert repr(module) == text


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CoLU(dim=0), "dim=0"),
        (lambda: CoLU(dim=1, share_axis=True), "dim=1"),
        (lambda: CoLU(num_groups=-1), "num_groups=-1"),
        (lambda: CoLU(scaling="x"), "'x'"),
        (lambda: RCoLU(double=True, axis_mode="rectify"), "double"),
        (lambda: MPU(axis="first"), "'first'"),
        (lambda: MPU(leak=2.0), "leak=2.0"),
        (lambda: MPU(angle=2.0), "angle=2.0"),
        (lambda: CoLU(angle=torch.tensor(0.5)), "learnable_angle"),
        (lambda: CoLU(share_axis=True).gain(), "num_channels"),
    ],
)
def test_bad_options_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("module", [CoLU(), RCoLU(), MPU()], ids=repr)
def test_scripting_is_refused_with_what_works(module):
    x = torch.randn(3, 8)
    with pytest.raises(ValueError, match="not for torch.jit.script.*torch.jit.trace"):
        torch.jit.script(nn.Sequential(module))
    torch.testing.assert_close(torch.jit.trace(module, x)(x), module(x))


def test_the_error_on_tokens_names_the_trap_and_the_way_out():
    wanted = r"197 channels do not fit dim=4.*Dimension 1 of \(2, 197, 192\).*channel_dim=-1"
    with pytest.raises(ValueError, match=wanted):
        CoLU()(torch.zeros(2, 197, 192))
    assert CoLU(channel_dim=-1)(torch.zeros(2, 197, 192)).shape == (2, 197, 192)
    assert "channel_dim=-1" in CoLU.__doc__ and "tokens" in CoLU.__doc__


def test_sizes_that_cannot_work_together_are_refused_and_all_that_is_given_is_shown():
    with pytest.raises(ValueError, match="num_groups=0 is the identity and dim=3"):
        CoLU(dim=3, num_groups=0)
    assert repr(CoLU(dim=3, num_groups=2)) == "CoLU(dim=3, num_groups=2)"
    with pytest.raises(ValueError, match="dim=3 and num_groups=2 do not fit 8 channels"):
        CoLU(dim=3, num_groups=2)(torch.zeros(1, 8))
