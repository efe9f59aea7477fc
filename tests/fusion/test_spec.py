"""A re-framed network computes the same function, and a wrong specification is caught."""

import pytest
import torch
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Orthogonal,
    OrthogonalElement,
    Part,
    Permutation,
    Spec,
    apply,
    assert_invariant_under,
    from_sequential,
    invariance_error,
)
from colu.nn import MPU, CoLU, RCoLU

MLPS = ["relu", "prelu", "hard", "soft", "rectified axis", "axes first", "one cone", "S=2", "S=2 by fiat",
        "S=1", "identity", "learnable angle", "rotated", "rotated, axes first", "projection",
        "projection, coordinate axis"]  # fmt: skip
SHARED = ["shared", "shared and soft", "rotated and shared"]


def test_every_network_of_the_list_is_tested(nets):
    assert list(nets.mlps) == MLPS and list(nets.shared) == SHARED


@pytest.mark.parametrize("name", MLPS + SHARED)
@pytest.mark.parametrize("seed", [0, 1])
def test_random_elements_leave_perceptrons_as_they_are(nets, name, seed):
    widths = (6, 13, 25, 5) if name in SHARED else (6, 16, 24, 5)
    model = nets.mlp((nets.mlps | nets.shared)[name], widths)
    spec = from_sequential(model)
    assert len(spec.groups) == 2
    assert invariance_error(model, spec, nets.vectors(), seed=seed) < 1e-9
    moved = apply(spec, spec.random(seed), model.state_dict())
    assert (moved["0.weight"] - model.state_dict()["0.weight"]).abs().max() > 0.1


@pytest.mark.parametrize(
    "activation, norm, pool, rotate",
    [
        (nn.ReLU, nn.Identity, nn.MaxPool2d, True),
        (nn.ReLU, nn.BatchNorm2d, nn.AvgPool2d, True),
        (nn.ReLU, lambda c: nn.GroupNorm(2, c), nn.AvgPool2d, True),
        (nn.ReLU, lambda c: nn.GroupNorm(1, c), nn.AvgPool2d, True),
        (lambda: CoLU(dim=4), nn.Identity, nn.AvgPool2d, True),
        (lambda: CoLU(dim=4, scaling="soft", layout="axes_first"), nn.Identity, nn.AvgPool2d, True),
        (lambda: CoLU(dim=2), lambda c: nn.GroupNorm(2, c), nn.AvgPool2d, False),
        (lambda: CoLU(dim=4), nn.BatchNorm2d, nn.AvgPool2d, False),
        (lambda: CoLU(dim=4), nn.Identity, nn.MaxPool2d, False),
    ],
)
def test_random_elements_leave_convolutional_networks_as_they_are(nets, activation, norm, pool, rotate):
    def make_norm(channels):
        return nn.Identity() if norm is nn.Identity else norm(channels)

    model = nets.conv(activation, make_norm, lambda: pool(2))
    spec = from_sequential(model, rotate=rotate)
    assert sorted(spec.groups) == ["0.0", "2", "6"]
    for seed in range(2):
        assert_invariant_under(spec, model, nets.images(), seed=seed)


@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_convolutions_with_a_shared_axis_and_flattened_pixels(nets, scaling):
    make = lambda: CoLU(dim=4, share_axis=True, scaling=scaling)  # noqa: E731
    model = nets.randomised(
        nn.Sequential(
            nn.Conv2d(2, 7, 3, padding=1), make(), nn.AvgPool2d(2), nn.Conv2d(7, 10, 3, padding=1), make(),
            nn.Flatten(), nn.Linear(90, 13), make(), nn.Linear(13, 3),
        )
    )  # fmt: skip
    for seed in range(2):
        assert_invariant_under(from_sequential(model), model, nets.images(), seed=seed)


def test_flattened_pixels_repeat_the_channel(nets):
    spec = from_sequential(nets.conv())
    assert spec.axes["6.weight"][1] == (Part("2", repeat=9),)


def test_group_norm_keeps_units_inside_their_group(nets):
    spec = from_sequential(nets.conv(nn.ReLU, lambda c: nn.GroupNorm(2, c)))
    assert spec.groups["0.0"] == Permutation(8, blocks=2)
    model = nets.conv(nn.ReLU, lambda c: nn.GroupNorm(2, c))
    free = Spec(dict(spec.groups) | {"0.0": Permutation(8)}, spec.axes)
    assert invariance_error(model, free, nets.images(), seed=1) > 1e-3


@pytest.mark.parametrize(
    "norm, pool, wanted",
    [
        (lambda c: nn.BatchNorm2d(c), lambda: nn.AvgPool2d(2), "BatchNorm2d"),
        (lambda c: nn.GroupNorm(2, c), lambda: nn.AvgPool2d(2), "GroupNorm"),
        (lambda c: nn.Identity(), lambda: nn.MaxPool2d(2), "MaxPool2d"),
    ],
)
def test_rotations_are_refused_beside_channelwise_layers_for_a_reason(nets, norm, pool, wanted):
    with pytest.raises(ValueError, match=f"{wanted}.*rotations of the cones.*rotate=False"):
        from_sequential(nets.conv(lambda: CoLU(dim=4), norm, pool))


def test_rotations_do_move_a_conic_network_with_batch_norm(nets):
    model = nets.conv(lambda: CoLU(dim=4), nn.BatchNorm2d)
    spec = from_sequential(model, rotate=False)
    rotating = Spec({name: Conic(g.groups, g.dim) for name, g in spec.groups.items()}, spec.axes)
    # Rotated running variances are negative here and there: the function may even be NaN.
    assert not invariance_error(model, rotating, nets.images()) <= 1e-2
    with pytest.raises(AssertionError, match="moves the function"):
        assert_invariant_under(rotating, model, nets.images())


@pytest.mark.parametrize("activation", [lambda: CoLU(dim=4), lambda: RCoLU(dim=4), lambda: MPU(dim=4)])
def test_a_rotation_that_mixes_axis_and_section_moves_the_function(nets, activation):
    model = nets.mlp(activation)
    spec = from_sequential(model)
    mixing = Spec(dict(spec.groups) | {"0": Orthogonal(16)}, spec.axes)
    turn = torch.eye(16, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    elements = mixing.identity() | {"0": OrthogonalElement(turn)}
    assert invariance_error(model, mixing, nets.vectors(), elements) > 1e-2


def test_the_group_of_one_frame_is_not_that_of_the_other(nets):
    model = nets.mlp(lambda: RCoLU(dim=4))
    spec = from_sequential(model)
    wrong = Spec({name: Conic(g.groups, g.dim) for name, g in spec.groups.items()}, spec.axes)
    assert invariance_error(model, wrong, nets.vectors()) > 1e-2


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


def test_running_statistics_move_but_are_no_evidence(nets):
    spec = from_sequential(nets.conv(nn.ReLU, nn.BatchNorm2d))
    assert "0.1.running_var" in spec.unmatched and "0.1.weight" not in spec.unmatched


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


@pytest.mark.parametrize(
    "layers, message",
    [
        ([nn.Linear(4, 4), nn.Bilinear(4, 4, 4)], "module '1', a Bilinear"),
        ([nn.Linear(4, 8), nn.Flatten(), CoLU(dim=4), nn.Linear(8, 2)], "put it before the Flatten"),
        ([nn.Linear(4, 8), nn.ReLU(), CoLU(dim=4), nn.Linear(8, 2)], "'1' and '2' share channels"),
        ([nn.Conv2d(4, 8, 3, groups=2)], "'0' is a convolution of 2 groups"),
        ([CoLU(dim=4), nn.Linear(4, 2)], "acts on the inputs themselves"),
    ],
)
def test_layers_without_known_symmetry_are_named(layers, message):
    with pytest.raises(ValueError, match=message):
        from_sequential(nn.Sequential(*layers))


def test_a_model_that_is_no_chain_is_refused():
    with pytest.raises(ValueError, match="Residual is no chain"):
        from_sequential(Residual())


def test_a_depthwise_convolution_keeps_its_channels(nets):
    model = nets.randomised(
        nn.Sequential(nn.Conv2d(2, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 3, 1))
    )
    spec = from_sequential(model)
    assert list(spec.groups) == ["0"]
    assert_invariant_under(spec, model, nets.images())
