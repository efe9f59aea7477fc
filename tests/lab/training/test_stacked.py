"""Networks that are trained side by side are those that would be trained alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from colu.lab.training import Stack


def examples(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=generator, dtype=torch.float64)
    return x, (x[:, 0] > 0).long()


def stack(seeds=(0, 1, 2), activation=torch.relu, **options):
    return Stack([6, 8, 8, 2], activation, math.sqrt(2), seeds, dtype=torch.float64, **options)


def test_a_stack_computes_what_each_network_does_alone():
    x, _ = examples()
    many = stack()
    logits, before = many.hidden(x)
    for seed in range(3):
        h = x
        for layer in range(3):
            h = h @ many.weights[layer][seed] + many.biases[layer][seed]
            if layer < 2:
                torch.testing.assert_close(before[layer][seed], h)
                h = h.relu()
        torch.testing.assert_close(logits[seed], h)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_seed_trains_alike_alone_and_in_company(optimiser, batch_norm):
    x, labels = examples()
    plan = dict(learning_rate=0.01, epochs=2, batch=10, optimiser=optimiser)
    many = stack(batch_norm=batch_norm).train(x, labels, **plan)
    alone = stack(seeds=[1], batch_norm=batch_norm).train(x, labels, **plan)
    for one, all_of_them in zip(alone.parameters(), many.parameters(), strict=True):
        torch.testing.assert_close(one[0], all_of_them[1])


def test_activations_start_from_the_same_weights():
    one, other = stack(), stack(activation=torch.tanh)
    assert all(torch.equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


def test_training_lowers_the_loss_and_another_seed_is_another_network():
    x, labels = examples()
    many = stack()
    before = many.losses(x, labels).detach()
    after = many.train(x, labels, learning_rate=0.01, epochs=20, batch=10).losses(x, labels)
    assert (after < before).all()
    assert len({round(float(loss), 6) for loss in after.detach()}) == 3


def test_gradient_norms_are_those_of_autograd():
    x, labels = examples()
    many = stack()
    norms = many.gradient_norms(x, labels)
    loss = nn.functional.cross_entropy(many.logits(x)[1], labels)
    for layer in range(2):
        (gradient,) = torch.autograd.grad(loss, many.weights[layer], retain_graph=True)
        torch.testing.assert_close(norms[1, layer], gradient[1].norm())


def test_batch_norm_gives_mean_0_and_variance_1():
    x, _ = examples()
    _, before = stack(batch_norm=True).hidden(x)
    for z in before:
        torch.testing.assert_close(z.mean(dim=1), torch.zeros_like(z[:, 0]), atol=1e-12, rtol=0)
        assert (z.var(dim=1, correction=0) <= 1).all() and (z.var(dim=1, correction=0) > 0.99).all()


def test_a_diverged_network_has_nothing_right():
    x, labels = examples()
    many = stack()
    with torch.no_grad():
        many.weights[0][0].fill_(math.nan)
    accuracy = many.accuracy(x, labels)
    assert accuracy[0] == 0 and min(accuracy[1:]) > 0


def test_the_watch_sees_the_start_every_so_many_steps_and_the_end():
    x, labels = examples()
    seen = []
    stack().train(x, labels, learning_rate=0.01, epochs=1, batch=8, watch=seen.append, every=3)
    assert seen == [0, 3, 5]


@pytest.mark.parametrize(("wrong", "says"), [({"optimiser": "lion"}, "choose 'adam' or 'sgd'"), ({"batch": 99}, "99")])
def test_a_wrong_plan_is_named(wrong, says):
    x, labels = examples()
    with pytest.raises(ValueError, match=says):
        stack().train(x, labels, **{"learning_rate": 0.1, "epochs": 1, "batch": 10, **wrong})
