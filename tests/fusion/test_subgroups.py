"""What does not see signs moves with the elements of the whole group, and what stays beside norms and in heads."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.fusion import (
    Conic,
    Inner,
    Orthogonal,
    Part,
    Permutation,
    Spec,
    Wreath,
    apply,
    assert_invariant_under,
    invariance_error,
    match_activations,
    match_weights,
    trace_spec,
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
