"""The registry: every entry tells the truth about its module."""

import functools

import pytest
import torch
from torch import nn

from colu.nn import ActivationEntry, activation_layer, create, get_entry, list_activations, register, registry
from colu.testing import assert_homogeneous

CHANNELS = 12
NAMES = [entry.name for entry in list_activations()]
OURS = [entry.name for entry in list_activations() if entry.family in ("conic", "pointwise")]


@pytest.fixture
def scratch(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    monkeypatch.setattr(registry, "_ALIASES", dict(registry._ALIASES))


def made(name):
    torch.manual_seed(0)
    return create(name, CHANNELS)


@pytest.mark.parametrize("name", OURS)
def test_pointwise_flag_is_true_of_the_module(name):
    x = torch.randn(8, CHANNELS, generator=torch.Generator().manual_seed(0))
    module = made(name)
    shuffled = torch.randperm(x.numel(), generator=torch.Generator().manual_seed(1))
    mixed = module(x.flatten()[shuffled].view_as(x)).flatten()
    same = torch.allclose(mixed, module(x).flatten()[shuffled])
    assert same == get_entry(name).pointwise


@pytest.mark.parametrize("name", OURS)
def test_homogeneity_is_true_of_the_module(name):
    x = torch.randn(8, CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    module = made(name).double()
    if get_entry(name).homogeneity == "positive":
        assert_homogeneous(module, x)
    else:
        with pytest.raises(AssertionError):
            assert_homogeneous(module, x)


@pytest.mark.parametrize("name", OURS)
def test_lipschitz_bound_holds_between_points(name):
    bound = get_entry(name).lipschitz
    x = 3 * torch.randn(4000, CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.cat([x, torch.zeros(1, CHANNELS, dtype=torch.float64)])
    step = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    module = made(name).double()
    for size in (1e-3, 1.0):
        ratio = (module(x + size * step) - module(x)).norm(dim=1) / (size * step).norm(dim=1)
        assert bound is None or ratio.max() <= bound + 1e-9


@pytest.mark.parametrize("name", OURS)
def test_parameter_count_is_true_of_the_module(name):
    count = sum(p.numel() for p in made(name).parameters())
    assert get_entry(name).parameters(CHANNELS) == count


@pytest.mark.parametrize("name", OURS)
def test_small_network_trains(name):
    torch.manual_seed(0)
    x = torch.randn(128, 4)
    target = (x[:, :1] * x[:, 1:2]).tanh()
    net = nn.Sequential(nn.Linear(4, 24), create(name, 24), nn.Linear(24, 24), create(name, 24), nn.Linear(24, 1))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        loss = (net(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # A product of two inputs is out of reach of a linear network.
    linear = torch.cat([x, torch.ones(128, 1)], 1)
    best_linear = (linear @ torch.linalg.lstsq(linear, target).solution - target).square().mean().item()
    assert losses[-1] < losses[0]
    assert (losses[-1] < 0.5 * best_linear) == (name != "identity")


@pytest.mark.parametrize("name", NAMES)
def test_entry_is_complete(name):
    entry = get_entry(name)
    assert isinstance(entry, ActivationEntry) and entry.formula and entry.family
    assert "$" not in entry.formula + entry.equivariance
    assert entry.lipschitz is None or entry.lipschitz > 0
    assert isinstance(entry.parameters(CHANNELS), int) and entry.parameter_formula


def test_names_are_found_in_any_spelling():
    assert type(create("CoLU")) is type(create("colu"))
    assert get_entry("leaky_relu") is get_entry("leaky-relu")
    assert get_entry("gemu") is get_entry("mpu")


@pytest.mark.parametrize("wrong, near", [("collu", "colu"), ("RELUU", "relu"), ("mpu-leeky", "mpu-leaky")])
def test_unknown_names_get_the_nearest_known_ones(wrong, near):
    with pytest.raises(ValueError, match=f"{wrong}.*{near}"):
        create(wrong)


def test_name_unlike_any_other_points_to_the_list():
    with pytest.raises(ValueError, match="list_activations"):
        create("qqqqqqqq")


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="'colu'.*size"):
        create("colu", size=3)


def test_options_reach_the_module_and_channels_are_ignored_where_not_needed():
    assert create("colu", 64, dim=8).dim == 8
    assert isinstance(create("relu", 64), nn.ReLU)


def test_channels_are_asked_for_where_needed(scratch):
    register("per-channel", nn.PReLU, "x", needs_channels=True, parameters=lambda channels: channels)
    with pytest.raises(ValueError, match="num_channels"):
        create("per-channel")
    assert create("per-channel", 5).weight.shape == (5,)


def test_filters():
    assert [entry.name for entry in list_activations("mpu")] == ["mpu", "mpu-leaky", "mpu-learnable"]
    assert all(entry.pointwise for entry in list_activations(lambda entry: entry.pointwise))
    assert sorted(NAMES) == NAMES and {"relu", "colu"} < set(NAMES)


def test_taken_and_malformed_names_are_refused(scratch):
    register("colu", get_entry("colu").factory, "same factory again")
    for name in ("colu", "gemu"):
        with pytest.raises(ValueError, match="taken"):
            register(name, nn.Hardtanh, "x")
    with pytest.raises(ValueError, match="lower-case"):
        register("My Act", nn.Hardtanh, "x")


def test_family_comes_from_the_file_also_of_partials(scratch):
    assert register("some-partial", functools.partial(get_entry("colu").factory, dim=2), "x").family == "conic"


def test_activation_layer_drops_inplace():
    assert activation_layer("colu", dim=8)(inplace=True).dim == 8
    with pytest.raises(ValueError, match="collu"):
        activation_layer("collu")
