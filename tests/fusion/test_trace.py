"""Traced specifications are right for whole architectures, and what cannot be traced is named."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet, vgg

from colu.fusion import (
    Conic,
    Part,
    Permutation,
    apply,
    assert_invariant_under,
    from_chains,
    from_sequential,
    match_activations,
    match_weights,
    trace_spec,
)
from colu.lab.models import GPT, MLP, CIFARResNet
from colu.nn import CoLU


def pictures(num=4, channels=3, size=16):
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(0))


ARCHITECTURES = {
    "relu, batch norm": (dict(activation="relu", norm="batch"), True),
    "relu, group norm": (dict(activation="relu", norm="group"), True),
    "relu, no norm": (dict(activation="relu", norm="none"), True),
    "conic, no norm": (dict(activation=lambda: CoLU(dim=4), norm="none"), True),
    "conic, batch norm": (dict(activation=lambda: CoLU(dim=4), norm="batch"), False),
    "conic, group norm": (dict(activation=lambda: CoLU(dim=2), norm="group"), False),
    "soft, no norm": (dict(activation=lambda: CoLU(dim=4, scaling="soft"), norm="none"), True),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_residual_networks_for_small_images(nets, name):
    options, rotate = ARCHITECTURES[name]
    model = nets.randomised(CIFARResNet(14, widths=(8, 16, 16), **options))
    spec = trace_spec(model, rotate=rotate)
    assert_invariant_under(spec, model, pictures())
    kind = Permutation if name.startswith("relu") else Conic
    assert all(isinstance(group, kind) for group in spec.groups.values())


def test_a_padded_shortcut_ties_a_stretch_of_the_stream(nets):
    spec = trace_spec(CIFARResNet(8, widths=(8, 16, 16), activation=lambda: CoLU(dim=4), norm="none"))
    assert spec.axes["blocks.1.conv2.weight"][0] == (Part("conv"), Part("blocks.1.conv2[8:]"))
    assert spec.groups["conv"] == Conic(2, 4) == spec.groups["blocks.1.conv2[8:]"]


def test_layouts_that_a_padded_shortcut_breaks_are_refused():
    for options in (dict(layout="axes_first"), dict(share_axis=True)):
        activation = lambda options=options: CoLU(num_groups=2, **options)  # noqa: E731
        widths = (8, 16, 16) if "layout" in options else (7, 13, 13)
        with pytest.raises(ValueError, match="'blocks.1.act2' joins cones of channels that come from different"):
            trace_spec(CIFARResNet(8, widths=widths, activation=activation, norm="none"))


def test_rotations_beside_batch_norm_are_refused_with_the_layer_named():
    with pytest.raises(ValueError, match="norm .BatchNorm2d. acts on each channel"):
        trace_spec(CIFARResNet(8, activation=lambda: CoLU(dim=4), norm="batch"))


@pytest.mark.parametrize("block, activation", [(resnet.BasicBlock, nn.ReLU), (resnet.Bottleneck, nn.ReLU)])
def test_torchvision_residual_networks(nets, block, activation):
    model = nets.randomised(resnet.ResNet(block, [1, 2, 1, 1], num_classes=5, width_per_group=64))
    assert_invariant_under(trace_spec(model), model, pictures(2, size=32))


def test_large_torchvision_models_are_covered_axis_by_axis():
    with torch.device("meta"):
        models = [resnet.resnet18(num_classes=10), vgg.vgg11(num_classes=10), vgg.vgg16_bn(num_classes=10)]
    found = [trace_spec(model) for model in models]
    for spec, model in zip(found, models, strict=True):
        spec.check(model.state_dict())
    # Four streams (the stem shares the first) and one hidden layer for each of eight blocks.
    assert len(found[0].groups) == 4 + 8
    assert len(found[1].groups) == 8 + 2 and len(found[2].groups) == 13 + 2
    assert found[1].axes["classifier.0.weight"][1] == (Part("features.18", repeat=49),)


@pytest.mark.parametrize("norm", [False, True])
def test_a_narrow_vgg(nets, norm):
    with torch.device("meta"):
        model = vgg.VGG(vgg.make_layers([8, "M", 12, "M"], batch_norm=norm), init_weights=False)
    model.classifier = nn.Sequential(nn.Linear(12 * 49, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 5))
    model.features = vgg.make_layers([8, "M", 12, "M"], batch_norm=norm)
    nets.randomised(model)
    assert_invariant_under(trace_spec(model), model, pictures())


def test_a_perceptron_gets_the_specification_of_its_chain():
    model = MLP(12, [8, 8], 3, activation=lambda: CoLU(dim=4))
    assert trace_spec(model) == from_sequential(model)


@pytest.mark.parametrize("name", ["relu, batch norm", "conic, no norm"])
def test_planted_elements_of_a_residual_network_are_recovered(nets, name):
    options, rotate = ARCHITECTURES[name]
    model, other = (nets.randomised(CIFARResNet(8, widths=(8, 16, 16), **options)) for _ in range(2))
    spec = trace_spec(model, rotate=rotate)
    state = model.state_dict()
    moved = apply(spec, spec.random(4), state)
    other.load_state_dict(moved)
    weights = match_weights(spec, state, moved, max_sweeps=300, tol=1e-14)
    assert all(later >= earlier for earlier, later in itertools.pairwise(weights.trace))
    activations = match_activations(spec, model, other, pictures(8).double())
    for found in (weights, activations):
        back = found.apply(spec, moved)
        assert max((back[n] - state[n]).abs().max().item() for n in state if state[n].is_floating_point()) < 1e-4


class Joined(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 8, 1)
        self.mix, self.head = nn.Conv2d(12, 8, 1), nn.Linear(8 * 16, 2)

    def forward(self, x):
        x = torch.cat([F.relu(self.one(x)), torch.tanh(self.two(x))], dim=1)
        x = 0.5 * F.avg_pool2d(F.gelu(self.mix(x)), 4)
        return self.head(x.view(x.size(0), -1))


def test_functions_and_concatenated_channels_are_followed(nets):
    model = nets.randomised(Joined())
    spec = trace_spec(model)
    assert spec.axes["mix.weight"][1] == (Part("one"), Part("two"))
    assert_invariant_under(spec, model, pictures())


@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_the_perceptrons_of_a_transformer(nets, scaling):
    model = nets.randomised(GPT(11, length=6, width=16, depth=2, heads=2, activation=lambda: CoLU(4, scaling=scaling)))
    chains = [[f"blocks.{block}.{layer}" for layer in ("up", "act", "down")] for block in range(2)]
    spec = from_chains(model, chains)
    assert spec.groups["blocks.1.up"] == Conic(16, 4)
    assert_invariant_under(spec, model, torch.arange(12).view(2, 6) % 11)
    with pytest.raises(ValueError, match="GPT has no module 'blocks.7.up'"):
        from_chains(model, [["blocks.7.up"]])


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return self.inner(x) * torch.sigmoid(self.inner(x))


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return self.inner(x) if x.sum() > 0 else x


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(4, 4), nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.linear(x) * self.scale


@pytest.mark.parametrize(
    "layer, message",
    [
        (Gate(), "multiplies two values"),
        (Branch(), "tracing stopped in or after module '1'"),
        (nn.LSTM(4, 4), "module '1', a LSTM"),
        (Loose(), "tensor '1.scale' outside a layer"),
    ],
)
def test_what_cannot_be_followed_is_named(layer, message):
    with pytest.raises(ValueError, match=message):
        trace_spec(nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 2)))


def test_channels_that_are_sliced_or_averaged_are_refused():
    class Sliced(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 1), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.conv(x)[:, :4].mean((2, 3)))

    with pytest.raises(ValueError, match="takes some of the channels"):
        trace_spec(Sliced())
