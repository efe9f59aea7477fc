"""The group is the largest that the demands leave: channels are exchanged if nothing tells them apart."""

import pytest
import torch
from torch import nn

from colu.fusion import FIXED, Conic, Inner, Orthogonal, Permutation, Wreath, assert_invariant_under, trace_spec
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
