"""Barriers are what their definition says, and alignment lowers them on networks that were trained."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.fusion import (
    BarrierCurve,
    Metrics,
    barrier,
    carry,
    compare,
    evaluate,
    evaluate_ensemble,
    from_sequential,
    lerp,
    match_activations,
    match_weights,
    random_alignment,
    transport_plans,
)
from colu.lab import data
from colu.lab.models import MLP
from colu.nn import CoLU


def digits(split):
    images = data.load("digits", split)
    return images.scaled(), images.labels


def trained(activation, seed, epochs=15, width=64, rate=1e-2):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MLP(64, [width, width], 10, activation=activation)
    x, y = digits("train")
    optimiser = torch.optim.Adam(model.parameters(), rate)
    draw = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = rate / 2 * (1 + math.cos(math.pi * epoch / epochs))
        for index in torch.randperm(len(x), generator=draw).split(100):
            optimiser.zero_grad()
            F.cross_entropy(model(x[index]), y[index]).backward()
            optimiser.step()
    return model.eval()


@pytest.fixture(scope="module")
def wide_cones():
    return [trained(lambda: CoLU(dim=16), seed) for seed in range(3)]


def test_loss_and_accuracy_are_those_of_the_definition(nets):
    model = nets.mlp()
    x, y = nets.vectors(), torch.arange(40) % 5
    found = evaluate(model, model.state_dict(), (x, y))
    assert found.loss == pytest.approx(F.cross_entropy(model(x), y).item())
    assert found.accuracy == pytest.approx((model(x).argmax(1) == y).double().mean().item())
    batches = list(zip(x.split(7), y.split(7), strict=True))
    assert evaluate(model, model.state_dict(), batches).loss == pytest.approx(found.loss)
    assert found.samples == 40
    with pytest.raises(ValueError, match="no samples"):
        evaluate(model, model.state_dict(), [])


def test_the_ends_of_a_line_are_its_parents_and_nothing_is_shared(nets):
    a, b = nets.mlp().state_dict(), nets.mlp(seed=4).state_dict()
    counted = [dict(state, seen=torch.tensor(count)) for count, state in enumerate((a, b))]
    for t, wanted in ((0.0, a), (1.0, b)):
        end = lerp(*counted, t)
        assert all(torch.equal(end[name], wanted[name]) for name in wanted)
        assert end["seen"] == 0
        assert end["0.weight"].data_ptr() not in (a["0.weight"].data_ptr(), b["0.weight"].data_ptr())
    assert torch.allclose(lerp(a, b, 0.25)["0.bias"], 0.75 * a["0.bias"] + 0.25 * b["0.bias"])
    with pytest.raises(ValueError, match="differ in .'0.bias'"):
        lerp(a, b | {"0.bias": torch.zeros(3)}, 0.5)


def test_a_barrier_is_the_height_above_the_chord():
    curve = BarrierCurve((0.0, 0.25, 1.0), (1.0, 4.0, 3.0), (0.9, 0.5, 0.8), "test", 10)
    assert curve.loss_barrier == pytest.approx(4.0 - (0.75 * 1 + 0.25 * 3))
    assert curve.accuracy_barrier == pytest.approx(0.75 * 0.9 + 0.25 * 0.8 - 0.5)
    assert BarrierCurve((0.0, 0.5, 1.0), (1.0, 0.2, 1.0), (0.9, 0.95, 0.9), "test", 10).loss_barrier == 0
    stated = curve.to_dict()
    assert stated["split"] == "test" and "chord" not in stated["definition"] and "maximum" in stated["definition"]


@pytest.mark.parametrize("lambdas", [2, [0, 0.5], [0, 1, 0.5, 1], [0.1, 0.5, 1]])
def test_lambdas_that_miss_an_end_are_refused(nets, lambdas):
    model = nets.mlp()
    state = model.state_dict()
    with pytest.raises(ValueError, match="ascending from 0 to 1"):
        barrier(model, state, state, (nets.vectors(), torch.zeros(40).long()), split="test", lambdas=lambdas)


def test_two_frames_of_one_network_have_a_barrier_until_they_are_aligned(wide_cones):
    model = wide_cones[0]
    spec, state, test = from_sequential(model), model.state_dict(), digits("test")
    moved = random_alignment(spec, seed=1).apply(spec, state)
    assert barrier(model, state, moved, test, split="test", lambdas=5).loss_barrier > 0.3
    found = match_weights(spec, state, moved)
    assert barrier(model, state, found.apply(spec, moved), test, split="test", lambdas=5).loss_barrier < 1e-4


def test_conic_alignment_of_trained_pairs_beats_permutation_of_cones(wide_cones):
    spec, test = from_sequential(wide_cones[0]), digits("test")
    heights = {"naive": [], "permutation": [], "conic": []}
    for one, other in itertools.combinations(wide_cones, 2):
        for mode, values in heights.items():
            found = match_weights(spec, one.state_dict(), other.state_dict(), mode=mode, tol=1e-7)
            moved = found.apply(spec, other.state_dict())
            values.append(barrier(one, one.state_dict(), moved, test, split="test", lambdas=9).loss_barrier)
    assert all(c < 0.6 * p for c, p in zip(heights["conic"], heights["permutation"], strict=True))
    assert all(c < 0.6 * n for c, n in zip(heights["conic"], heights["naive"], strict=True))


@pytest.mark.parametrize("dim, share", [(4, 0.6), (16, 0.3)])
def test_rotations_take_away_what_permutations_of_cones_leave(dim, share):
    """Three independent pairs, no network in two of them."""
    nets = [trained(lambda: CoLU(dim=dim), seed, width=128, rate=5e-3) for seed in range(6)]
    spec, test = from_sequential(nets[0]), digits("test")
    heights = {"permutation": [], "conic": []}
    for one, other in zip(nets[::2], nets[1::2], strict=True):
        a, b = one.state_dict(), other.state_dict()
        for mode, values in heights.items():
            found = match_weights(spec, a, b, mode=mode, tol=1e-7)
            values.append(barrier(one, a, found.apply(spec, b), test, split="test", lambdas=9).loss_barrier)
    assert all(c < p for c, p in zip(heights["conic"], heights["permutation"], strict=True))
    assert sum(heights["conic"]) < share * sum(heights["permutation"])


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
@pytest.mark.parametrize("activation", [nn.ReLU, lambda: CoLU(dim=4)])
def test_a_trained_network_keeps_its_answers_when_it_grows(activation):
    small, large = (trained(activation, seed, 5, width) for seed, width in ((0, 32), (1, 64)))
    specs, test = [from_sequential(model) for model in (small, large)], digits("test")
    plans = transport_plans(*specs, small, large, digits("train")[0])
    grown = carry(specs[0], plans, small.state_dict())
    large.load_state_dict(grown)
    assert torch.allclose(large(test[0]), small(test[0]), atol=1e-5)
    alone, parent = (evaluate(model, model.state_dict(), test) for model in (large, small))
    assert alone.accuracy == parent.accuracy > 0.8
    assert alone.loss == pytest.approx(parent.loss, abs=1e-5)
    # A soft plan shrinks what it averages: the same check has to fail.
    soft = transport_plans(*specs, small, large, digits("train")[0], solver="sinkhorn", eps=0.1)
    assert evaluate(large, carry(specs[0], soft, small.state_dict()), test).accuracy < parent.accuracy


def test_activations_align_trained_pairs_too(wide_cones):
    one, other = wide_cones[:2]
    spec, test = from_sequential(one), digits("test")
    found = match_activations(spec, one, other, digits("train")[0])
    height = {
        name: barrier(one, one.state_dict(), state, test, split="test", lambdas=9).loss_barrier
        for name, state in {
            "aligned": found.apply(spec, other.state_dict()),
            "naive": other.state_dict(),
        }.items()
    }
    assert height["aligned"] < 0.6 * height["naive"]


def test_hard_alignment_keeps_the_parent_and_random_elements_ruin_the_mean(wide_cones):
    one, other = wide_cones[:2]
    spec, test = from_sequential(one), digits("test")
    states = one.state_dict(), other.state_dict()
    aligned = compare(one, spec, *states, match_weights(spec, *states), test, split="test")
    control = compare(one, spec, *states, random_alignment(spec, seed=1), test, split="test")
    for metrics in (aligned, control):
        assert metrics.keeps_the_parent
        assert metrics.aligned_alone.accuracy == metrics.parent_b.accuracy
    assert aligned.fused.loss < 0.6 * control.fused.loss
    assert aligned.ensemble.accuracy > 0.95
    assert aligned.norm_ratios["1.weight"] == pytest.approx(1, abs=1e-5)


def test_a_parent_that_lost_its_answers_is_not_called_kept():
    parent, other = Metrics(0.1, 0.97, 1000), Metrics(0.1, 0.90, 1000)
    from colu.fusion import FusionMetrics

    assert not FusionMetrics(parent, parent, other, parent, parent, {}, "test").keeps_the_parent
    louder = Metrics(0.2, 0.97, 1000)
    assert not FusionMetrics(parent, parent, louder, parent, parent, {}, "test").keeps_the_parent


def test_an_ensemble_averages_probabilities(nets):
    model = nets.mlp()
    x, y = nets.vectors(), torch.arange(40) % 5
    states = [nets.mlp(seed=seed).state_dict() for seed in (1, 2)]
    mean = sum(nets.mlp(seed=seed)(x).softmax(1) for seed in (1, 2)) / 2
    found = evaluate_ensemble(model, states, (x, y))
    assert found.loss == pytest.approx(F.nll_loss(mean.log(), y).item())
    with pytest.raises(ValueError, match="no states"):
        evaluate_ensemble(model, [], (x, y))


def test_adjustment_is_asked_for_between_the_ends_only(nets):
    model, asked = nets.mlp(), []
    state = model.state_dict()

    def adjust(state, t):
        asked.append(t)
        return state

    barrier(model, state, state, (nets.vectors(), torch.zeros(40).long()), split="s", lambdas=5, adjust=adjust)
    assert asked == [0.25, 0.5, 0.75]


def test_relu_is_the_same_in_both_modes():
    models = [trained(nn.ReLU, seed, epochs=3) for seed in range(2)]
    spec = from_sequential(models[0])
    states = [model.state_dict() for model in models]
    assert match_weights(spec, *states).trace == match_weights(spec, *states, mode="permutation").trace


@pytest.mark.parametrize("loss", [(0.5, 2.0, 0.25), (3.0, 1.0, 1.5), (1.0, 1.25, 1.5)])
def test_the_printed_definition_gives_the_barrier(loss):
    curve = BarrierCurve((0.0, 0.25, 1.0), loss, (0.5, 0.5, 0.5), "toy", 1)
    assert curve.definition in str(curve.to_dict())
    # As a reader evaluates it who knows brackets, products and differences.
    formula, sign, rest = curve.definition.removeprefix("maximum over the lambdas of ").partition("; ")
    assert sign and rest == "for accuracy the sign is turned"
    formula = formula.replace("loss((1 - lambda) A + lambda B)", "here").replace("minus", "-")
    formula = formula.replace("(1 - lambda) loss", "(1 - t) * loss").replace("lambda loss", "t * loss")
    ends = {"A": loss[0], "B": loss[2]}
    values = [
        eval(formula, {"here": here, "t": t, "loss": ends.get, **{name: name for name in ends}})
        for t, here in zip(curve.lambdas, loss, strict=True)
    ]
    assert curve.loss_barrier == pytest.approx(max(values), abs=1e-12)
