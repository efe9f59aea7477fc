"""Transport: growth keeps the function, plans have the marginals they should, and failed plans raise."""

import itertools
import math
import warnings

import pytest
import torch
from torch import nn

from colu.fusion import (
    Alignment,
    DiffusePlanWarning,
    Plan,
    carry,
    check_coupling,
    compare,
    from_sequential,
    lerp,
    match_activations,
    norm_kept,
    random_alignment,
    trace_spec,
    transport_plans,
)
from colu.fusion.units import Units
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


def gated(width):
    return nn.Sequential(nn.Linear(6, width), NormReLU(width), nn.Linear(width, 5))


class Heads(nn.Module):
    """Attention with a query, key and value for each head, or keys that heads share, between layers that read it."""

    def __init__(self, heads=4, keys=None, joined=False):
        super().__init__()
        self.heads, self.keys = heads, keys or heads
        sizes = 3 * heads, 3 * self.keys, 2 * self.keys
        made = {"qkv": nn.Linear(6, sum(sizes))} if joined else {}
        made |= {} if joined else {n: nn.Linear(6, size) for n, size in zip("qkv", sizes, strict=True)}
        self.made, self.sizes, self.out = nn.ModuleDict(made), sizes, nn.Linear(2 * heads, 5)

    def forward(self, x):
        if "qkv" in self.made:
            q, k, v = self.made["qkv"](x).split(self.sizes, -1)
        else:
            q, k, v = (self.made[n](x) for n in "qkv")
        q, k, v = (
            one.unflatten(-1, (count, -1)).transpose(1, 2)
            for one, count in zip((q, k, v), (self.heads, self.keys, self.keys), strict=True)
        )
        k, v = (one.repeat_interleave(self.heads // self.keys, 1) for one in (k, v))
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


UNITS = {
    "vectors": (lambda k: gated(8 * k), (6,)),
    "maxima": (lambda k: nn.Sequential(nn.Linear(6, 8 * k), Maxout(), nn.Linear(4 * k, 5)), (6,)),
    "signs": (lambda k: nn.Sequential(nn.Linear(6, 8 * k), nn.Tanh(), nn.Linear(8 * k, 5)), (6,)),
    "cones and BatchNorm": (
        lambda k: nn.Sequential(nn.Linear(6, 8 * k), nn.BatchNorm1d(8 * k), CoLU(dim=4), nn.Linear(8 * k, 5)), (6,)),
    "heads": (lambda k: Heads(4 * k), (7, 6)),
    "heads that share keys": (lambda k: Heads(4 * k, 2 * k), (7, 6)),
    "one layer for all heads": (lambda k: Heads(4 * k, joined=True), (7, 6)),
    "groups": (lambda k: nn.Sequential(nn.Linear(6, 8), nn.Unflatten(1, (8, 1)), nn.GroupNorm(4, 8), nn.ReLU(),
                                       nn.Flatten(), nn.Linear(8, 5)), (6,)),
    "a turning stream": (lambda k: nn.Sequential(nn.Linear(6, 8), nn.RMSNorm(8, elementwise_affine=False),
                                                 nn.Linear(8, 5)), (6,)),
}  # fmt: skip


def of_units(nets, name, k=1, seed=0):
    make, shape = UNITS[name]
    x = torch.randn(60, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    model = nets.randomised(make(k), seed)
    return model, trace_spec(model, x[:8]), x


@pytest.mark.parametrize("cost", ["weights", "activations"])
@pytest.mark.parametrize("name", UNITS)
def test_a_planted_element_of_any_group_is_recovered(nets, name, cost):
    model, spec, x = of_units(nets, name)
    state, other = model.state_dict(), nets.randomised(UNITS[name][0](1), 1)
    element = spec.random(seed=4)
    moved = Alignment(element, "random", "none", (0.0,), 0, True, 0).apply(spec, state)
    other.load_state_dict(moved)
    sources = (moved, state) if cost == "weights" else (other, model, x)
    plans = transport_plans(spec, spec, *sources, cost=cost)
    back = carry(spec, plans, moved)
    assert (logits(model, back, x) - model(x)).abs().max() < 1e-9
    assert all(torch.allclose(back[key], state[key], atol=1e-8) for key in state)
    if any(one.turns or one.kind == "signed" for plan in plans.values() for one in Units.of(plan.source).inner):
        plain = carry(spec, transport_plans(spec, spec, *sources, cost=cost, mode="permutation"), moved)
        assert not all(torch.allclose(plain[key], state[key], atol=1e-2) for key in state)


@pytest.mark.parametrize("name", [name for name in UNITS if name not in ("groups", "a turning stream")])
def test_growth_of_units_that_turn_leaves_the_function_unchanged(nets, name):
    (small, spec, x), (large, wide, _) = of_units(nets, name), of_units(nets, name, 2, seed=3)
    for options in ({"cost": "weights"}, {"cost": "activations", "batches": x}):
        plans = transport_plans(spec, wide, small, large, **options)
        assert all(plan.largest_perplexity == pytest.approx(1) for plan in plans.values())
        grown = carry(spec, plans, small.state_dict(), wide)
        assert (logits(large, grown, x) - small(x)).abs().max() < 1e-9
    if "heads" in name:
        with pytest.raises(ValueError, match="are others in B; give target="):
            carry(spec, plans, small.state_dict())


def test_the_best_pairs_of_heads_are_those_of_every_order_tried(nets):
    model, spec, x = of_units(nets, "heads")
    states = model.state_dict(), nets.randomised(Heads(), 1).state_dict()
    plan = transport_plans(spec, spec, *states, cost="weights", squared=True)["made.q"]

    def rows(state, head):
        return [
            torch.cat([torch.cat([state[f"made.{n}.weight"], state[f"made.{n}.bias"][:, None]], 1)[head * s :][:s]
                       for n in names], 1)
            for names, s in (("qk", 3), ("v", 2))
        ]  # fmt: skip

    def cost(a, b):
        pairs = list(zip(rows(states[0], a), rows(states[1], b), strict=True))
        nearest = sum(torch.linalg.svdvals(two @ one.T).sum() for one, two in pairs)
        return sum(one.square().sum() + two.square().sum() for one, two in pairs) - 2 * nearest

    best = min(itertools.permutations(range(4)), key=lambda order: sum(cost(g, h) for h, g in enumerate(order)))
    assert plan.coupling.argmax(0).tolist() == list(best)


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
def test_soft_plans_average_heads_each_turned_to_the_one_that_it_becomes(nets):
    model, spec, x = of_units(nets, "heads")
    state, other = model.state_dict(), nets.randomised(Heads(), 1).state_dict()
    plan = transport_plans(spec, spec, state, other, cost="weights", solver="partners", partners=2)["made.q"]
    value = torch.stack(state["made.v.weight"].split(2))
    wanted = torch.einsum("gh,hgij,gjd->hid", 4 * plan.coupling, plan.turns[1], value).flatten(0, 1)
    carried = carry(spec, {"made.q": plan}, state)
    assert torch.allclose(carried["made.v.weight"], wanted, atol=1e-12)
    assert plan.perplexity == pytest.approx(2)


def test_units_that_differ_inside_are_refused_by_name(nets):
    model, spec, x = of_units(nets, "heads")
    other = nets.randomised(Heads(4))
    wide = trace_spec(nets.randomised(nn.Sequential(nn.Linear(6, 8), nn.RMSNorm(8, elementwise_affine=False),
                                                    nn.Linear(8, 5))), x[:, 0])  # fmt: skip
    narrow = trace_spec(nets.randomised(nn.Sequential(nn.Linear(6, 6), nn.RMSNorm(6, elementwise_affine=False),
                                                      nn.Linear(6, 5))), x[:, 0])  # fmt: skip
    with pytest.raises(ValueError, match=r"'0' is O\(8\) in A and O\(6\) in B; only the number of units may differ"):
        transport_plans(wide, narrow, other, other, x)
    with pytest.raises(ValueError, match="2 samples do not determine rotations of 3 dimensions for 'made.q'"):
        transport_plans(spec, spec, model, other, x[:1, :1])


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


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
def test_rows_and_columns_are_normalised_each_on_its_side(nets):
    (small, large), specs = pair(nets, "relu")
    plans = transport_plans(*specs, small, large, nets.vectors(200), solver="sinkhorn", eps=0.05)
    made, read = plans["0"].operator("out"), plans["0"].operator("in")
    assert torch.allclose(made.sum(1), torch.ones(16).double(), atol=1e-12)
    assert torch.allclose(read.sum(0), torch.ones(8).double(), atol=1e-12)
    assert read.sum(1).mean() == pytest.approx(0.5)


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
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


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
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
        (torch.zeros(3, 3), "no mass"),
        (torch.full((3, 3), torch.nan), "NaN"),
        (torch.full((3, 3), 1.0), "marginals"),
        (torch.eye(3) / 3 + torch.tensor([[0.1, -0.1, 0.0]] * 3), "negative"),
        (torch.eye(3) / 3 * torch.tensor([1.0, 1.0, 1.05]), "raise max_iterations or eps"),
    ],
)
def test_plans_that_are_none_raise(coupling, message):
    with pytest.raises(ValueError, match=message):
        check_coupling(coupling.double())


def test_a_solver_that_did_not_converge_raises(nets):
    (small, large), specs = pair(nets, "hard")
    with pytest.raises(ValueError, match="eps=0.0001 after 2 iterations.*try max_iterations=20 or eps=0.0003"):
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


def by_hand(one, other):
    """Exact transport of weights, Euclidean and not squared, by trying every order: A in the order of B, and B in that
    of A."""

    def best(rows, targets):
        cost = torch.cdist(rows, targets)
        orders = itertools.permutations(range(len(rows)))
        return list(min(orders, key=lambda order: sum(cost[g, h] for h, g in enumerate(order))))

    moved = {}
    first = best(one["0.weight"], other["0.weight"])
    second = best(one["2.weight"][:, first], other["2.weight"])
    moved["0.weight"] = one["0.weight"][first]
    moved["2.weight"] = one["2.weight"][:, first][second]
    moved["4.weight"] = one["4.weight"][:, second]
    return moved, first, second


def test_published_transport_of_weights_is_what_one_gets_by_hand_in_both_directions(nets):
    one, other = (
        nets.randomised(
            nn.Sequential(nn.Linear(5, 6, bias=False), nn.ReLU(), nn.Linear(6, 5, bias=False), nn.ReLU(),
                          nn.Linear(5, 3, bias=False)), seed)
        for seed in (0, 3)
    )  # fmt: skip
    spec, states = from_sequential(one), (one.state_dict(), other.state_dict())
    options = {"cost": "weights", "squared": False}
    there, back = transport_plans(spec, spec, one, other, **options), transport_plans(spec, spec, other, one, **options)
    carried, (wanted, first, second) = carry(spec, there, states[0]), by_hand(*states)
    assert all(torch.allclose(carried[name], wanted[name], atol=1e-12) for name in wanted)
    for name, order in (("0", first), ("2", second)):
        assert torch.allclose(there[name].coupling, back[name].coupling.T, atol=1e-12)
        assert there[name].coupling.argmax(0).tolist() == order
    x = nets.vectors(50, 5)
    fused = lerp(states[1], carried, 0.5), lerp(states[0], carry(spec, back, states[1]), 0.5)
    assert (logits(one, fused[0], x) - logits(one, fused[1], x)).abs().max() < 1e-12


def test_the_square_of_the_distance_can_choose_otherwise():
    # One unit stays and the other goes 7: less way, but more squares, than 3.6 and 4.5 for both.
    spec = from_sequential(nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)))
    a = {"0.weight": torch.tensor([[0.0, 0.0], [3.0, 2.0]]), "2.weight": torch.ones(1, 2)}
    b = {"0.weight": torch.tensor([[3.0, 2.0], [7.0, 0.0]]), "2.weight": torch.ones(1, 2)}
    plans = [transport_plans(spec, spec, a, b, cost="weights", squared=flag)["0"] for flag in (True, False)]
    assert plans[0].coupling.diagonal().sum() == 1 and plans[1].coupling.diagonal().sum() == 0


@pytest.mark.parametrize("name", ["hard", "axes first", "rotated", "relu"])
def test_weights_recover_a_planted_element_rotations_too(nets, name):
    model = nets.mlp(nets.mlps[name])
    spec, state = from_sequential(model), model.state_dict()
    moved = random_alignment(spec, seed=4).apply(spec, state)
    back = carry(spec, transport_plans(spec, spec, moved, state, cost="weights"), moved)
    assert all(torch.allclose(back[key], state[key], atol=1e-9) for key in state)
    if name != "relu":
        plain = carry(spec, transport_plans(spec, spec, moved, state, cost="weights", mode="permutation"), moved)
        assert not torch.allclose(plain["0.weight"], state["0.weight"], atol=1e-2)


def test_weights_carry_residual_networks_and_growth(nets):
    from colu.lab.models import CIFARResNet

    small = nets.randomised(CIFARResNet(8, widths=(4, 8, 8), norm="batch"), 1)
    spec, state = trace_spec(small), small.state_dict()
    moved = random_alignment(spec, seed=2).apply(spec, state)
    back = carry(spec, transport_plans(spec, spec, moved, state, cost="weights"), moved)
    assert all(torch.allclose(back[key], state[key], atol=1e-12) for key in state)
    (narrow, large), specs = pair(nets, "hard")
    grown = carry(specs[0], transport_plans(*specs, narrow, large, cost="weights"), narrow.state_dict())
    x = nets.vectors(20)
    assert (logits(large, grown, x) - narrow(x)).abs().max() < 1e-9


def test_samples_belong_to_activations_alone(nets):
    (small, large), specs = pair(nets, "relu")
    with pytest.raises(ValueError, match="reads no samples"):
        transport_plans(*specs, small, large, nets.vectors(), cost="weights")
    with pytest.raises(ValueError, match="compares outputs on samples"):
        transport_plans(*specs, small, large)


def test_a_diffuse_plan_warns_and_a_hard_one_does_not(nets):
    model, other = nets.mlp(nn.ReLU), nets.mlp(nn.ReLU, seed=3)
    spec, x = from_sequential(model), nets.vectors(200)
    with pytest.warns(DiffusePlanWarning, match="'0': a unit is the mean of .* of 16 units"):
        soft = transport_plans(spec, spec, other, model, x, solver="sinkhorn", eps=1.0)
    with pytest.warns(DiffusePlanWarning, match="keep less than 0.5 of the norm"):
        carried = carry(spec, soft, other.state_dict())
    assert min(norm_kept(spec, other.state_dict(), carried).values()) < 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("error", DiffusePlanWarning)
        hard = transport_plans(spec, spec, other, model, x)
        kept = norm_kept(spec, other.state_dict(), carry(spec, hard, other.state_dict()))
        assert all(share == pytest.approx(1) for share in kept.values())
        (small, large), specs = pair(nets, "relu")
        plans = transport_plans(*specs, small, large, x)
        kept = norm_kept(specs[0], small.state_dict(), carry(specs[0], plans, small.state_dict()))
        assert all(share == pytest.approx(1) for share in kept.values())


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
def test_marginals_within_the_tolerance_hardly_move_the_network(nets):
    model, other = nets.mlp(nn.ReLU), nets.mlp(nn.ReLU, seed=3)
    spec, x = from_sequential(model), nets.vectors(200)
    settings = {"solver": "sinkhorn", "eps": 0.01}
    exact = transport_plans(spec, spec, other, model, x, max_iterations=100_000, tol=1e-6, **settings)
    steps = 10
    while True:
        try:
            loose = transport_plans(spec, spec, other, model, x, max_iterations=steps, **settings)
            break
        except ValueError:
            steps *= 2
    off = max(check_coupling(plan.coupling) for plan in loose.values())
    assert 1e-4 < off <= 1e-2
    near, far = (carry(spec, plans, other.state_dict()) for plans in (exact, loose))
    for name in near:
        assert (near[name] - far[name]).norm() <= 0.02 * near[name].norm()


@pytest.mark.parametrize("coupling, message", [(torch.zeros(2, 2), "no mass"), (torch.full((2, 2), math.nan), "NaN")])
def test_no_plan_can_be_made_of_nothing(nets, coupling, message):
    group = from_sequential(nets.mlp(nn.ReLU)).groups["0"]
    with pytest.raises(ValueError, match=message):
        Plan(group, group, coupling.double(), {}, "by hand")


def test_plans_are_compared_as_alignments_are(nets):
    (small, large), specs = pair(nets, "relu")
    x = nets.vectors(200)
    data = (x, small(x).argmax(1))
    plans = transport_plans(*specs, small, large, x)
    states = large.state_dict(), small.state_dict()
    seen = compare(large, specs[0], *states, plans, data, split="toy", model_b=small)
    assert seen.parent_b.accuracy == seen.aligned_alone.accuracy == 1 and seen.keeps_the_parent
    assert seen.softness["0"]["largest"] == pytest.approx(1)
    assert seen.to_dict()["norm_kept"]["2.weight"] == pytest.approx(1)
    with pytest.warns(DiffusePlanWarning):
        soft = transport_plans(*specs, small, large, x, solver="sinkhorn", eps=1.0)
    with pytest.warns(DiffusePlanWarning):
        seen = compare(large, specs[0], *states, soft, data, split="toy", model_b=small)
    assert not seen.keeps_the_parent and seen.softness["0"]["mean"] > 2
