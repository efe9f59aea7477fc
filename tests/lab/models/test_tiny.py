"""Many networks at once are the networks one by one."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.lab.models import TinyNetworks


def alone(networks, k):
    """One of the networks, as PyTorch writes it."""
    layers = []
    for weight, bias in networks.layers(k):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight.clone(), "bias": bias.clone()})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def squared(out, y):
    return (out - y).square()


def test_each_is_trained_as_if_it_were_alone():
    x = torch.linspace(-1, 1, 20)[:, None]
    y = x.abs()
    networks = TinyNetworks([1, 6, 6, 1], torch.relu, seeds=range(3))
    single = alone(networks, 1)
    torch.testing.assert_close(networks(x)[1], single(x))
    networks.fit(x, y, squared, steps=50, lr=1e-2)
    optimiser = torch.optim.Adam(single.parameters(), lr=1e-2)
    for _ in range(50):
        optimiser.zero_grad()
        F.mse_loss(single(x), y).backward()
        optimiser.step()
    torch.testing.assert_close(networks(x)[1], single(x), atol=1e-4, rtol=1e-3)


def test_a_network_depends_on_its_own_seed_alone():
    some, other = (TinyNetworks([2, 4, 1], torch.tanh, seeds) for seeds in ([3, 4, 5], [5]))
    x = torch.ones(1, 2)
    assert torch.equal(some(x)[2], other(x)[0])
    assert not torch.equal(some(x)[0], some(x)[1])


def test_training_lowers_the_error_and_the_rate_falls_where_asked():
    x = torch.linspace(-1, 1, 50)[:, None]
    y = x.square()
    errors = {}
    for decay in (False, True):
        networks = TinyNetworks([1, 16, 1], torch.relu, seeds=range(4))
        before = squared(networks(x), y).mean(dim=(1, 2))
        after = squared(networks.fit(x, y, squared, steps=300, lr=1e-2, decay=decay)(x), y).mean(dim=(1, 2))
        assert (after < 0.2 * before).all()
        errors[decay] = after
    assert not torch.equal(errors[False], errors[True])


def test_each_network_may_have_its_own_data():
    x = torch.randn(2, 10, 3, generator=torch.Generator().manual_seed(0))
    networks = TinyNetworks([3, 5, 2], torch.relu, seeds=[1, 2])
    assert torch.allclose(networks(x)[1], networks(x[1])[1], atol=1e-6)


def test_what_makes_no_network_is_refused():
    with pytest.raises(ValueError, match="two widths"):
        TinyNetworks([2], torch.relu, seeds=[0])
    with pytest.raises(ValueError, match="a seed"):
        TinyNetworks([2, 1], torch.relu, seeds=[])
