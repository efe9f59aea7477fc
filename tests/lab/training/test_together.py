"""Networks that are trained side by side are those that would be trained alone."""

import math

import pytest
import torch
from torch import nn

from colu.lab.models import Perceptrons, ResidualPerceptrons
from colu.lab.training import cross_entropy, squared_error, train_together


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def line(n=24):
    x = torch.linspace(-1, 1, n)[:, None]
    return x, x.abs()


def classes(n=40):
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


def small(seeds=(0, 1), **options):
    return Perceptrons([1, 8, 1], torch.tanh, seeds=seeds, bias=1.0, **options)


def test_losses_are_those_of_pytorch_for_each_network():
    outputs = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(1))
    labels, targets = torch.tensor([0, 1, 1, 0, 1]), outputs.mean(dim=0)
    for k in range(3):
        torch.testing.assert_close(cross_entropy(outputs, labels)[k], nn.functional.cross_entropy(outputs[k], labels))
        torch.testing.assert_close(squared_error(outputs, targets)[k], nn.functional.mse_loss(outputs[k], targets))


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("options", [{}, {"batch_norm": True}])
def test_a_network_is_trained_as_if_it_were_alone_at_its_own_rate(optimiser, options):
    plan = {"steps": 20, "batch": 8, "optimiser": optimiser}
    both = train_together(small(**options), squared_error, *line(), lr=[0.03, 0.001], **plan)
    for place, lr in enumerate([0.03, 0.001]):
        alone = train_together(small([place], **options), squared_error, *line(), lr=lr, **plan)
        for one, all_of_them in zip(alone.parameters(), both.parameters(), strict=True):
            torch.testing.assert_close(one[0], all_of_them[place])


@pytest.mark.parametrize(("optimiser", "theirs"), [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_steps_are_those_of_pytorch_and_the_rate_falls_where_asked(optimiser, theirs, schedule):
    ours, twin = small(), small()
    train_together(ours, squared_error, *line(), lr=0.02, steps=15, optimiser=optimiser, schedule=schedule)
    other = theirs(twin.parameters(), lr=0.02)
    falls = {"constant": lambda t: 1.0, "linear": lambda t: 1 - t, "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2}
    x, y = line()
    for step in range(15):
        other.param_groups[0]["lr"] = 0.02 * falls[schedule](step / 15)
        other.zero_grad()
        squared_error(twin(x), y).sum().backward()
        other.step()
    for one, its_twin in zip(ours.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, its_twin)


def test_a_network_at_the_rate_0_stands_still():
    networks, untouched = small(), small()
    train_together(networks, squared_error, *line(), lr=[0.01, 0.0], steps=3)
    for one, start in zip(networks.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(one[1], start[1])
    assert not torch.equal(networks.weights[0][0], untouched.weights[0][0])


def test_what_a_step_function_hides_stands_still():
    networks, untouched = (Perceptrons([1, 8, 1], lambda z: (z > 0).to(z.dtype), seeds=[0]) for _ in range(2))
    train_together(networks, squared_error, *line(), lr=0.01, steps=3)
    assert torch.equal(networks.weights[0], untouched.weights[0])
    assert not torch.equal(networks.weights[1], untouched.weights[1])


def test_batches_go_through_all_examples_in_an_order_of_the_seed():
    x, _ = line(10)
    seen = []

    def note(outputs, targets):
        seen.append(targets[..., 0])
        return squared_error(outputs, targets)

    train_together(small([0, 1, 0]), note, x, x, lr=0.01, steps=6, batch=3)
    epoch, again = (torch.cat(seen[at : at + 3], dim=1) for at in (0, 3))
    assert all(len(set(order.tolist())) == 9 for order in epoch)
    assert torch.equal(epoch[0], epoch[2]) and not torch.equal(epoch[0], epoch[1])
    assert not torch.equal(epoch[0], again[0])
    seen.clear()
    train_together(small([0, 1]), note, x, x, lr=0.01, steps=4, batch=3, shuffle=False)
    for place, batch in enumerate(seen):
        first = 3 * (place % 3)
        assert torch.equal(batch, x[first : first + 3, 0].expand(2, -1))


def test_each_network_may_have_its_own_examples():
    x, y = line()
    networks = Perceptrons([1, 16, 1], torch.tanh, seeds=[0, 0], bias=1.0)
    wanted = torch.stack([y, -y])
    train_together(networks, squared_error, torch.stack([x, x]), wanted, lr=0.03, steps=150, batch=12)
    assert float(squared_error(networks(x), wanted).max().detach()) < 0.02


def test_training_lowers_the_loss_of_every_architecture():
    x, labels = classes()
    for networks in (
        Perceptrons([6, 8, 8, 2], torch.relu, seeds=[0, 1, 2]),
        ResidualPerceptrons([6, 8, 2], torch.relu, (16, 16), seeds=[0, 1, 2]),
    ):
        before = cross_entropy(networks(x), labels).detach()
        train_together(networks, cross_entropy, x, labels, lr=0.01, steps=80, batch=10)
        after = cross_entropy(networks(x), labels).detach()
        assert (after < before / 2).all() and len(set(after.tolist())) == 3


def test_the_watch_sees_the_start_every_so_many_steps_and_the_end():
    seen = []
    train_together(small(), squared_error, *line(), lr=0.01, steps=5, watch=seen.append, every=3)
    assert seen == [0, 3, 5]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"optimiser": "lion"}, "choose 'adam' or 'sgd'"),
        ({"batch": 99}, "batch is 99, and there are 24"),
        ({"lr": [1.0, 2.0, 3.0]}, "3 rates for 2 networks"),
        ({"schedule": "up"}, "schedule"),
    ],
)
def test_a_wrong_plan_is_named(wrong, says):
    with pytest.raises(ValueError, match=says):
        train_together(small(), squared_error, *line(), **{"lr": 0.1, "steps": 1} | wrong)
