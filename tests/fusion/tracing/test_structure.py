"""The group is the largest that the demands leave: channels are exchanged if nothing tells them apart."""

import pytest
import torch
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Inner,
    Orthogonal,
    Permutation,
    Wreath,
    apply,
    assert_invariant_under,
    match_weights,
    trace_spec,
)
from colu.nn import CoLU


class Constant(nn.Module):
    """Adds or multiplies numbers that are no parameters."""

    def __init__(self, values, product=False):
        super().__init__()
        self.one, self.two, self.product = nn.Linear(3, 6), nn.Linear(6, 2), product
        self.register_buffer("values", torch.tensor(values), persistent=False)

    def forward(self, x):
        h = self.one(x)
        return self.two(h * self.values if self.product else h + self.values)


@pytest.mark.parametrize(
    "values, product, groups",
    [
        ([0.0] * 6, False, {"one": Orthogonal(6)}),
        ([2.0] * 6, True, {"one": Orthogonal(6)}),
        ([2.0] * 6, False, {"one": Permutation(6)}),
        ([1.0, 1.0, 2.0, 2.0, 2.0, 3.0], False, {"one": Permutation(2), "one[2:]": Permutation(3)}),
        ([1.0, 1.0, 2.0, 2.0, 2.0, 3.0], True,
         {"one": Wreath(1, Inner("signed", 2)), "one[2:]": Wreath(1, Inner("signed", 3))}),
    ],
)  # fmt: skip
def test_equal_constants_may_be_exchanged_and_others_not(nets, values, product, groups):
    model, x = nets.randomised(Constant(values, product)), nets.vectors(width=3)
    spec = trace_spec(model, x)
    assert spec.groups == groups
    assert_invariant_under(spec, model, x)


def test_inputs_that_are_equal_by_chance_are_no_constants(nets):
    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x):
            return self.two(torch.relu(x + self.one(x)))

    model = nets.randomised(Beside())
    assert not trace_spec(model, torch.ones(4, 6)).groups


def test_a_buffer_that_is_saved_moves_and_one_that_is_not_stays(nets):
    class Shifted(nn.Module):
        def __init__(self, saved):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)
            self.register_buffer("shift", torch.arange(4.0), persistent=saved)

        def forward(self, x):
            return self.two(torch.relu(self.one(x) + self.shift))

    x = nets.vectors(width=3)
    spec = trace_spec(Shifted(True).double(), x)
    assert spec.groups == {"one": Permutation(4)} and spec.axes["shift"][0][0].name == "one"
    assert not trace_spec(Shifted(False).double(), x).groups


def test_what_is_said_of_a_specification(nets):
    model = nets.randomised(nn.Sequential(
        nn.Linear(5, 8), nn.BatchNorm1d(8), CoLU(dim=4), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)
    ))  # fmt: skip
    spec = trace_spec(model)
    assert spec.notes["0"].endswith("in '1'") and "4 (ReLU)" in spec.notes["3"]
    assert spec.share == 1 and spec.still == ()
    assert "1.running_mean" in spec.unmatched
    # A variance does not see the sign of its channel, a mean does.
    assert [spec.axes[f"1.running_{name}"][0][0].even for name in ("mean", "var")] == [False, True]
    assert spec.axes["0.weight"][1][0].name == FIXED


def test_the_smaller_group_of_units_alone(nets):
    model, x = nets.batch_normed(), nets.vectors(width=12)
    spec = trace_spec(model, x).units()
    assert all(group == Conic(group.groups, 4, rotate=False) for group in spec.groups.values())
    assert all(part.at is None for rules in spec.axes.values() for parts in rules for part in parts)
    assert_invariant_under(spec, model, x)


class Cosine(nn.Module):
    """Attention by the angle of queries and keys, with a scale a head."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(6, 12), nn.Linear(6, 12), nn.Linear(6, 12),
                                                      nn.Linear(12, 5))  # fmt: skip
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1))

    def forward(self, x):
        query, key, value = (
            layer(x).unflatten(-1, (3, 4)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        angles = nn.functional.normalize(query, dim=-1) @ nn.functional.normalize(key, dim=-1).transpose(-2, -1)
        weights = (angles * self.scale.clamp(max=4).exp()).softmax(-1)
        return self.out((weights @ value).transpose(1, 2).flatten(2))


def test_heads_of_unit_length_turn_and_move_with_their_scales(nets):
    model, x = nets.randomised(Cosine()), torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    spec = trace_spec(model, x)
    ((name, group),) = spec.groups.items()
    assert sorted((one.kind, one.size) for one in group.inner) == [("fixed", 1), ("orthogonal", 4), ("orthogonal", 4)]
    assert group.groups == 3 and name == "scale"
    assert spec.share == 1 and spec.still == ()
    assert_invariant_under(spec, model, x)


class Placed(nn.Module):
    """Tokens with an embedding of their positions, and one before them."""

    def __init__(self):
        super().__init__()
        self.embed, self.first, self.last = nn.Linear(3, 6), nn.Parameter(torch.randn(1, 1, 6)), nn.Linear(6, 2)
        self.positions = nn.Parameter(torch.randn(1, 5, 6))

    def forward(self, x):
        x = torch.cat([self.first.expand(len(x), -1, -1), self.embed(x)], 1) + self.positions
        return self.last(torch.relu(x))


def test_positions_are_no_channels(nets):
    spec = trace_spec(nets.randomised(Placed()), torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)))
    assert list(spec.groups.values()) == [Permutation(6)]
    assert spec.share == 1 and spec.still == ()


def test_what_a_grouped_convolution_reads_is_not_counted_as_made(nets):
    model = nn.Sequential(nn.Conv2d(2, 6, 1), nn.ReLU(), nn.Conv2d(6, 6, 1, groups=3), nn.ReLU(), nn.Conv2d(6, 2, 1))
    spec = trace_spec(nets.randomised(model), torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(0)))
    assert spec.groups and spec.share == 1 and spec.still == ()


class Shared(nn.Module):
    """Four query heads over two keys and values, with what may tell the heads apart."""

    def __init__(self, kind=""):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 12), nn.Linear(8, 6), nn.Linear(8, 10)
        self.out, self.kind = nn.Linear(20, 4), kind
        self.slopes = nn.Parameter(torch.randn(4, 1, 1)) if kind == "learnt slopes" else None
        self.gate = nn.Linear(8, 4) if kind == "a gate for each" else None

    def forward(self, x):
        query, key, value = (layer(x).unflatten(-1, (heads, -1)).transpose(1, 2)
                             for layer, heads in ((self.query, 4), (self.key, 2), (self.value, 2)))  # fmt: skip
        if self.kind == "directions":
            query, key = nn.functional.normalize(query, dim=-1), nn.functional.normalize(key, dim=-1)
        key, value = (one.repeat_interleave(2, 1) for one in (key, value))
        scores, places = query @ key.transpose(-2, -1), torch.arange(x.shape[1], dtype=x.dtype)
        if self.kind == "slopes":
            scores = scores + torch.arange(1.0, 5.0, dtype=x.dtype).view(4, 1, 1) * places
        if self.slopes is not None:
            scores = scores + self.slopes * places
        mixed = scores.softmax(-1) @ value
        if self.gate is not None:
            mixed = mixed * self.gate(x).sigmoid().transpose(1, 2)[..., None]
        return self.out(mixed.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("kind, groups", [
    ("", ["(O(3) x O(5) x Perm(2)) wr Perm(2)"]),
    # Numbers of its own keep each head where it is, and the keys with it; parameters move along.
    ("slopes", ["O(3) x O(5)"] * 2),
    ("learnt slopes", ["(Perm(2) x O(3) x O(5)) wr Perm(2)"]),
    # What a rule does not follow keeps the order of the heads of one key.
    ("directions", ["(O(3) x O(5)) wr Perm(2)"]),
    ("a gate for each", ["(O(3) x O(5)) wr Perm(2)"]),
])  # fmt: skip
def test_query_heads_of_one_key_change_places_if_nothing_tells_them_apart(nets, kind, groups):
    model = nets.randomised(Shared(kind))
    x = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spec = trace_spec(model, x)
    # None by trial: what is given up is known before.
    assert [row["group"] for row in spec.describe()][: len(groups)] == groups
    assert not any("would move" in row["why"] for row in spec.describe())
    for one in (spec, spec.plain(), spec.units()):
        assert_invariant_under(one, model, x, tol=1e-12)


class Again(nn.Module):
    """A grouped convolution that runs twice, or beside a path of its own."""

    def __init__(self, twice):
        super().__init__()
        self.one, self.three, self.twice = nn.Conv2d(2, 12, 1), nn.Conv2d(12, 3, 1), twice
        self.two = nn.Conv2d(12, 12, 3, groups=3, padding=1)

    def forward(self, x):
        h = self.one(x)
        y = self.two(torch.relu(h))
        return self.three(torch.relu(self.two(torch.relu(y)) if self.twice else h + y))


def chain(*layers):
    return nn.Sequential(*(one for layer in layers for one in (nn.Conv2d(*layer[:3], groups=layer[3]), nn.ReLU())))


@pytest.mark.parametrize("model, groups", [
    (chain((2, 12, 1, 1), (12, 12, 3, 2), (12, 12, 3, 2), (12, 3, 1, 1)), ["(Perm(6) x Perm(6) x Perm(6)) wr Perm(2)"]),
    # Where groups differ, those of what lies between overlap.
    (chain((2, 12, 1, 1), (12, 12, 3, 2), (12, 12, 3, 6), (12, 3, 1, 1)), ["Perm(6)"] * 2 + ["Perm(2)"] * 6 + ["1"]),
    # Each group reads an input of its own.
    (chain((2, 12, 3, 2), (12, 3, 1, 1)), ["Perm(6)"] * 2),
    (chain((2, 12, 1, 1), (12, 6, 3, 3)), ["Perm(4)"] * 3),
    (Again(False), ["Perm(4) wr Perm(3)"]),
    (Again(True), ["Perm(4) wr Perm(3)"]),
], ids=["two", "other groups", "inputs", "outputs", "beside", "twice"])  # fmt: skip
def test_inputs_of_grouped_convolutions_change_places_in_their_group(nets, model, groups):
    model, x = nets.randomised(model), torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    spec, state = trace_spec(model, x), model.state_dict()
    assert [row["group"] for row in spec.describe()] == groups
    assert not any("would move" in row["why"] for row in spec.describe())
    for one in (spec, spec.plain(), spec.only(list(spec.groups)[:1])):
        assert_invariant_under(one, model, x, tol=1e-12)
    moved = apply(spec, spec.random(2), state)
    assert nets.distance(match_weights(spec, state, moved).apply(spec, moved), state) < 1e-10


def test_weights_that_are_computed_keep_the_order_of_what_they_read(nets):
    class Standardised(nn.Conv2d):
        def forward(self, x):
            return self._conv_forward(x, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)

    model = nets.randomised(nn.Sequential(
        nn.Conv2d(2, 12, 1), nn.ReLU(), Standardised(12, 12, 3, groups=3), nn.ReLU(), nn.Conv2d(12, 3, 1)
    ))  # fmt: skip
    x = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    spec = trace_spec(model, x)
    assert spec.groups == {"0": Wreath(3, (*[Inner("fixed")] * 4, Inner("permutation", 4)))}
    assert_invariant_under(spec, model, x, tol=1e-12)
