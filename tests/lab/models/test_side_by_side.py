"""Networks side by side: each is what it would be alone."""

import math

import pytest
import torch
from torch import nn

from colu.lab.models import Perceptrons, ResidualPerceptrons


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def rows(n=7, width=3, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def make(kind, activation=torch.relu, **options):
    """Networks of three inputs and two outputs."""
    options = {"seeds": [3, 8]} | options
    if kind == "residual":
        return ResidualPerceptrons([3, 6, 2], activation, (8, 8), **options)
    return Perceptrons([3, 8, 8, 2], activation, **options)


KINDS = pytest.mark.parametrize("kind", ["plain", "residual"])


def test_perceptrons_are_their_formula():
    networks = Perceptrons([3, 5, 4, 2], torch.tanh, seeds=[3, 8], gain=1.5, bias=0.7, scale=[1.0, 6.0])
    x, found = rows(), networks.layers(rows())
    for place, scale in enumerate((1.0, 6.0)):
        w, b = ([p[place] for p in part] for part in (networks.weights, networks.biases))
        first = scale * (x @ w[0] + b[0])
        second = torch.tanh(first) @ w[1] + b[1]
        for z, wanted in zip(found.before, (first, second), strict=True):
            torch.testing.assert_close(z[place], wanted)
        torch.testing.assert_close(found.behind[1][place], torch.tanh(second))
        torch.testing.assert_close(found.outputs[place], torch.tanh(second) @ w[2] + b[2])


def test_residual_perceptrons_are_their_formula():
    networks = ResidualPerceptrons([12, 6, 3], nn.GLU(dim=1), (10, 5), seeds=[0])
    layers = [(w[0], b[0]) for w, b in zip(networks.weights, networks.biases, strict=True)]
    x = rows(width=12)
    divide = lambda v: v / (v.square().mean(1, keepdim=True) + 1e-6).sqrt()  # noqa: E731
    y = x @ layers[0][0] + layers[0][1]
    for (up, first), (down, second) in (layers[1:3], layers[3:5]):
        y = y + nn.functional.glu(divide(y) @ up + first) @ down + second
    torch.testing.assert_close(networks(x)[0], divide(y) @ layers[-1][0] + layers[-1][1])


@KINDS
def test_a_seed_has_its_weights_whatever_the_activation_and_whoever_stands_beside_it(kind):
    one, other = make(kind, seeds=[4]), make(kind, torch.tanh, seeds=[1, 4])
    for alone, beside in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(alone[0], beside[1])
    assert not torch.equal(other(rows())[0], other(rows())[1])


def test_a_gain_is_a_factor_of_all_weights_but_the_first():
    one, other = (Perceptrons([2, 6, 1], torch.relu, seeds=[4], gain=gain) for gain in (1.0, 2.0))
    assert torch.equal(one.weights[0], other.weights[0])
    torch.testing.assert_close(2 * one.weights[1], other.weights[1])


def test_gain_and_bias_are_the_deviations_of_the_start():
    networks = Perceptrons([400, 400, 400], torch.relu, seeds=[0], gain=1.5, bias=0.5)
    assert abs(float(networks.weights[0].detach().std()) * 20 - 1) < 0.01
    assert abs(float(networks.weights[1].detach().std()) * 20 - 1.5) < 0.01
    assert abs(float(networks.biases[0].detach().std()) - 0.5) < 0.1 and not networks.biases[1].any()


def test_the_gain_makes_what_a_block_adds_as_large_as_its_input():
    networks = ResidualPerceptrons([3, 64, 2], torch.relu, (512, 512), seeds=[0, 1], gain=math.sqrt(2))
    (up, _), (down, _) = networks.weights_of(0)[1:3]
    added = (rows(500, 64) @ up.T).relu() @ down.T
    assert 0.8 < added.square().mean() < 1.2


def test_batch_norm_gives_mean_0_and_variance_1():
    for z in Perceptrons([3, 8, 8, 2], torch.relu, seeds=[0, 1], batch_norm=True).layers(rows(40)).before:
        torch.testing.assert_close(z.mean(dim=1), torch.zeros_like(z[:, 0]), atol=1e-12, rtol=0)
        variance = z.var(dim=1, correction=0)
        assert (variance <= 1).all() and (variance > 0.99).all()


@KINDS
def test_each_network_may_have_its_own_inputs(kind):
    networks, x = make(kind), torch.stack([rows(), rows(seed=1)])
    torch.testing.assert_close(networks(x)[1], networks(x[1])[1])


@KINDS
def test_a_change_is_seen_by_the_next_layer(kind):
    networks, x, seen = make(kind, nn.ReLU()), rows(), []
    networks(x, change=lambda h: seen.append(h) or h)
    assert [tuple(h.shape) for h in seen] == [(2, 7, 8), (2, 7, 8)]
    assert not torch.allclose(networks(x, change=torch.zeros_like), networks(x))
    if kind == "plain":
        wanted = networks.biases[-1].expand(2, 7, 2)
        torch.testing.assert_close(networks(x, change=torch.zeros_like), wanted)


def test_weights_of_a_network_are_those_of_linear_layers():
    networks = make("plain", bias=0.5)
    layers = []
    for weight, bias in networks.weights_of(1):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight.clone(), "bias": bias.clone()})
        layers += [linear, nn.ReLU()]
    torch.testing.assert_close(networks(rows())[1], nn.Sequential(*layers[:-1])(rows()))


@KINDS
def test_parameters_are_counted_and_have_the_type_asked_for(kind):
    networks = make(kind, dtype=torch.float32)
    assert {p.dtype for p in networks.parameters()} == {torch.float32}
    wanted = {"plain": 3 * 8 + 8 + 8 * 8 + 8 + 8 * 2 + 2, "residual": 3 * 6 + 6 + 2 * (2 * 48 + 8 + 6) + 6 * 2 + 2}
    assert networks.num_parameters == wanted[kind] and len(networks) == 2


def test_a_diverged_network_has_nothing_right():
    networks, labels = make("plain"), torch.zeros(7, dtype=torch.int64)
    wanted = 100 * float((networks(rows())[1].argmax(dim=1) == 0).double().mean())
    with torch.no_grad():
        networks.weights[0][0].fill_(math.nan)
    assert networks.accuracy(rows(), labels) == [0, wanted]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seeds": []}, "no seeds"),
        ({"scale": [1.0, 2.0, 3.0]}, "3 scales for 2 networks"),
        ({"activation": nn.PReLU()}, "PReLU.*learns a shape"),
    ],
)
def test_what_does_not_fit_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        make("plain", **options)
    with pytest.raises(ValueError, match="at least two"):
        Perceptrons([1], torch.relu, seeds=[0])
    with pytest.raises(ValueError, match="wanted three"):
        ResidualPerceptrons([1, 2], torch.relu, (4, 4), seeds=[0])
