"""Bounds: against exact values, in the right order, and with the binarisation that is asked for."""

import math

import pytest
import torch
from torch import nn

from colu.lab.generative import binarise, bits_per_dimension, importance_weighted_bound, negative_elbo
from colu.lab.models import VAE


@pytest.fixture
def small():
    torch.manual_seed(0)
    model = VAE(6, 16, 1, nn.Tanh)
    with torch.no_grad():  # codes wider than the posterior, so that no importance weight is large
        model.to_code.weight.mul_(0.3)
        model.to_code.bias.copy_(torch.tensor([0.3, 0.7]))
    return model, (torch.rand(7, 6) > 0.5).float()


def exact(model, x):
    """-log p(x) by quadrature over a code of one number."""
    z = torch.linspace(-9, 9, 6001, dtype=torch.float64)[:, None]
    logits = model.double().decode(z)
    joint = torch.distributions.Bernoulli(logits=logits[:, None]).log_prob(x.double()).sum(-1)
    joint = joint + torch.distributions.Normal(0.0, 1.0).log_prob(z)
    result = -(torch.logsumexp(joint, 0) + math.log(18 / 6000))
    model.float()
    return result.detach()


def test_divergence_is_that_of_torch_distributions(small):
    model, x = small
    mean, log_variance = model.encode(x)
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    wanted = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(negative_elbo(model, x, torch.zeros(7, 1)).divergence, wanted)


def test_bounds_lie_above_the_exact_value_and_tighten(small):
    model, x = small
    truth = exact(model, x)
    with torch.no_grad():
        noise = torch.randn(4000, 7, 1, generator=torch.Generator().manual_seed(1))
        elbo = torch.stack([negative_elbo(model, x, e).total for e in noise]).double().mean(0)
        ten = torch.stack(
            [importance_weighted_bound(model, x, 10, torch.Generator().manual_seed(s)) for s in range(400)]
        )
        tight = importance_weighted_bound(model, x, 20_000, torch.Generator().manual_seed(2))
    ten = ten.double().mean(0)
    assert (elbo - truth > 0.02).any()  # else the order below would say nothing
    assert (elbo >= ten - 1e-2).all() and (ten >= truth - 1e-2).all()
    torch.testing.assert_close(tight.double(), truth, atol=0.05, rtol=0)


def test_one_sample_is_the_elbo_with_the_sampled_divergence(small):
    model, x = small
    a = torch.stack([importance_weighted_bound(model, x, 1, torch.Generator().manual_seed(s)) for s in range(3000)])
    noise = torch.randn(3000, 7, 1, generator=torch.Generator().manual_seed(9))
    b = torch.stack([negative_elbo(model, x, e).total for e in noise])
    error = (a.var(0) / 3000 + b.var(0) / 3000).sqrt()
    assert ((a.mean(0) - b.mean(0)).abs() < 5 * error).all()


def test_fixed_binarisation_is_one_draw_with_the_grey_level_as_probability():
    grey = torch.full((200, 1, 10, 10), 0.3)
    drawn = binarise(grey, "fixed", seed=1)
    assert torch.equal(drawn, binarise(grey, "fixed", seed=1))
    assert not torch.equal(drawn, binarise(grey, "fixed", seed=2))
    assert abs(float(drawn.mean()) - 0.3) < 5 * math.sqrt(0.21 / 20_000)
    ends = torch.tensor([0.0, 1.0])
    assert torch.equal(binarise(ends, "fixed"), ends)


def test_a_fair_coin_a_pixel_is_one_bit():
    model = VAE(10, 4, 2)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    bound = negative_elbo(model, torch.ones(3, 10), torch.zeros(3, 2))
    assert bits_per_dimension(float(bound.total.detach().mean()), 10) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [torch.tensor([1.5]), torch.tensor([-0.1]), torch.tensor([float("nan")])])
def test_pixels_outside_the_unit_interval_are_refused(bad):
    with pytest.raises(ValueError, match="wanted \\[0, 1\\]"):
        binarise(bad, "threshold")
    model = VAE(1, 4, 2)
    with pytest.raises(ValueError, match="wanted \\[0, 1\\]"):
        negative_elbo(model, bad[None], torch.zeros(1, 2))
    with pytest.raises(ValueError, match="wanted \\[0, 1\\]"):
        importance_weighted_bound(model, bad[None], 3)


def test_one_noise_for_all_images_is_refused():
    with pytest.raises(ValueError, match=r"noise is \(1, 2\), wanted one code an image: \(3, 2\)"):
        negative_elbo(VAE(4, 4, 2), torch.ones(3, 4), torch.zeros(1, 2))


def test_unknown_binarisation_no_samples_and_no_dimensions_are_refused(small):
    model, x = small
    for call in (
        lambda: binarise(x, "dynamic"),
        lambda: importance_weighted_bound(model, x, 0),
        lambda: bits_per_dimension(1.0, 0),
    ):
        with pytest.raises(ValueError):
            call()
