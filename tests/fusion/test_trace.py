"""Traced specifications are right for whole architectures, and what cannot be traced is named."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet, vgg

from colu.fusion import (
    Conic,
    Inner,
    Orthogonal,
    Part,
    Permutation,
    Wreath,
    apply,
    assert_invariant_under,
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
    "relu, batch norm": (dict(activation="relu", norm="batch"), Permutation),
    "relu, group norm": (dict(activation="relu", norm="group"), Permutation | Wreath),
    "relu, no norm": (dict(activation="relu", norm="none"), Permutation),
    "conic, no norm": (dict(activation=lambda: CoLU(dim=4), norm="none"), Conic),
    "conic, batch norm": (dict(activation=lambda: CoLU(dim=4), norm="batch"), Wreath),
    "conic, group norm": (dict(activation=lambda: CoLU(dim=2), norm="group"), Permutation | Wreath),
    "soft, no norm": (dict(activation=lambda: CoLU(dim=4, scaling="soft"), norm="none"), Conic),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_residual_networks_for_small_images(nets, name):
    options, kind = ARCHITECTURES[name]
    model = nets.randomised(CIFARResNet(14, widths=(8, 16, 16), **options))
    spec = trace_spec(model, pictures())
    assert_invariant_under(spec, model, pictures())
    assert spec.groups and all(isinstance(group, kind) for group in spec.groups.values())


def test_a_padded_shortcut_ties_a_stretch_of_the_stream(nets):
    spec = trace_spec(CIFARResNet(8, widths=(8, 16, 16), activation=lambda: CoLU(dim=4), norm="none"))
    assert spec.axes["blocks.1.conv2.weight"][0] == (Part("conv"), Part("blocks.1.conv2[8:]"))
    assert spec.groups["conv"] == Conic(2, 4) == spec.groups["blocks.1.conv2[8:]"]


@pytest.mark.parametrize(
    "options, widths", [(dict(layout="axes_first"), (8, 16, 16)), (dict(share_axis=True), (7, 13, 13))]
)
def test_layouts_that_a_padded_shortcut_breaks_leave_what_is_a_symmetry(nets, options, widths):
    activation = lambda: CoLU(num_groups=2, **options)  # noqa: E731
    model = nets.randomised(CIFARResNet(8, widths=widths, activation=activation, norm="none"))
    assert_invariant_under(trace_spec(model, pictures()), model, pictures())


@pytest.mark.parametrize("block, activation", [(resnet.BasicBlock, nn.ReLU), (resnet.Bottleneck, nn.ReLU)])
def test_torchvision_residual_networks(nets, block, activation):
    model = nets.randomised(resnet.ResNet(block, [1, 2, 1, 1], num_classes=5, width_per_group=64))
    assert_invariant_under(trace_spec(model, pictures(2, size=32)), model, pictures(2, size=32))


def test_a_large_torchvision_model_has_the_groups_that_it_should():
    torch.manual_seed(0)
    spec = trace_spec(resnet.resnet18(num_classes=10), pictures(1, size=32))
    # Four streams (the stem shares the first) and one hidden layer for each of eight blocks.
    assert len(spec.groups) == 4 + 8 and spec.share == 1


@pytest.mark.parametrize("norm", [False, True])
def test_a_narrow_vgg(nets, norm):
    with torch.device("meta"):
        model = vgg.VGG(vgg.make_layers([8, "M", 12, "M"], batch_norm=norm), init_weights=False)
    model.classifier = nn.Sequential(nn.Linear(12 * 49, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 5))
    model.features = vgg.make_layers([8, "M", 12, "M"], batch_norm=norm)
    nets.randomised(model)
    assert_invariant_under(trace_spec(model, pictures(size=16)), model, pictures())


def test_a_perceptron_gets_the_specification_of_its_chain():
    model = MLP(12, [8, 8], 3, activation=lambda: CoLU(dim=4))
    assert trace_spec(model) == from_sequential(model)


@pytest.mark.parametrize("name", ["relu, batch norm", "conic, no norm"])
def test_planted_elements_of_a_residual_network_are_recovered(nets, name):
    options, _ = ARCHITECTURES[name]
    model, other = (nets.randomised(CIFARResNet(8, widths=(8, 16, 16), **options)) for _ in range(2))
    spec = trace_spec(model, pictures())
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
    spec = trace_spec(model, pictures())
    assert [part.name for part in spec.axes["mix.weight"][1]] == ["one", "two"]
    assert_invariant_under(spec, model, pictures())


@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_the_perceptrons_of_a_transformer(nets, scaling):
    model = nets.randomised(GPT(11, length=6, width=16, depth=2, heads=2, activation=lambda: CoLU(4, scaling=scaling)))
    spec = trace_spec(model, torch.arange(12).view(2, 6) % 11)
    chosen = spec.only(name for name in spec.groups if name.endswith(".up"))
    assert chosen.groups == {f"blocks.{block}.up": Conic(16, 4) for block in range(2)}
    assert_invariant_under(chosen, model, torch.arange(12).view(2, 6) % 11)


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = nn.Linear(4, 8), nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.three(self.one(x) * torch.sigmoid(self.two(x)))


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.outer(F.relu(self.inner(x)) if x.sum() > -1e9 else x)


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.scale, self.outer = nn.Linear(4, 8), nn.Parameter(torch.ones(8)), nn.Linear(8, 3)

    def forward(self, x):
        return self.outer(F.relu(self.linear(x) * self.scale))


class Squeeze(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.down, self.up = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        h = F.relu(self.conv(x))
        gate = torch.sigmoid(self.up(F.relu(self.down(h.mean((2, 3), keepdim=True)))))
        return self.head((h * gate).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, keys=4):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(8, 12), nn.Linear(8, 3 * keys), nn.Linear(8, 2 * keys)
        self.out, self.keys = nn.Linear(8, 5), keys

    def forward(self, x):
        q = self.q(x).unflatten(-1, (4, 3)).transpose(1, 2)
        k = self.k(x).unflatten(-1, (self.keys, 3)).transpose(1, 2).repeat_interleave(4 // self.keys, 1)
        v = self.v(x).unflatten(-1, (self.keys, 2)).transpose(1, 2).repeat_interleave(4 // self.keys, 1)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


HEADS = (Inner("orthogonal", 3), Inner("orthogonal", 2))


@pytest.mark.parametrize(
    "model, x, groups",
    [
        (Gate(), (5, 4), {"one": Permutation(8)}),
        (Branch(), (5, 4), {"inner": Permutation(8)}),
        (Loose(), (5, 4), {"linear": Permutation(8)}),
        (Squeeze(), (2, 3, 4, 4), {"conv": Permutation(8), "down": Permutation(4)}),
        (Attention(), (2, 6, 8), {"q": Wreath(4, HEADS)}),
        (Attention(2), (2, 6, 8), {"q": Wreath(2, (*HEADS, Inner("permutation", 2)))}),
        (Attention(1), (2, 6, 8), {"q": Wreath(1, (*HEADS, Inner("permutation", 4)))}),
        (nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6, elementwise_affine=False), nn.Linear(6, 2)), (5, 4),
         {"0": Wreath(1, (Inner("mean", 6),))}),
        (nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6, elementwise_affine=False), nn.Linear(6, 2)), (5, 4),
         {"0": Orthogonal(6)}),
        (nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6), nn.Linear(6, 2)), (5, 4),
         {"0": Wreath(1, (Inner("signed", 6),))}),
        (nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)), (5, 4), {"0": Permutation(6)}),
    ],
)  # fmt: skip
def test_every_symmetry_that_survives_is_found(nets, model, x, groups):
    x = torch.randn(x, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    spec = trace_spec(nets.randomised(model), x, strict=True)
    assert spec.groups == groups
    assert_invariant_under(spec, model, x)


def test_query_heads_move_with_the_key_that_they_share(nets):
    model = nets.randomised(Attention(2))
    x = torch.randn(2, 6, 8, dtype=torch.float64)
    spec = trace_spec(model, x)
    (of_keys,), (of_values,) = spec.axes["q.weight"][0], spec.axes["out.weight"][1]
    assert (of_keys.of, of_values.of) == ((2, 0), (2, 1))
    # Keys of other heads than the values' are no symmetry.
    state = model.state_dict()
    moved = dict(state)
    element = spec.groups["q"].random(torch.Generator().manual_seed(0))
    moved.update(spec.act("q", element, state))
    moved["v.weight"], moved["v.bias"] = state["v.weight"], state["v.bias"]
    other = nets.randomised(Attention(2))
    other.load_state_dict(moved)
    assert (other(x) - model(x)).abs().max() > 1e-3


def test_a_recurrent_layer_stays_and_is_named():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.lstm, self.outer = nn.Linear(4, 4), nn.LSTM(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.outer(self.lstm(self.inner(x))[0])

    model = Recurrent()
    spec = trace_spec(model, torch.randn(5, 2, 4))
    assert_invariant_under(spec, model, torch.randn(5, 2, 4))


def test_channels_that_are_sliced_fall_apart(nets):
    class Sliced(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 1), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(F.relu(self.conv(x)[:, :4]).mean((2, 3)))

    spec = trace_spec(nets.randomised(Sliced()), pictures().double())
    # What nothing reads may be anything.
    assert spec.groups["conv"] == Permutation(4) and spec.groups["conv[4:]"] == Orthogonal(4)


def test_a_weight_of_two_layers_is_moved_once(nets):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.one = nn.Linear(4, 6), nn.Linear(6, 6)
            self.two, self.last = nn.Linear(6, 6), nn.Linear(6, 3)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.last(F.relu(self.two(F.relu(self.one(F.relu(self.first(x)))))))

    a, b = Tied().double(), Tied().double()
    spec = trace_spec(a)
    assert spec.groups == {"first": Permutation(6)}
    moved = match_weights(spec, a.state_dict(), b.state_dict()).apply(spec, b.state_dict())
    x = torch.randn(5, 4, dtype=torch.float64)
    before = b(x)
    b.load_state_dict(moved)
    assert not torch.equal(moved["first.weight"], a.state_dict()["first.weight"])
    assert (b(x) - before).abs().max() < 1e-12


def test_channels_on_another_axis_than_the_activation_stay():
    layers = nn.Conv2d(3, 8, 3, padding=1), CoLU(dim=4, channel_dim=-1), nn.Conv2d(8, 4, 3)
    model, x = nn.Sequential(*layers).double(), torch.randn(2, 3, 10, 12, dtype=torch.float64)
    for spec in (trace_spec(model), trace_spec(model, x)):
        assert not spec.groups and "another axis" in spec.still[0][2]
        assert_invariant_under(spec, model, x)


def test_an_example_that_cannot_be_guessed_is_asked_for():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x, y):
            return self.inner(x) + y

    with pytest.raises(ValueError, match="no example for Odd could be made that it runs on; give example="):
        trace_spec(Odd())
    spec = trace_spec(Odd(), {"x": torch.randn(2, 4), "y": torch.randn(2, 4)})
    assert not spec.groups


def test_a_group_that_moves_the_function_after_all_is_given_up(nets, monkeypatch):
    from colu.fusion.tracing.operations import Operations

    # A rule that forgets what a ReLU demands.
    monkeypatch.setattr(Operations, "_demands", lambda *_: (False, True))
    model = nets.randomised(nn.Sequential(nn.Linear(4, 6), nn.Threshold(0.1, 0.2), nn.Linear(6, 2)))

    class Functional(nn.Sequential):
        def forward(self, x):
            return self[2](F.relu(self[0](x)))

    spec = trace_spec(Functional(*model), torch.randn(5, 4).double())
    assert not spec.groups and "would move the function by" in spec.still[0][2]


@pytest.mark.parametrize(
    "x, message",
    [
        (torch.randn(0, 4), "zeros on the example, or nothing at all"),
        (torch.full((3, 4), torch.nan), "puts out NaN or infinity"),
        (torch.zeros(3, 4), "nothing but zeros"),
    ],
)
def test_an_example_on_which_nothing_can_be_tried_is_refused(x, message):
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 2, bias=False))
    with pytest.raises(ValueError, match=message):
        trace_spec(model, x)


@pytest.mark.parametrize("x", [torch.randn(1, 4), torch.randn(6, 4), torch.randn(4, 6, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_group_does_not_depend_on_the_sizes_of_the_example(x, dtype):
    # As many samples, or tokens, as channels: what varies is told by the labels, not by the sizes.
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 6)).to(dtype)
    assert trace_spec(model, x).groups == {"0": Permutation(6), "2": Wreath(1, Inner("signed", 4))}


def test_groups_that_move_the_function_together_alone_are_refused(nets, monkeypatch):
    from colu.fusion import trace

    model = nets.randomised(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)))
    monkeypatch.setattr(trace._Trial, "error", lambda self, spec, drawn, names: float(len(names) > 1))
    with pytest.raises(ValueError, match="by 1 together and none does alone"):
        trace_spec(model, nets.vectors(width=4))
