"""Views of a group act with the elements of the whole, and their covariances count where they belong."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Inner,
    Orthogonal,
    Part,
    Permutation,
    Spec,
    Vectors,
    Wreath,
    apply,
    assert_invariant_under,
    invariance_error,
    match_activations,
    match_weights,
    transformer_spec,
)
from colu.fusion.views import lifted, viewed
from colu.lab.models import GPT
from colu.testing import assert_different_function, assert_same_function

HEADS = Wreath(3, (Inner("orthogonal", 4), Inner("fixed"), Inner("signed", 2)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def test_views_take_the_elements_of_the_whole_group():
    group = Conic(3, 4, layout="axes_first")
    element = group.random(generator(5))
    x = normal(12, 6, seed=6)
    whole = group.act(element, x, 0)
    assert torch.equal(viewed(group, "units").act(element, x[:3], 0), whole[:3])
    assert torch.allclose(viewed(group, "sections").act(element, x[3:], 0), whole[3:])
    assert torch.allclose(lifted(group, "units", x[:3] @ x[:3].T)[:3, :3], x[:3] @ x[:3].T)
    product = lifted(group, "sections", x[3:] @ x[3:].T)
    assert torch.allclose(product[3:, 3:], x[3:] @ x[3:].T) and not product[:3].any()
    assert lifted(Vectors(3, 4), "units", torch.eye(3)) is None


def places(view):
    """The channels of a unit that a view of the heads has."""
    return {0: [0, 1, 2, 3], 1: [4], 2: [5, 6], "sections": [0, 1, 2, 3, 5, 6]}[view]


@pytest.mark.parametrize("view", [0, 1, 2, "sections"])
def test_a_set_moves_as_among_all_channels(view):
    element = HEADS.random(generator(1))
    x = normal(5, 21, 2, seed=2)
    part = x.view(5, 3, 7, 2)[:, :, places(view)].flatten(1, 2)
    whole = HEADS.act(element, x, 1).view(5, 3, 7, 2)[:, :, places(view)].flatten(1, 2)
    group = viewed(HEADS, view)
    assert group.size == part.shape[1]
    for axis in (1, -2):
        assert torch.allclose(group.act(element, part, axis), whole, atol=1e-12)
    # What the view contributes to the objective is what its covariance contributes among all channels.
    a, b = normal(group.size, 9, seed=3), normal(group.size, 9, seed=4)
    total = lifted(HEADS, view, a @ b.T)
    assert (element.as_matrix() * total).sum().item() == pytest.approx((a * group.act(element, b, 0)).sum().item())


@pytest.mark.parametrize("place, copies", [(0, 3), (2, 2), (1, 1)])
def test_copies_of_a_set_move_alike(place, copies):
    element, group = HEADS.random(generator(1)), viewed(HEADS, (place, copies))
    size = len(places(place))
    x = normal(2, 3, copies, size, 5, seed=2)
    acted = group.act(element, x.flatten(1, 3), 1).view(x.shape)
    alone = viewed(HEADS, place)
    for one in range(copies):
        wanted = alone.act(element, x[:, :, one].flatten(1, 2), 1).view(2, 3, size, 5)
        assert torch.allclose(acted[:, :, one], wanted, atol=1e-12)
    a, b = normal(group.size, 9, seed=3), normal(group.size, 9, seed=4)
    total = lifted(HEADS, (place, copies), a @ b.T)
    assert (element.as_matrix() * total).sum().item() == pytest.approx((a * group.act(element, b, 0)).sum().item())


def test_a_variance_moves_without_signs():
    group = Wreath(3, (Inner("fixed"), Inner("signed", 2), Inner("orthogonal"), Inner("permutation", 3)))
    element = group.random(generator(1))
    x = normal(21, 400, seed=2)
    even = viewed(group, "even")
    assert torch.equal(even.act(element, x.var(1), 0), group.act(element, x, 0).var(1))
    assert (group.act(element, x.var(1), 0) < 0).any()
    assert torch.equal(even.act(element, x, 0), element.as_matrix().abs() @ x)
    permuted = Permutation(5)
    assert viewed(permuted, "even") is permuted and torch.equal(lifted(permuted, "even", x[:5, :5]), x[:5, :5])
    still = Conic(2, 4, rotate=False)
    assert viewed(still, "even") is still


def test_units_have_one_entry_each():
    element = HEADS.random(generator(1))
    assert torch.equal(viewed(HEADS, "units").act(element, torch.arange(3), 0), element.permutation)
    assert lifted(HEADS, "units", torch.eye(3)) is None


@pytest.mark.parametrize("group, view, message", [
    (Orthogonal(4), "sections", "has no sections"),
    (Permutation(4), "sections", "has no sections"),
    (Wreath(2, Inner("signed", 2)), "sections", "has no sections"),
    (Orthogonal(4), "units", "has no units"),
    (HEADS, "even", "has no even; use a group of permutations"),
    (Wreath(2, Inner("mean", 3)), "even", "has no even"),
    (Conic(2, 4), "even", "has no even"),
    (HEADS, 3, "has no set 3"),
    (Conic(2, 4), 0, "has no set 0"),
], ids=str)  # fmt: skip
def test_views_that_a_group_lacks_are_refused(group, view, message):
    with pytest.raises(ValueError, match=message):
        viewed(group, view)


@pytest.mark.parametrize("view", ["all", -1, (0, 0), (0, 1, 2), 1.5, None])
def test_unknown_views_are_refused(view):
    with pytest.raises(ValueError, match="is unknown; use one of 'channels'"):
        Part("h", view=view)


def test_views_act_for_elements_of_their_group_only():
    for view in (0, "sections"):
        with pytest.raises(ValueError, match="same specification"):
            viewed(HEADS, view).act(Wreath(3, Inner("fixed", 7)).identity(), torch.zeros(21), 0)


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
    spec = nets.batch_normed_spec(("fixed", inner), FIXED)
    moved = copy.deepcopy(model)
    moved.load_state_dict(apply(spec, spec.random(1), model.state_dict()))
    # With the same variance for all channels a rotation passes, and with those of a batch it does not.
    assert_same_function(model, moved, x, tol=1e-12)
    assert_different_function(model.train(), moved.train(), x)
    assert invariance_error(nets.batch_normed(), spec, x) > 1e-2
    with pytest.raises(ValueError, match="has no even"):
        nets.batch_normed_spec(("fixed", inner))


def test_batch_norm_keeps_the_sign_of_an_axis(nets):
    spec = nets.batch_normed_spec(("signed", "signed"))
    assert invariance_error(nets.batch_normed(), spec, nets.vectors(200, 12)) > 1e-2


def test_scales_with_signs_change_the_function(nets):
    error = invariance_error(nets.batch_normed(), nets.batch_normed_spec(scales="channels"), nets.vectors(50, 12))
    # A negative variance has no root.
    assert not error < 1e-2


def heads_spec(model):
    """Heads that change places, with orthogonal maps of query and key and of value and output in each."""
    spec = transformer_spec(model, heads="move")
    groups, axes = dict(spec.groups), dict(spec.axes)
    for name, block in [(n, m) for n, m in model.named_modules() if hasattr(m, "qkv")]:
        key, size = f"{name}.attention", block.out.in_features // block.heads
        groups[key] = Wreath(block.heads, (Inner("orthogonal", size), Inner("orthogonal", size)))
        makes = (Part(key, view=0), Part(key, view=0), Part(key, view=1))
        axes |= {f"{name}.qkv.weight": (makes, "stream"), f"{name}.qkv.bias": (makes,),
                 f"{name}.out.weight": ("stream", Part(key, view=1))}  # fmt: skip
    return Spec(groups, axes)


def test_heads_move_and_turn_at_once(nets):
    model = nets.randomised(GPT(11, length=6, width=16, depth=1, heads=4, activation="gelu"))
    spec, tokens = heads_spec(model), torch.arange(12).view(2, 6) % 11
    for seed in range(3):
        assert_invariant_under(spec, model, tokens, tol=1e-11, seed=seed)
    state = model.state_dict()
    truth = spec.random(4)
    moved = apply(spec, truth, state)
    found = match_weights(spec, state, moved, max_sweeps=300, tol=1e-14)
    assert nets.distance(found.apply(spec, moved), state) < 1e-4
    key = "blocks.0.attention"
    assert torch.equal(found.elements[key].compose(truth[key]).permutation, torch.arange(4))
    assert found.describe()["groups"][key]["inside"] == 4
    for heads in ("move", "turn"):
        smaller = transformer_spec(model, heads=heads)
        near = match_weights(smaller, state, moved, max_sweeps=300, tol=1e-14)
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


def test_queries_that_share_a_key_turn_with_it(nets):
    model = nets.randomised(Grouped())
    group = Wreath(2, (Inner("orthogonal", 3), Inner("orthogonal", 5)))
    axes = {"out.weight": (FIXED, Part("heads", view=(1, 2))), "out.bias": (FIXED,)}
    for layer, view in (("query", (0, 2)), ("key", 0), ("value", 1)):
        axes |= {f"{layer}.weight": (Part("heads", view=view), FIXED), f"{layer}.bias": (Part("heads", view=view),)}
    spec = Spec({"heads": group}, axes)
    x = nets.vectors(7 * 6, 8).view(7, 6, 8)
    for seed in range(3):
        assert_invariant_under(spec, model, x, tol=1e-11, seed=seed)
    state = model.state_dict()
    moved = apply(spec, spec.random(4), state)
    found = match_weights(spec, state, moved, tol=1e-14)
    assert nets.distance(found.apply(spec, moved), state) < 1e-9
    other = copy.deepcopy(model)
    other.load_state_dict(moved)
    assert nets.distance(match_activations(spec, model, other, x).apply(spec, moved), state) < 1e-9
