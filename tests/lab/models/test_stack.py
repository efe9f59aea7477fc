"""Perceptrons side by side: each as it would be alone."""

import pytest
import torch
from torch import nn

from colu.lab.models import Stack, fit_stack


def _error(out, y):
    return (out - y).square().mean(dim=(1, 2))


def _data(n=24):
    x = torch.linspace(-1, 1, n, dtype=torch.float64)[:, None]
    return x, x.abs()


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_the_formula():
    model = Stack([3, 5, 4, 2], torch.tanh, seeds=[3, 8], gain=1.5, bias=0.7, scale=[1.0, 6.0])
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    for place, scale in enumerate((1.0, 6.0)):
        w, b = ([p[place] for p in part] for part in (model.weights, model.biases))
        h = torch.tanh(scale * (x @ w[0] + b[0]))
        wanted = torch.tanh(h @ w[1] + b[1]) @ w[2] + b[2]
        torch.testing.assert_close(model(x)[place], wanted)


def test_a_seed_has_its_weights_whatever_the_activation_and_whoever_stands_beside_it():
    one = Stack([2, 6, 1], torch.relu, seeds=[4], gain=1.0)
    other = Stack([2, 6, 1], torch.tanh, seeds=[1, 4], gain=2.0)
    assert torch.equal(one.weights[0][0], other.weights[0][1])
    torch.testing.assert_close(2 * one.weights[1][0], other.weights[1][1])


def test_gain_and_bias_are_the_deviations_of_the_start():
    model = Stack([400, 400, 400], torch.relu, seeds=[0], gain=1.5, bias=0.5)
    assert abs(float(model.weights[0].detach().std()) * 20 - 1) < 0.01
    assert abs(float(model.weights[1].detach().std()) * 20 - 1.5) < 0.01
    assert abs(float(model.biases[0].detach().std()) - 0.5) < 0.1 and not model.biases[1].any()


def test_a_network_is_trained_as_if_it_were_alone_at_its_own_rate():
    x, y = _data()
    both = Stack([1, 8, 1], torch.tanh, seeds=[0, 1], bias=1.0)
    fit_stack(both, _error, x, y, lr=[0.03, 0.001], steps=20, batch=8)
    for place, (seed, lr) in enumerate([(0, 0.03), (1, 0.001)]):
        alone = Stack([1, 8, 1], torch.tanh, seeds=[seed], bias=1.0)
        fit_stack(alone, _error, x, y, lr=lr, steps=20, batch=8)
        torch.testing.assert_close(both(x)[place], alone(x)[0])


def test_the_steps_are_those_of_adam():
    x, y = _data()
    model = Stack([1, 8, 1], torch.tanh, seeds=[5], bias=1.0)
    twin = Stack([1, 8, 1], torch.tanh, seeds=[5], bias=1.0)
    fit_stack(model, _error, x, y, lr=0.02, steps=15, decay=False)
    optimiser = torch.optim.Adam(twin.parameters(), lr=0.02)
    for _ in range(15):
        optimiser.zero_grad()
        _error(twin(x), y).sum().backward()
        optimiser.step()
    torch.testing.assert_close(model(x), twin(x))


def test_each_network_may_have_its_own_examples():
    x, y = _data()
    model = Stack([1, 16, 1], torch.tanh, seeds=[0, 0], bias=1.0)
    fit_stack(model, _error, torch.stack([x, x]), torch.stack([y, -y]), lr=0.03, steps=150)
    assert float(_error(model(x), torch.stack([y, -y])).max()) < 0.02


def test_a_change_is_seen_by_the_next_layer():
    model = Stack([2, 6, 6, 3], nn.ReLU(), seeds=[0, 1])
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    wanted = model.biases[-1].expand(2, 4, 3)
    torch.testing.assert_close(model(x, change=torch.zeros_like), wanted)
    shapes = [tuple(h.shape) for h in model.hidden(x)]
    assert shapes == [(2, 4, 6), (2, 4, 6)]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"seeds": []}, "no seeds"), ({"seeds": [0], "scale": [1.0, 2.0]}, "2 scales for 1 networks")],
)
def test_what_does_not_fit_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Stack([1, 2, 1], torch.relu, **options)
    with pytest.raises(ValueError, match="widths"):
        Stack([1], torch.relu, seeds=[0])
    with pytest.raises(ValueError, match="3 rates for 1 networks"):
        fit_stack(Stack([1, 2, 1], torch.relu, seeds=[0]), _error, *_data(), lr=[1.0, 2.0, 3.0], steps=1)
