"""critical_init_: signal and gradients survive a deep plain network, for every activation that has moments."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from colu.nn import (
    CoLU,
    create,
    critical_init_,
    gain,
    gradient_ratio,
    kaiming_like_,
    list_activations,
    replace_activations,
    second_moment_ratio,
)
from colu.nn.gain import gauss_legendre, normal_norm

DEEP = 30


def plain(activation, width=64, inputs=64, outputs=64, depth=DEEP):
    layers = [nn.Linear(inputs, width)]
    for _ in range(depth - 1):
        layers += [create(activation, width), nn.Linear(width, width)]
    layers[-1] = nn.Linear(width, outputs)
    return nn.Sequential(*layers).double()


def profile(model, x):
    """Second moments of the pre-activations, and of the gradients with respect to them, layer by layer."""
    kept = []
    for layer in model:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            x.retain_grad()
            kept.append(x)
    x.backward(torch.randn(x.shape, dtype=x.dtype))
    return [float(h.detach().square().mean()) for h in kept], [float(h.grad.square().mean()) for h in kept]


@pytest.mark.parametrize("name, dim, exact", [
    ("relu", None, 1 / 2),
    ("identity", None, 1.0),
    ("colu", 4, 5 / 8 - 1 / (2 * math.pi)),
    ("colu", 64, None),
    ("mpu", 2, 1 / 2),
    ("group-sort", 8, 1.0),
])  # fmt: skip
def test_the_share_that_is_left_of_a_gradient(name, dim, exact):
    found = gradient_ratio(name, dim)
    if exact is None:
        # By another way: differences of the map itself.
        torch.manual_seed(0)
        f, z, v = create(name), torch.randn(4000, dim, dtype=torch.float64), torch.randn(4000, dim, dtype=torch.float64)
        exact = float(((f(z + 1e-6 * v) - f(z - 1e-6 * v)) / 2e-6).square().sum() / v.square().sum())
    assert found == pytest.approx(exact, rel=0.01)


def test_it_is_the_same_each_time():
    assert gradient_ratio("colu", 32) == gradient_ratio("colu", 32)


@pytest.mark.parametrize("name", ["colu", "rcolu", "colu-soft", "tanh", "elu", "relu"])
def test_thirty_layers_keep_signal_and_gradient(name):
    torch.manual_seed(0)
    model = plain(name, width=128, inputs=128, outputs=128)
    starts = critical_init_(model)
    assert len(starts) == DEEP and starts["0"].fed_by == "the input" and starts["2"].fed_by == "1"
    signal, gradient = profile(model, torch.randn(128, 128, dtype=torch.float64))
    # A finite width wanders a little; a gain that is off by a tenth would be off by a factor of 300.
    assert all(0.05 < value < 10 for value in signal), signal
    assert 0.1 < gradient[0] / gradient[-1] < 10


def test_default_and_own_gain_lose_what_the_critical_start_keeps():
    def ends(prepare):
        torch.manual_seed(0)
        model = plain("colu")
        prepare(model)
        signal, gradient = profile(model, torch.randn(256, 64, dtype=torch.float64))
        return signal[-1] / signal[0], gradient[0] / gradient[-1]

    def own(model):
        for layer in model:
            if isinstance(layer, nn.Linear):
                kaiming_like_(layer.weight, "colu", num_channels=64)
                nn.init.zeros_(layer.bias)

    default, own_gain, critical = ends(lambda model: None), ends(own), ends(critical_init_)
    assert default[1] < 1e-10 and own_gain[1] > 100
    assert all(0.2 < value < 5 for value in critical)


@pytest.mark.parametrize(
    "entry", [e for e in list_activations() if e.kind == "activation" and not e.unfit], ids=lambda e: e.name
)
def test_every_entry_with_moments_has_a_start(entry):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(8, 16), entry.factory(16) if entry.needs_channels else entry.factory(), nn.Linear(16, 8)
    )
    try:
        starts = critical_init_(model)
    except ValueError as error:
        # What gives other numbers of channels than it takes does not run here.
        assert "does not run" in str(error), error
        assert entry.unfit or entry.family in ("glu", "gated", "isometric", "piecewise"), entry.name
        return
    assert "2" in starts and all(bool(p.isfinite().all()) for p in model.parameters())


def test_convolutions_dropout_and_pooling():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), CoLU(), nn.Dropout(0.1), nn.MaxPool2d(2), nn.Conv2d(16, 16, 3), CoLU()
    )
    starts = critical_init_(model)
    assert {name: start.fed_by for name, start in starts.items()} == {"0": "the input", "4": "1"}
    assert model[4].weight.std().item() == pytest.approx(gradient_ratio("colu", 16) ** -0.5 / 12, rel=0.1)


def test_layers_after_a_norm_a_sum_or_without_bias():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.act, self.second = (
                nn.Linear(8, 8),
                nn.LayerNorm(8),
                CoLU(),
                nn.Linear(8, 8, bias=False),
            )
            self.last = nn.Linear(8, 2)

        def forward(self, x):
            return self.last(x + self.second(self.act(self.norm(self.first(x)))))

    model = Block()
    before = model.last.weight.clone()
    starts = critical_init_(model)
    assert set(starts) == {"first", "second"} and torch.equal(model.last.weight, before)
    assert starts["second"].gain == pytest.approx(second_moment_ratio("colu", 8) ** -0.5, rel=0.01)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_transposed_convolution_sums_over_its_inputs(stride):
    torch.manual_seed(0)
    layers = [nn.ConvTranspose2d(32, 8, 2, stride), nn.ReLU(), nn.ConvTranspose2d(8, 32, 2, stride), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(32, 4, 1))
    x = torch.randn(4, 32, 12, 12)
    critical_init_(model, example_input=x)
    for depth in (1, 3):
        inner = model[:depth](x)[..., 2:-2, 2:-2]
        assert 0.5 < float(inner.square().mean()) < 2


def test_weights_that_are_computed_frozen_or_tied_stay():
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
    frozen, tied = nn.Linear(8, 8).requires_grad_(False), nn.Linear(8, 8)
    again = nn.Linear(8, 8)
    again.weight = tied.weight
    layers = [nn.Linear(8, 8), normed, frozen, tied, again, nn.Linear(8, 8)]
    model = nn.Sequential(*(one for layer in layers for one in (layer, nn.ReLU())))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    starts = critical_init_(model)
    assert set(starts) == {"0", "10"}
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"0.weight", "0.bias", "10.weight", "10.bias"}


def test_layers_that_share_a_weight_with_anything_stay():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.layer, self.act = nn.Embedding(9, 8), nn.Linear(8, 8), nn.ReLU()
            self.head, self.last = nn.Linear(8, 9, bias=False), nn.Linear(8, 2)
            self.head.weight = self.embed.weight

        def forward(self, x):
            h = self.act(self.layer(self.embed(x)))
            return self.head(h), self.last(h)

    model = Tied()
    before = model.embed.weight.clone()
    assert set(critical_init_(model)) == {"last"} and torch.equal(model.embed.weight, before)


def test_each_layer_gets_the_moments_of_the_width_that_feeds_it():
    act = CoLU(num_groups=4)
    model = nn.Sequential(nn.Linear(8, 16), act, nn.Linear(16, 64), act, nn.Linear(64, 2))
    starts = critical_init_(model)
    assert starts["2"].gain == pytest.approx(gradient_ratio(CoLU(num_groups=4), 16) ** -0.5)
    assert starts["4"].gain == pytest.approx(gradient_ratio(CoLU(num_groups=4), 64) ** -0.5)


def test_only_what_the_input_feeds_directly_is_fed_by_it():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act, self.last = nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)

        def forward(self, x):
            return self.last(self.act(self.first(F.relu(x + 1))))

    assert set(critical_init_(Shifted())) == {"last"}
    assert set(critical_init_(nn.Sequential(nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)))) == {"1", "3"}


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d(1), nn.MaxPool2d(30), nn.AdaptiveMaxPool2d(1)])
def test_pooling_is_passed_over(pool):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(8, 2))
    assert critical_init_(model)["4"].fed_by == "1"


def test_layers_inside_of_an_activation_are_its_own():
    model = nn.Sequential(nn.Linear(8, 8), create("meta-acon-c", 8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    before = {name: value.clone() for name, value in model[1].state_dict().items()}
    assert set(critical_init_(model, example_input=torch.randn(4, 8))) == {"0", "2", "4"}
    assert all(torch.equal(value, before[name]) for name, value in model[1].state_dict().items())


@pytest.mark.parametrize("act", [nn.ReLU(inplace=True), nn.SiLU(inplace=True), nn.LeakyReLU(inplace=True)])
def test_activations_in_place_have_the_moments_of_the_others(act):
    plain = type(act)()
    for channels in (None, 8, 20):
        assert gradient_ratio(act, channels) == gradient_ratio(plain, channels)
        assert gain(act, channels) == gain(plain, channels)
    model = nn.Sequential(nn.Linear(8, 8), act, nn.Linear(8, 8))
    assert critical_init_(model)["2"].gain == pytest.approx(gradient_ratio(plain) ** -0.5)


@pytest.mark.parametrize("size", [17, 20, 32, 64, 128])
def test_beyond_sixteen_channels_the_ratio_is_within_a_per_cent_of_the_integral(size):
    # Of one cone: over the axis a and the norm r of the section, the squares of the Jacobian's singular values.
    axis, density = gauss_legendre([0.25 * k for k in range(-48, 49)], 8)
    density = density * torch.exp(-axis.square() / 2) / math.sqrt(2 * math.pi)
    radius, mass = normal_norm(size - 1)
    a, r = axis[:, None], radius[None]
    sections = torch.where(a >= r, size - 1.0, torch.where(a > 0, (a / r) ** 2 * (size - 2) + 1, 0.0))
    exact = float((density[:, None] * mass[None] * (1 + sections)).sum()) / size
    assert gradient_ratio(CoLU(dim=size), size) == pytest.approx(exact, rel=0.01)
    assert gradient_ratio(CoLU(dim=size), 2 * size) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("activation, channels, said", [
    (torch.relu, None, "neither a name nor a Module"),
    (nn.GLU(), 8, "wanted one that keeps it"),
    (nn.ReLU(), 30_000, "more than the 21201"),
])  # fmt: skip
def test_what_has_no_ratio_is_refused_in_words(activation, channels, said):
    with pytest.raises(ValueError, match=said):
        gradient_ratio(activation, channels)


def test_a_model_without_shapes_or_values_is_left_as_it_is():
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2))
    with pytest.raises(ValueError, match="'0.weight' has no shape yet"):
        critical_init_(model)
    assert isinstance(model[0], nn.LazyLinear)
    with pytest.raises(ValueError, match="meta device"):
        critical_init_(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)).to("meta"))


def test_a_pointwise_activation_needs_no_axis_and_no_points_a_channel():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.ReLU(), nn.Linear(4 * 30 * 30, 2))
    assert critical_init_(model)["3"].gain == pytest.approx(2**0.5)


def test_a_remainder_that_passes_has_moments_of_its_own():
    model = nn.Sequential(nn.Linear(8, 18), nn.ReLU(), nn.Linear(18, 8))
    replace_activations(model, nn.ReLU, "colu", remainder="pass")
    rho, chi = ((16 * f("colu", 16) + 2) / 18 for f in (second_moment_ratio, gradient_ratio))
    start = critical_init_(model)["2"]
    assert start.gain == pytest.approx(chi**-0.5, rel=0.02)
    assert start.bias == pytest.approx((1 - rho / chi) ** 0.5, rel=0.05)


@pytest.mark.parametrize("model", [
    nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4)),
    nn.Sequential(nn.Linear(8, 16), create("maxout", 16), nn.Linear(8, 4)),
])  # fmt: skip
def test_an_error_leaves_the_weights_as_they_were(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="no layer of the model is fed"):
        critical_init_(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_bad_models_are_named():
    with pytest.raises(ValueError, match="no layer of the model is fed by an activation"):
        critical_init_(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)))
    with pytest.raises(ValueError, match="example_input"):
        critical_init_(nn.Bilinear(2, 2, 2))
    with pytest.raises(ValueError, match="does not run on the example"):
        critical_init_(nn.Sequential(nn.Linear(4, 4), CoLU()), example_input=torch.randn(2, 5))


@pytest.mark.long
def test_thirty_layers_learn_the_digits_from_the_critical_start_alone():
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = torch.tensor(digits.data / 16, dtype=torch.float64)
    x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target)

    def accuracy(prepare, seed):
        torch.manual_seed(seed)
        model = plain("colu", outputs=10)
        prepare(model)
        optimiser = torch.optim.Adam(model.parameters(), 1e-3)
        for _ in range(150):
            rows = torch.randint(1400, (64,))
            optimiser.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
        return float((model(x[1400:]).argmax(1) == y[1400:]).double().mean())

    assert min(accuracy(critical_init_, seed) for seed in range(3)) > 0.5
    assert max(accuracy(lambda model: None, seed) for seed in range(3)) < 0.3
