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
    assert [spec.axes[f"1.running_{name}"][0][0].view for name in ("mean", "var")] == ["channels", "even"]
    assert spec.axes["0.weight"][1][0].name == FIXED


def test_the_smaller_group_of_units_alone(nets):
    model, x = nets.batch_normed(), nets.vectors(width=12)
    spec = trace_spec(model, x).units()
    assert all(group == Conic(group.groups, 4, rotate=False) for group in spec.groups.values())
    assert all(part.at is None for rules in spec.axes.values() for parts in rules for part in parts)
    assert_invariant_under(spec, model, x)
