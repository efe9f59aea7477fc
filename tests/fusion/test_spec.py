"""A re-framed network computes the same function, and a wrong specification is caught."""

import pytest
import torch
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Orthogonal,
    Part,
    Permutation,
    Spec,
    apply,
    assert_invariant_under,
    from_sequential,
)
from colu.nn import CoLU


def test_linear_layers_without_activation_take_any_orthogonal_map(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(6, 7), nn.Linear(7, 3)))
    axes = from_sequential(model).axes
    assert_invariant_under(Spec({"0": Orthogonal(7)}, axes), model, nets.vectors())


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.up, self.down = nn.Linear(6, 8), nn.Linear(8, 12), nn.Linear(12, 8)
        self.head, self.act = nn.Linear(8, 3), CoLU(dim=4)

    def forward(self, x):
        stream = self.act(self.stem(x))
        return self.head(self.act(stream + self.down(self.act(self.up(stream)))))


RESIDUAL = {
    "stem.weight": ("stream", FIXED),
    "stem.bias": ("stream",),
    "up.weight": ("hidden", "stream"),
    "up.bias": ("hidden",),
    "down.weight": ("stream", "hidden"),
    "down.bias": ("stream",),
    "head.weight": (FIXED, "stream"),
    "head.bias": (FIXED,),
}
GROUPS = {"stream": Conic(2, 4), "hidden": Conic(3, 4)}


def test_a_residual_stream_shares_one_name(nets):
    model = nets.randomised(Residual())
    assert_invariant_under(Spec(GROUPS, RESIDUAL), model, nets.vectors())


def test_a_spec_with_one_axis_wrong_is_caught_and_the_group_named(nets):
    model = nets.randomised(Residual())
    wrong = Spec(GROUPS, RESIDUAL | {"down.bias": (FIXED,)})
    with pytest.raises(AssertionError, match="'stream' moves the function"):
        assert_invariant_under(wrong, model, nets.vectors())


def test_parts_of_an_axis_carry_their_own_groups(nets):
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.head = nn.Linear(6, 4), nn.Linear(6, 8), nn.Linear(14, 3)

        def forward(self, x):
            return self.head(torch.cat([self.one(x).relu(), x[:, :2], torch.tanh(self.two(x))], 1))

    model = nets.randomised(Joined())
    axes = {"one.weight": ("one", FIXED), "one.bias": ("one",),
            "two.weight": ("two", FIXED), "two.bias": ("two",),
            "head.weight": (FIXED, ["one", Part(FIXED, size=2), "two"]), "head.bias": (FIXED,)}  # fmt: skip
    spec = Spec({"one": Permutation(4), "two": Permutation(8)}, axes)
    assert_invariant_under(spec, model, nets.vectors())
    with pytest.raises(ValueError, match="fixed part of axis 1 of head.weight lacks its size"):
        Spec(spec.groups, axes | {"head.weight": (FIXED, ["one", FIXED, "two"])})


def test_elements_undo_each_other_and_do_not_commute(nets):
    model = nets.mlp()
    spec = from_sequential(model)
    state = model.state_dict()
    one, two = spec.random(1), spec.random(2)
    back = apply(spec, {k: e.inverse() for k, e in one.items()}, apply(spec, one, state))
    for name, tensor in state.items():
        assert torch.allclose(back[name], tensor, atol=1e-13)
    composed = apply(spec, {k: one[k].compose(two[k]) for k in one}, state)
    in_turn = apply(spec, one, apply(spec, two, state))
    other = apply(spec, two, apply(spec, one, state))
    for name in state:
        assert torch.allclose(composed[name], in_turn[name], atol=1e-13)
    assert (other["0.weight"] - in_turn["0.weight"]).abs().max() > 0.1


def test_inputs_are_not_changed_and_dtypes_are_kept(nets):
    model = nets.mlp().float()
    spec, state = from_sequential(model), model.state_dict()
    before = {name: tensor.clone() for name, tensor in state.items()}
    moved = apply(spec, spec.random(0), state)
    assert all(torch.equal(state[name], before[name]) for name in state)
    assert all(moved[name].dtype == torch.float32 for name in state)
    assert all(moved[name].data_ptr() != state[name].data_ptr() for name in state)
    again = apply(spec, spec.random(0), state)
    assert all(torch.equal(moved[name], again[name]) for name in state)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"down.bias": None}, "leaves out .*down.bias"),
        ({"more": (FIXED,)}, "lacks .*more"),
        ({"down.bias": ("hidden",)}, "axis 0 of down.bias has 8 entries.*hidden covers 12"),
        ({"down.bias": ("stream", FIXED)}, "down.bias has shape .8,. but the specification gives 2 axes"),
        ({"down.bias": ("strem",)}, "carries 'strem', which is no group"),
    ],
)
def test_a_spec_that_does_not_fit_says_where(nets, change, message):
    axes = {name: rule for name, rule in (RESIDUAL | change).items() if rule is not None}
    with pytest.raises(ValueError, match=message):
        Spec(GROUPS, axes).check(Residual().state_dict())


def test_a_group_that_nothing_carries_is_refused():
    with pytest.raises(ValueError, match="no axis carries the groups .*spare"):
        Spec(GROUPS | {"spare": Permutation(2)}, RESIDUAL)


def test_elements_must_be_those_of_the_spec(nets):
    spec = Spec(GROUPS, RESIDUAL)
    state = nets.randomised(Residual()).state_dict()
    with pytest.raises(ValueError, match="wanted one for each"):
        apply(spec, {"stream": spec.identity()["stream"]}, state)
    with pytest.raises(ValueError, match="take elements from the same specification"):
        apply(spec, {"stream": Conic(4, 2).identity(), "hidden": Conic(3, 4).identity()}, state)
