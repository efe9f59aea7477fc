"""Transport: growth keeps the function, plans have the marginals they should, and failed plans raise."""

import math

import pytest
import torch
from torch import nn

from colu.fusion import (
    carry,
    check_coupling,
    from_sequential,
    match_activations,
    random_alignment,
    transport_plans,
)
from colu.nn import LSLU, PWLU, AconC, CoLU, Maxout, NormReLU

WIDTHS = {
    "relu": (nn.ReLU, (6, 8, 12, 5), (6, 16, 24, 5)),
    "hard": (lambda: CoLU(dim=4), (6, 8, 12, 5), (6, 16, 24, 5)),
    "axes first": (lambda: CoLU(dim=4, layout="axes_first"), (6, 8, 12, 5), (6, 16, 24, 5)),
    "shared": (lambda: CoLU(dim=4, share_axis=True), (6, 7, 10, 5), (6, 13, 19, 5)),
}


def pair(nets, name):
    activation, small, large = WIDTHS[name]
    models = nets.mlp(activation, small), nets.mlp(activation, large, seed=3)
    return models, [from_sequential(model) for model in models]


def logits(model, state, x):
    return torch.func.functional_call(model, dict(state), (x,))


@pytest.mark.parametrize("mode", ["conic", "permutation"])
@pytest.mark.parametrize("name", WIDTHS)
def test_growth_to_twice_the_width_leaves_logits_unchanged(nets, name, mode):
    (small, large), specs = pair(nets, name)
    x = nets.vectors(200)
    plans = transport_plans(*specs, small, large, x, mode=mode)
    grown = carry(specs[0], plans, small.state_dict())
    assert (logits(large, grown, x) - small(x)).abs().max() < 1e-9
    assert all(plan.perplexity == pytest.approx(1) for plan in plans.values())


@pytest.mark.parametrize("name", WIDTHS)
def test_shrinking_undoes_growth(nets, name):
    (small, large), specs = pair(nets, name)
    x = nets.vectors(200)
    grown = carry(specs[0], transport_plans(*specs, small, large, x), small.state_dict())
    large.load_state_dict(random_alignment(specs[1], seed=2).apply(specs[1], grown))
    back = carry(specs[1], transport_plans(specs[1], specs[0], large, small, x), large.state_dict())
    assert (logits(small, back, x) - small(x)).abs().max() < 1e-9


@pytest.mark.parametrize("name", ["relu", "hard", "axes first", "rotated"])
def test_exact_plans_between_equal_widths_are_the_matching(nets, name):
    model, other = nets.mlp(nets.mlps[name]), nets.mlp(nets.mlps[name], seed=3)
    spec, x = from_sequential(model), nets.vectors(300)
    carried = carry(spec, transport_plans(spec, spec, other, model, x), other.state_dict())
    found = match_activations(spec, model, other, x).apply(spec, other.state_dict())
    assert all(torch.allclose(carried[name], found[name], atol=1e-9) for name in found)
    assert (logits(model, carried, x) - other(x)).abs().max() < 1e-9


@pytest.mark.parametrize("make", [LSLU, AconC, PWLU])
def test_parameters_of_activations_grow_with_their_channels(nets, make):
    small, large = (
        nets.randomised(nn.Sequential(nn.Linear(6, width), make(width), nn.Linear(width, 5))) for width in (8, 16)
    )
    specs, x = [from_sequential(model) for model in (small, large)], nets.vectors(200)
    grown = carry(specs[0], transport_plans(*specs, small, large, x), small.state_dict())
    assert (logits(large, grown, x) - small(x)).abs().max() < 1e-9


@pytest.mark.parametrize("make, message", [(lambda: NormReLU(8), "units and cones"), (Maxout, "only its units")])
def test_what_transport_does_not_know_is_refused(nets, make, message):
    leaving = 4 if make is Maxout else 8
    model = nets.randomised(nn.Sequential(nn.Linear(6, 8), make(), nn.Linear(leaving, 5)))
    spec = from_sequential(model)
    with pytest.raises(ValueError, match=message):
        transport_plans(spec, spec, model, model, nets.vectors(50))


def test_convolutions_and_flattened_pixels_grow(nets):
    model = nets.conv(lambda: CoLU(dim=4))
    large = nets.randomised(
        nn.Sequential(
            nn.Sequential(nn.Conv2d(2, 16, 3, padding=1), nn.Identity(), CoLU(dim=4)), nn.AvgPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.Identity(), CoLU(dim=4), nn.Flatten(),
            nn.Linear(24 * 9, 16), CoLU(dim=4), nn.Linear(16, 3),
        ), seed=4,
    )  # fmt: skip
    specs = from_sequential(model), from_sequential(large)
    # Pixels of an axis are those of a channel: axes agree by name and repeat.
    x = nets.images(30)
    grown = carry(specs[0], transport_plans(*specs, model, large, x), model.state_dict())
    assert (logits(large, grown, x) - model(x)).abs().max() < 1e-9


def test_rows_and_columns_are_normalised_each_on_its_side(nets):
    (small, large), specs = pair(nets, "relu")
    plans = transport_plans(*specs, small, large, nets.vectors(200), solver="sinkhorn", eps=0.05)
    made, read = plans["0"].operator("out"), plans["0"].operator("in")
    assert torch.allclose(made.sum(1), torch.ones(16).double(), atol=1e-12)
    assert torch.allclose(read.sum(0), torch.ones(8).double(), atol=1e-12)
    assert read.sum(1).mean() == pytest.approx(0.5)


def test_entropy_softens_and_less_of_it_is_nearer_to_exact(nets):
    (small, large), specs = pair(nets, "hard")
    x = nets.vectors(200)
    exact = transport_plans(*specs, small, large, x)["2"]
    soft = [
        transport_plans(*specs, small, large, x, solver="sinkhorn", eps=eps, max_iterations=20000)["2"]
        for eps in (0.01, 0.05, 0.3)
    ]
    perplexities = [plan.perplexity for plan in soft]
    assert 1 <= perplexities[0] < perplexities[1] < perplexities[2] <= 3
    away = [(plan.coupling - exact.coupling).abs().sum().item() for plan in soft]
    assert away[0] < away[1] < away[2]


def test_partners_set_the_softness(nets):
    model, other = nets.mlp(), nets.mlp(seed=3)
    spec, x = from_sequential(model), nets.vectors(200)
    norms = []
    for partners in (1, 2, 4):
        plans = transport_plans(spec, spec, other, model, x, solver="partners", partners=partners)
        assert all(plan.perplexity == pytest.approx(partners) for plan in plans.values())
        assert ((plans["0"].coupling > 0).sum(0) == partners).all()
        norms.append(carry(spec, plans, other.state_dict())["2.weight"].norm().item())
    assert norms[0] > norms[1] > norms[2]
    with pytest.raises(ValueError, match="partners=5 for 4 and 4 units"):
        transport_plans(spec, spec, other, model, x, solver="partners", partners=5)


def test_the_baseline_pads_or_cuts(nets):
    (small, large), specs = pair(nets, "hard")
    state = carry(specs[0], transport_plans(*specs, small, large, nets.vectors(50), solver="naive"), small.state_dict())
    assert torch.equal(state["0.weight"][:8], small.state_dict()["0.weight"])
    assert (state["0.weight"][8:] == 0).all()
    padded = transport_plans(*specs, small, large, nets.vectors(50), solver="naive")
    assert all(plan.perplexity == 1 for plan in padded.values())
    plans = transport_plans(specs[1], specs[0], large, small, nets.vectors(50), solver="naive")
    back = carry(specs[1], plans, large.state_dict())
    assert torch.equal(back["2.weight"], large.state_dict()["2.weight"][:12, :8])


@pytest.mark.parametrize(
    "coupling, message",
    [
        (torch.zeros(3, 3), "marginals"),
        (torch.full((3, 3), torch.nan), "NaN"),
        (torch.full((3, 3), 1.0), "marginals"),
        (torch.eye(3) / 3 + torch.tensor([[0.1, -0.1, 0.0]] * 3), "negative"),
        (torch.eye(3) / 3 * torch.tensor([1.0, 1.0, 1.01]), "did not converge"),
    ],
)
def test_plans_that_are_none_raise(coupling, message):
    with pytest.raises(ValueError, match=message):
        check_coupling(coupling.double())


def test_a_solver_that_did_not_converge_raises(nets):
    (small, large), specs = pair(nets, "hard")
    with pytest.raises(ValueError, match="did not converge"):
        transport_plans(*specs, small, large, nets.vectors(200), solver="sinkhorn", eps=1e-4, max_iterations=2)


@pytest.mark.parametrize("eps", [0.0, -1.0, math.nan])
def test_entropy_must_be_positive(nets, eps):
    (small, large), specs = pair(nets, "hard")
    with pytest.raises(ValueError, match="is out of range; use a number above 0"):
        transport_plans(*specs, small, large, nets.vectors(50), solver="sinkhorn", eps=eps)


def test_layers_that_do_not_correspond_are_refused(nets):
    one, other = nets.mlp(), nets.mlp(lambda: CoLU(dim=8))
    with pytest.raises(ValueError, match="only the number of units may differ"):
        transport_plans(from_sequential(one), from_sequential(other), one, other, nets.vectors())
    other = nets.mlp(widths=(6, 16, 5))
    with pytest.raises(ValueError, match="correspond by name"):
        transport_plans(from_sequential(one), from_sequential(other), one, other, nets.vectors())
    other = nets.mlp(lambda: CoLU(num_groups=1), (6, 16, 5))
    with pytest.raises(ValueError, match="9 samples do not determine rotations of 15"):
        transport_plans(from_sequential(other), from_sequential(other), other, other, nets.vectors(9))


def test_inputs_stay_and_the_same_call_gives_the_same_bits(nets):
    (small, large), specs = pair(nets, "hard")
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    runs = [
        carry(specs[0], transport_plans(*specs, small, large, nets.vectors()), small.state_dict()) for _ in range(2)
    ]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert all(torch.equal(small.state_dict()[name], before[name]) for name in before)
    with pytest.raises(ValueError, match="wanted one for each"):
        carry(specs[0], {}, small.state_dict())
