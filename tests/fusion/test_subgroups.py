"""What does not see signs moves with the elements of the whole group, and what stays beside norms and in heads."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet

from colu.fusion import (
    Conic,
    Inner,
    Orthogonal,
    Part,
    Permutation,
    Spec,
    Wreath,
    WreathElement,
    apply,
    assert_invariant_under,
    carry,
    invariance_error,
    match_activations,
    match_weights,
    repair_statistics,
    trace_spec,
    transport_plans,
)
from colu.fusion.subgroups import even
from colu.lab.models import GPT
from colu.testing import assert_different_function, assert_same_function

HEADS = Wreath(3, (Inner("orthogonal", 4), Inner("fixed"), Inner("signed", 2)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def test_a_variance_moves_without_signs():
    group = Wreath(3, (Inner("fixed"), Inner("signed", 2), Inner("orthogonal"), Inner("permutation", 3)))
    element = group.random(generator(1))
    x = normal(21, 400, seed=2)
    signless = even(group)
    assert torch.equal(signless.act(element, x.var(1), 0), group.act(element, x, 0).var(1))
    assert (group.act(element, x.var(1), 0) < 0).any()
    assert torch.equal(signless.act(element, x, 0), element.as_matrix().abs() @ x)
    for permuted in (Permutation(5), Conic(2, 4, rotate=False)):
        assert even(permuted) is permuted


@pytest.mark.parametrize("group", [Orthogonal(4), Wreath(2, Inner("mean", 3)), Conic(2, 4), HEADS], ids=str)
def test_what_turns_channels_has_no_even_axis(group):
    for make in (even, lambda group: Spec({"h": group}, {"scale": (Part("h", even=True),)})):
        with pytest.raises(ValueError, match="turns channels, so an axis cannot be even"):
            make(group)


def test_batch_norm_leaves_signed_permutations_of_sections_in_both_modes(nets):
    model, spec, x = nets.batch_normed(), nets.batch_normed_spec(), nets.vectors(200, 12)
    for seed in range(5):
        assert_invariant_under(spec, model, x, tol=1e-12, seed=seed)
    moved = copy.deepcopy(model)
    moved.load_state_dict(apply(spec, spec.random(1), model.state_dict()))
    assert_same_function(copy.deepcopy(model).train(), moved.train(), x, tol=1e-12)


@pytest.mark.parametrize("inner", ["orthogonal", "mean"])
def test_batch_norm_leaves_no_rotation_of_a_section(nets, inner):
    """Not even where all scales and variances are one."""
    model, x = nets.batch_normed(), nets.vectors(200, 12)
    for layer in (1, 4):
        model[layer].weight.data.fill_(1)
        model[layer].running_var.fill_(1)
    spec = nets.batch_normed_spec(("fixed", inner), None)
    moved = copy.deepcopy(model)
    moved.load_state_dict(apply(spec, spec.random(1), model.state_dict()))
    # With the same variance for all channels a rotation passes, and with those of a batch it does not.
    assert_same_function(model, moved, x, tol=1e-12)
    assert_different_function(model.train(), moved.train(), x)
    assert invariance_error(nets.batch_normed(), spec, x) > 1e-2
    with pytest.raises(ValueError, match="turns channels"):
        nets.batch_normed_spec(("fixed", inner))


def test_batch_norm_keeps_the_sign_of_an_axis(nets):
    spec = nets.batch_normed_spec(("signed", "signed"))
    assert invariance_error(nets.batch_normed(), spec, nets.vectors(200, 12)) > 1e-2


def test_scales_with_signs_change_the_function(nets):
    error = invariance_error(nets.batch_normed(), nets.batch_normed_spec(even=False), nets.vectors(50, 12))
    # A negative variance has no root.
    assert not error < 1e-2


def test_heads_move_and_turn_at_once(nets):
    model = nets.randomised(GPT(11, length=6, width=16, depth=1, heads=4, activation="gelu"))
    tokens = torch.arange(12).view(2, 6) % 11
    spec, state = trace_spec(model, tokens), model.state_dict()
    key = "blocks.0.qkv"
    assert spec.groups[key] == Wreath(4, (Inner("orthogonal", 4), Inner("orthogonal", 4)))
    truth = spec.random(4)
    moved = apply(spec, truth, state)
    found = match_weights(spec, state, moved, max_sweeps=300, tol=1e-14)
    assert nets.distance(found.apply(spec, moved), state) < 1e-4
    assert torch.equal(found.elements[key].compose(truth[key]).permutation, torch.arange(4))
    assert found.describe()["groups"][key]["inside"] == 4
    # Heads that only move, or only turn, do not find it.
    for smaller in (Wreath(4, (Inner("fixed", 4),) * 2), Wreath(4, (Inner("orthogonal", 4),) * 2, exchange=False)):
        near = match_weights(Spec(spec.groups | {key: smaller}, spec.axes), state, moved, max_sweeps=300, tol=1e-14)
        assert near.objective < 0.98 * found.objective
    # The same from what the layers put out, at once.
    other = copy.deepcopy(model)
    other.load_state_dict(moved)
    many = torch.randint(11, (50, 6), generator=torch.Generator().manual_seed(0))
    assert nets.distance(match_activations(spec, model, other, many).apply(spec, moved), state) < 1e-8


class Grouped(nn.Module):
    """Four heads of queries that share two of keys and values."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 12), nn.Linear(8, 6), nn.Linear(8, 10)
        self.out = nn.Linear(20, 5)

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = (layer(x).view(batch, length, heads, -1).transpose(1, 2)
                   for layer, heads in ((self.query, 4), (self.key, 2), (self.value, 2)))  # fmt: skip
        y = F.scaled_dot_product_attention(q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1))
        return self.out(y.transpose(1, 2).flatten(2))


def test_queries_that_share_a_key_turn_with_it_and_change_places(nets):
    model = nets.randomised(Grouped())
    x = nets.vectors(7 * 6, 8).view(7, 6, 8)
    spec, state = trace_spec(model, x), model.state_dict()
    (group,) = spec.groups.values()
    assert group == Wreath(2, (Inner("orthogonal", 3), Inner("orthogonal", 5), Inner("permutation", 2)))
    moved = apply(spec, spec.random(4), state)
    found = match_weights(spec, state, moved, tol=1e-14)
    assert nets.distance(found.apply(spec, moved), state) < 1e-9
    other = copy.deepcopy(model)
    other.load_state_dict(moved)
    assert nets.distance(match_activations(spec, model, other, x).apply(spec, moved), state) < 1e-9


def by_hand(spec, name, group, orders, matrices):
    """An element from the order of its units and the matrices of the sets that are not fixed."""
    return spec.identity() | {name: WreathElement(torch.tensor(orders), group.inner, matrices)}


def test_the_best_of_shared_keys_is_that_of_trying_all_orders(nets):
    model, other = nets.randomised(Grouped()), nets.randomised(Grouped(), seed=1)
    spec = trace_spec(model, nets.vectors(42, 8).view(7, 6, 8))
    ((name, group),) = spec.groups.items()
    a, b = model.state_dict(), other.state_dict()
    eyes = tuple(torch.eye(n).double().repeat(2, 1, 1) for n in (3, 5))
    stay, swap = torch.eye(2).double(), torch.eye(2).double().flip(0)
    # Turns alone, in units that stay, are a problem without products.
    turns = replace(group, inner=(*group.inner[:2], Inner("fixed", 2)), exchange=False)
    alone, best = replace(spec.plain(), groups={name: turns}), -float("inf")
    for order in ([0, 1], [1, 0]):
        for heads in itertools.product((stay, swap), repeat=2):
            tried = apply(spec, by_hand(spec, name, group, order, (*eyes, torch.stack(heads))), b)
            best = max(best, match_weights(alone, a, tried).objective)
    found = match_weights(spec, a, b)
    assert found.objective == pytest.approx(best, abs=1e-9)
    # Without turns, what changes places is searched too.
    planted = apply(spec, by_hand(spec, name, group, [1, 0], (*eyes, torch.stack([swap, stay]))), a)
    units = match_weights(spec, a, planted, mode="permutation")
    assert nets.distance(units.apply(spec, planted), a) < 1e-12
    # The trace is the objective itself, and never falls.
    moved = found.apply(spec, b)
    assert found.objective == pytest.approx(sum((a[key] * moved[key]).sum().item() for key in spec.touched()), abs=1e-9)
    assert all(later >= earlier for earlier, later in itertools.pairwise(found.trace))


def test_queries_of_different_keys_do_not_change_places(nets):
    model = nets.randomised(Grouped())
    x = nets.vectors(42, 8).view(7, 6, 8)
    state = model.state_dict()

    def change(order):
        moved = dict(state)
        for key, axis, size in (("query.weight", 0, 3), ("query.bias", 0, 3), ("out.weight", 1, 5)):
            places = torch.cat([torch.arange(head * size, head * size + size) for head in order])
            moved[key] = state[key].index_select(axis, places)
        other = nets.randomised(Grouped())
        other.load_state_dict(moved)
        return (other(x) - model(x)).abs().max().item()

    assert change([1, 0, 2, 3]) < 1e-12 and change([1, 0, 3, 2]) < 1e-12
    assert change([2, 1, 0, 3]) > 1e-2 and change([0, 2, 1, 3]) > 1e-2


def residual(nets, groups=4, seed=0):
    """A ResNeXt of one block a stage, and pictures."""
    model = resnet.ResNet(resnet.Bottleneck, [1, 1, 0, 0], num_classes=5, groups=groups, width_per_group=4)
    model.layer3, model.layer4, model.fc = nn.Identity(), nn.Identity(), nn.Linear(512, 5)
    return nets.randomised(model, seed), torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()


def test_what_a_grouped_convolution_reads_changes_places_in_each_group(nets):
    model, x = residual(nets)
    spec, state = trace_spec(model, x), model.state_dict()
    inside = [group for group in spec.groups.values() if isinstance(group, Wreath)]
    assert inside == [Wreath(4, (Inner("permutation", n), Inner("permutation", n))) for n in (4, 8)]
    assert invariance_error(model, spec, x) < 1e-12 and spec.share == 1
    assert [row["group"] for row in spec.describe()][1] == "(Perm(4) x Perm(4)) wr Perm(4)"
    moved = apply(spec, spec.random(5), state)
    found = match_weights(spec, state, moved)
    assert nets.distance(found.apply(spec, moved), state) < 1e-10
    assert all(later >= earlier for earlier, later in itertools.pairwise(found.trace))
    # With the order inside each group kept, as before, it is out of reach.
    assert match_weights(spec.plain(), state, moved).objective < 0.99 * found.objective
    # The same from what the layers put out, at once.
    other = copy.deepcopy(model)
    other.load_state_dict(moved)
    many = torch.randn(20, 3, 16, 16, generator=torch.Generator().manual_seed(1)).double()
    assert nets.distance(match_activations(spec, model, other, many).apply(spec, moved), state) < 1e-10


def test_channels_of_different_groups_do_not_change_places(nets):
    model, x = residual(nets)
    state = model.state_dict()
    for order, free in (([1, 0, *range(2, 16)], True), ([4, *range(1, 4), 0, *range(5, 16)], False)):
        moved = dict(state)
        for key in ("conv1.weight", *(f"bn1.{kind}" for kind in ("weight", "bias", "running_mean", "running_var"))):
            moved[f"layer1.0.{key}"] = state[f"layer1.0.{key}"][order]
        other = copy.deepcopy(model)
        weight = state["layer1.0.conv2.weight"].clone()
        if free:
            # The weights of the first group follow.
            weight[:4] = weight[:4][:, [1, 0, 2, 3]]
        moved["layer1.0.conv2.weight"] = weight
        other.load_state_dict(moved)
        assert ((other(x) - model(x)).abs().max() < 1e-10) == free


@pytest.mark.parametrize("cost", ["weights", "activations"])
def test_transport_and_repair_keep_the_order_that_they_cannot_move(nets, cost):
    model = nets.randomised(Grouped())
    x = nets.vectors(42, 8).view(7, 6, 8)
    spec, state = trace_spec(model, x), model.state_dict()
    plain = spec.plain()
    moved = apply(plain, plain.random(3), state)
    other = copy.deepcopy(model)
    other.load_state_dict(moved)
    given = (moved, state) if cost == "weights" else (other, model, x)
    plans = transport_plans(spec, spec, *given, cost=cost)
    assert nets.distance(carry(spec, plans, moved), state) < 1e-9
    same = repair_statistics(spec, model, state, (state, state), x)
    assert nets.distance(same, state) < 1e-9
