"""Every activation of the registry can be aligned under its own symmetry, and under no larger one."""

import pytest
import torch
from torch import nn

import colu.nn as ours
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
    from_sequential,
    invariance_error,
    match_weights,
    random_alignment,
)
from colu.nn import CoLU, RCoLU, create, list_activations, symmetry_of

C = 16
ENTRIES = {entry.name: entry for entry in list_activations()}
#: They hold a linear map, whose two sides differ, or take a weight.
UNKNOWN = [name for name, entry in ENTRIES.items() if entry.kind != "activation"]
KNOWN = [name for name in ENTRIES if name not in UNKNOWN]

#: Options that change which parameters there are, or the group.
VARIANTS = {
    "swish a channel": lambda: ours.Swish(C),
    "sqish a channel": lambda: ours.Sqish(C),
    "linear combination a channel": lambda: ours.LinearCombination(C),
    "apalu a channel": lambda: ours.APALU(C),
    "prelu for all": lambda: nn.PReLU(),
    "pwlu observing": lambda: ours.PWLU(C, observe=True),
    "meta-acon a layer": lambda: ours.MetaAcon(C, "layer"),
    "meta-acon a pixel": lambda: ours.MetaAcon(C, "pixel"),
    "lslu on pictures": lambda: ours.LSLU(C, radius=1),
    "lslu folded": lambda: ours.LSLU(C, radius=1).eval().fold(),
    "series folded": lambda: ours.SeriesActivation(C, 1).eval().fold(),
    "lslu as published, folded": lambda: ours.LSLUAsPublished(C).eval().fold(),
    "rational a channel": lambda: ours.GroupRational(C, C),
    "rational for all": lambda: ours.GroupRational(C, 1),
    "evonorm in one group": lambda: ours.EvoNormS0(C, 1),
    "householder of halves": lambda: ours.HouseholderActivation(C, pairing="halves"),
    "sort of four": lambda: ours.GroupSort(4),
    "maximum of four": lambda: ours.Maxout(4),
    "long vectors": lambda: ours.NormReLU(C, dim=8),
    "vectors of one": lambda: ours.NormReLU(C, dim=1),
    "3-norm": lambda: ours.CoLU(dim=4, p=3),
    "3-norm, rotated": lambda: ours.RCoLU(dim=4, p=3),
    "3-norm, shared": lambda: ours.CoLU(num_groups=5, share_axis=True, p=3),
    "shared": lambda: ours.CoLU(num_groups=5, share_axis=True),
    "rotated and shared": lambda: ours.RCoLU(num_groups=5, share_axis=True, scaling="soft"),
    "axes first": lambda: ours.MPU(dim=4, axis="coordinate", layout="axes_first"),
    "Threshold": lambda: nn.Threshold(0.1, 0.5),
}  # fmt: skip
CASES = KNOWN + list(VARIANTS)
PICTURES = {"dy-relu-c", "frelu", "lslu-as-published", "series", "lslu on pictures", "lslu folded", "series folded",
            "lslu as published, folded"}  # fmt: skip
NODES = 12


class Graph(nn.Sequential):
    """Gives the activation its second input, a ring of nodes."""

    def forward(self, x):
        ring = torch.eye(NODES, dtype=x.dtype).roll(1, 0)
        return self[2](self[1](self[0](x), ring + ring.T))


def activation(name, spread=0.3):
    torch.manual_seed(0)
    # A small network of one hidden unit may be dead.
    options = dict(reduction=1) if name.startswith("dy-relu") else {}
    module = VARIANTS[name]() if name in VARIANTS else create(name, C, **options)
    generator = torch.Generator().manual_seed(1)
    for tensor in module.double().eval().state_dict().values():
        if tensor.is_floating_point():
            # Upwards only: variances stay positive, and grids in order.
            tensor.add_(spread * torch.randn(tensor.shape, generator=generator).abs())
    return module


def chain(nets, name, module):
    """Layer, activation, layer, with random weights and biases; and inputs."""
    entering = getattr(module, "in_channels", C)
    if name in PICTURES:
        first, last = nn.Conv2d(2, entering, 3, padding=1), nn.Conv2d(C, 3, 1)
        return nn.Sequential(nets.randomised(first), module, nets.randomised(last, 1)).eval(), nets.images()
    rows = torch.zeros(NODES, entering, dtype=torch.float64)
    leaving = C if name == "grelu" else module(rows).shape[1]
    parts = nets.randomised(nn.Linear(6, entering)), module, nets.randomised(nn.Linear(leaving, 5), 1)
    return (Graph if name == "grelu" else nn.Sequential)(*parts).eval(), nets.vectors(NODES)


@pytest.mark.parametrize("name", CASES)
def test_random_elements_of_the_symmetry_leave_the_function_as_it_is(nets, name):
    model, x = chain(nets, name, activation(name))
    spec = from_sequential(model, x)
    assert list(spec.groups) == ["0"]
    for seed in range(3):
        assert invariance_error(model, spec, x, seed=seed) < 1e-9
    moved = apply(spec, spec.random(1), model.state_dict())
    assert (moved["0.weight"] - model.state_dict()["0.weight"]).abs().max() > 0.1


# The identity has no larger group, and what changes the number of channels is tested in tests/nn.
SMALLER = [name for name in CASES if name not in ("identity", "maxout", "maximum of four", "gated")
           and ENTRIES.get(name, ENTRIES["relu"]).family != "glu"]  # fmt: skip


@pytest.mark.parametrize("name", SMALLER)
def test_a_larger_group_moves_the_function(nets, name):
    # All channels alike, so that it is the map that fails and not parameters that were left behind; only the
    # groups of this one are nothing but a difference of parameters.
    module = activation(name, spread=0.3 if name == "group-rational" else 0.0)
    for slope, value in (("p1", 1.2), ("p2", -0.8)):
        if hasattr(module, slope):
            nn.init.constant_(getattr(module, slope), value)
    symmetry = symmetry_of(module, getattr(module, "in_channels", C))
    larger = symmetry.enlarged()
    group = {
        ("units", 1): Permutation(C),
        ("vectors", larger.dim): Vectors(larger.groups, larger.dim),
        ("vectors", C): Orthogonal(C),
    }[larger.kind, larger.dim]
    model, x = chain(nets, name, module)
    spec = from_sequential(model, x)
    still = {
        parameter: (FIXED,) * len(rules) if parameter.startswith("1.") else rules
        for parameter, rules in spec.axes.items()
    }
    if not symmetry.carries:
        assert invariance_error(model, Spec(spec.groups, still), x) < 1e-9
    axes = {parameter: (FIXED,) * tensor.dim() for parameter, tensor in model.state_dict().items() if tensor.dim()}
    axes |= {"0.weight": ("0", *axes["0.weight"][1:]), "0.bias": ("0",)}
    times = model.state_dict()["2.weight"].shape[1] // C
    axes["2.weight"] = (FIXED, (Part("0"),) * times, *axes["2.weight"][2:])
    assert invariance_error(model, Spec({"0": group}, axes), x, seed=1) > 1e-3


@pytest.mark.parametrize("name", UNKNOWN)
def test_layers_without_a_symmetry_of_their_own_are_followed_inside(nets, name):
    torch.manual_seed(0)
    module = create(name, C)
    assert ENTRIES[name].symmetry(module, C) is None
    if name.endswith("convolution"):
        pytest.skip("takes a weight, not channels")
    model, x = nets.randomised(nn.Sequential(nn.Linear(6, C), module, nn.Linear(C, 5))), nets.vectors()
    spec = from_sequential(model, x)
    assert invariance_error(model, spec, x, seed=1) < 1e-9
    made = {name for name, *_ in spec.still}
    assert spec.groups or "0.weight" in made


@pytest.mark.parametrize(
    "name", ["acon-c", "norm-relu", "maxout", "gated", "crelu", "group-sort", "dy-relu-b", "mpu-leaky"]
)
def test_a_planted_element_is_found_again(nets, name):
    model, x = chain(nets, name, activation(name))
    spec, state = from_sequential(model, x), model.state_dict()
    moved = apply(spec, spec.random(4), state)
    found = match_weights(spec, state, moved)
    back = found.apply(spec, moved)
    assert max((back[key] - state[key]).abs().max() for key in state if state[key].dim()) < 1e-6
    control = random_alignment(spec, 5).apply(spec, moved)
    assert (control["0.weight"] - state["0.weight"]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["colu", "group-sort"])
def test_units_of_pixels_move_with_their_channel(nets, name):
    # Cones, or pairs, lie along the pixels of one channel each.
    layers = nn.Conv2d(2, C, 1), nn.Flatten(), create(name, C * 36), nn.Linear(C * 36, 2)
    model = nets.randomised(nn.Sequential(*layers))
    spec = from_sequential(model, nets.images())
    assert spec.groups == {"0": Permutation(C)}
    assert_invariant_under(spec, model, nets.images())


def test_units_across_channels_that_do_not_divide_them_stay(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(4, 6), nn.Flatten(), CoLU(dim=4), nn.Linear(12, 2)))
    x = torch.randn(5, 2, 4, dtype=torch.float64)
    spec = from_sequential(model, x)
    assert_invariant_under(spec, model, x)


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.BatchNorm1d(C // 2)])
def test_what_follows_a_change_of_channels_acts_on_what_is_left(nets, layer):
    model = nets.randomised(nn.Sequential(nn.Linear(6, C), ours.Maxout(), layer, nn.Linear(C // 2, 5)))
    spec = from_sequential(model, nets.vectors())
    assert spec.groups["0"].groups == C // 2
    assert_invariant_under(spec, model, nets.vectors())


def test_a_class_of_ones_own_is_followed_inside(nets):
    class Cubed(nn.Module):
        def forward(self, x):
            return x**3

    model, x = chain(nets, "cubed", Cubed())
    spec = from_sequential(model, x)
    assert spec.groups == {"0": Permutation(C)}
    assert invariance_error(model, spec, x) < 1e-9


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
    spec = from_sequential(model, nets.vectors())
    assert len(spec.groups) == 2
    assert invariance_error(model, spec, nets.vectors(), seed=seed) < 1e-9
    moved = apply(spec, spec.random(seed), model.state_dict())
    assert (moved["0.weight"] - model.state_dict()["0.weight"]).abs().max() > 0.1


SIGNED = Wreath(2, (Inner("fixed"), Inner("signed", 3)))


@pytest.mark.parametrize(
    "activation, norm, pool, first",
    [
        (nn.ReLU, nn.Identity, nn.MaxPool2d, Permutation(8)),
        (nn.ReLU, nn.BatchNorm2d, nn.AvgPool2d, Permutation(8)),
        (nn.ReLU, lambda c: nn.GroupNorm(2, c), nn.AvgPool2d, Wreath(2, (Inner("permutation", 4),))),
        (nn.ReLU, lambda c: nn.GroupNorm(1, c), nn.AvgPool2d, Permutation(8)),
        (nn.Tanh, nn.BatchNorm2d, nn.AvgPool2d, Wreath(1, (Inner("signed", 8),))),
        (lambda: CoLU(dim=4), nn.Identity, nn.AvgPool2d, Conic(2, 4)),
        (lambda: CoLU(dim=4, scaling="soft", layout="axes_first"), nn.Identity, nn.AvgPool2d,
         Conic(2, 4, layout="axes_first")),
        (lambda: CoLU(dim=4), nn.BatchNorm2d, nn.AvgPool2d, SIGNED),
        (lambda: CoLU(dim=4), nn.Identity, nn.MaxPool2d, Wreath(2, (Inner("fixed"), Inner("permutation", 3)))),
        (lambda: RCoLU(dim=4), nn.BatchNorm2d, nn.AvgPool2d, Wreath(2, (Inner("permutation", 4),))),
    ],
)  # fmt: skip
def test_random_elements_leave_convolutional_networks_as_they_are(nets, activation, norm, pool, first):
    def make_norm(channels):
        return nn.Identity() if norm is nn.Identity else norm(channels)

    model = nets.conv(activation, make_norm, lambda: pool(2))
    spec = from_sequential(model, nets.images())
    assert sorted(spec.groups) == ["0.0", "2", "6"] and spec.groups["0.0"] == first
    for seed in range(2):
        assert_invariant_under(spec, model, nets.images(), seed=seed)


def test_group_norm_across_cones_leaves_what_lies_inside_its_groups(nets):
    model = nets.conv(lambda: CoLU(dim=2), lambda c: nn.GroupNorm(2, c))
    spec = from_sequential(model, nets.images())
    assert {"0.0", "0.0[4:]"} <= set(spec.groups)
    assert spec.groups["0.0"].size == spec.groups["0.0[4:]"].size == 4
    assert_invariant_under(spec, model, nets.images())


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
        assert_invariant_under(from_sequential(model, nets.images()), model, nets.images(), seed=seed)


def test_flattened_pixels_repeat_the_channel(nets):
    spec = from_sequential(nets.conv(), nets.images())
    assert spec.axes["6.weight"][1] == (Part("2", repeat=9),)


def test_group_norm_exchanges_whole_groups_and_no_single_channels(nets):
    model = nets.conv(nn.ReLU, lambda c: nn.GroupNorm(2, c))
    spec = from_sequential(model, nets.images())
    free = Spec(dict(spec.groups) | {"0.0": Permutation(8)}, spec.axes)
    assert invariance_error(model, free, nets.images(), seed=1) > 1e-3


@pytest.mark.parametrize(
    "norm, pool, wanted",
    [
        (lambda c: nn.BatchNorm2d(c), lambda: nn.AvgPool2d(2), "native_batch_norm in '0.1'"),
        (lambda c: nn.GroupNorm(2, c), lambda: nn.AvgPool2d(2), "native_group_norm in '0.1'"),
        (lambda c: nn.Identity(), lambda: nn.MaxPool2d(2), "max_pool2d_with_indices in '1'"),
    ],
)
def test_what_takes_the_rotations_is_named(nets, norm, pool, wanted):
    spec = from_sequential(nets.conv(lambda: CoLU(dim=4), norm, pool), nets.images())
    notes = [why for name, why in spec.notes.items() if name.startswith("0.0")]
    assert notes and all(why == wanted for why in notes)


def test_a_batch_norm_leaves_no_rotation_of_cones(nets):
    model, x = nets.batch_normed(), nets.vectors(width=12)
    spec = from_sequential(model, x)
    turned = Spec({name: Conic(group.groups, group.dim) for name, group in spec.groups.items()},
                  {name: tuple(tuple(Part(part.name) for part in parts) for parts in rules)
                   for name, rules in spec.axes.items()})  # fmt: skip
    assert invariance_error(model, turned, x) > 1e-3


def test_running_statistics_move_but_are_no_evidence(nets):
    spec = from_sequential(nets.conv(nn.ReLU, nn.BatchNorm2d), nets.images())
    assert "0.1.running_var" in spec.unmatched and "0.1.weight" not in spec.unmatched


@pytest.mark.parametrize(
    "layers, x, why",
    [
        ([nn.Linear(4, 8), nn.Softmax(0), nn.Linear(8, 2)], (5, 4), ""),
        ([nn.Linear(4, 8), nn.Unflatten(1, (2, 4)), nn.Flatten(2), nn.Conv1d(2, 3, 3)], (5, 4), "convolution in '3'"),
    ],
)
def test_what_takes_all_freedom_is_named(layers, x, why):
    model = nn.Sequential(*layers).double()
    x = torch.randn(x, dtype=torch.float64)
    spec = from_sequential(model, x)
    assert_invariant_under(spec, model, x)
    if why:
        assert not spec.groups and any(why in reason for name, _, reason in spec.still if name == "0.weight")


def test_inputs_of_an_activation_stay(nets):
    model = nn.Sequential(CoLU(dim=4), nn.Linear(4, 2)).double()
    assert not from_sequential(model, torch.randn(5, 4).double()).groups


def test_two_activations_leave_what_both_have(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), CoLU(dim=4), nn.Linear(8, 2)))
    x = nets.vectors(width=4)
    spec = from_sequential(model, x)
    assert spec.groups["0"] == Wreath(2, (Inner("fixed"), Inner("permutation", 3)))
    assert_invariant_under(spec, model, x)


def test_a_convolution_of_groups_exchanges_whole_groups(nets):
    layers = nn.Conv2d(2, 8, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, groups=4), nn.ReLU(), nn.Conv2d(12, 3, 1)
    model = nets.randomised(nn.Sequential(*layers))
    spec = from_sequential(model, nets.images())
    # In each group the two channels that it reads change places, and the three that it makes.
    assert spec.groups == {"0": Wreath(4, (Inner("permutation", 2), Inner("permutation", 3)))}
    assert_invariant_under(spec, model, nets.images(), tol=1e-12)


def test_a_model_that_is_no_chain_is_refused():
    with pytest.raises(ValueError, match="ModuleList is no chain"):
        from_sequential(nn.ModuleList())


def test_a_depthwise_convolution_keeps_its_channels(nets):
    model = nets.randomised(
        nn.Sequential(nn.Conv2d(2, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 3, 1))
    )
    spec = from_sequential(model, nets.images())
    assert list(spec.groups) == ["0"]
    assert_invariant_under(spec, model, nets.images())


def test_a_transposed_depthwise_convolution_keeps_its_channels(nets):
    layers = nn.Conv2d(2, 8, 1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 3, 1)
    model = nets.randomised(nn.Sequential(*layers))
    spec = from_sequential(model, nets.images())
    assert dict(spec.groups) == {"0": Permutation(8)}
    assert_invariant_under(spec, model, nets.images())
    truth, state = spec.random(seed=3), model.state_dict()
    found = match_weights(spec, state, apply(spec, truth, state))
    assert torch.equal(found.elements["0"].permutation, truth["0"].inverse().permutation)


def test_transposed_convolutions_in_groups_stay_and_are_named(nets):
    layers = nn.Conv2d(2, 8, 1), nn.ReLU(), nn.ConvTranspose2d(8, 12, 2, groups=2), nn.ReLU(), nn.Conv2d(12, 3, 1)
    spec = from_sequential(nets.randomised(nn.Sequential(*layers)), nets.images())
    assert not spec.groups
    assert {why for _, _, why in spec.still} == {"convolution in '2', transposed in groups"}
