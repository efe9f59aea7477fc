"""The variational bound against divergences computed by torch, a Gaussian with a known answer, and sums of one."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from colu.lab.generative import bits_per_dimension, make_scheduler, variational_bound
from colu.lab.generative.bound import _decoder_nats
from colu.lab.training import generator_for

STEPS = 12


def chain(steps=STEPS):
    """Betas, products, and products one step before, in float64."""
    scheduler = make_scheduler(steps=steps)
    kept = scheduler.alphas_cumprod.double()
    return scheduler.betas.double(), kept, torch.cat([torch.ones(1).double(), kept[:-1]])


def grid(n, levels, seed=0):
    whole = torch.randint(levels, (n, 1, 3, 3), generator=torch.Generator().manual_seed(seed))
    return (2 * whole.double() / (levels - 1) - 1), whole


@pytest.mark.parametrize("variance", ["posterior", "beta"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_each_term_is_the_divergence_of_its_two_gaussians(variance, prediction):
    x0, _ = grid(3, 17)
    betas, kept, before = chain()

    def model(x, t):
        return 0.3 * x.sin() + 0.01 * t.view(-1, 1, 1, 1)

    bound = variational_bound(
        model, x0, levels=17, train_steps=STEPS, variance=variance, prediction=prediction, clip=False
    )
    for t in range(1, STEPS):
        noise = torch.randn(x0.shape, generator=generator_for(0, "bound", t)).double()
        a, b = kept[t], betas[t]
        noisy = a.sqrt() * x0 + (1 - a).sqrt() * noise
        said = model(noisy, torch.full((3,), t))
        if prediction == "epsilon":
            clean = (noisy - (1 - a).sqrt() * said) / a.sqrt()
        else:
            clean = a.sqrt() * noisy - (1 - a).sqrt() * said

        def mean(image, t=t, a=a, b=b, noisy=noisy):
            part = before[t].sqrt() * b / (1 - a) * image
            return part + (1 - b).sqrt() * (1 - before[t]) / (1 - a) * noisy

        narrow = b * (1 - before[t]) / (1 - a)
        wide = b if variance == "beta" else narrow
        wanted = kl_divergence(Normal(mean(x0), narrow.sqrt()), Normal(mean(clean), wide.sqrt()))
        torch.testing.assert_close(bound.denoising[:, t - 1], wanted.flatten(1).sum(1))
    prior = kl_divergence(Normal(kept[-1].sqrt() * x0, (1 - kept[-1]).sqrt()), Normal(0.0, 1.0))
    torch.testing.assert_close(bound.prior, prior.flatten(1).sum(1))
    torch.testing.assert_close(bound.total, bound.prior + bound.denoising.sum(1) + bound.decoder)


@pytest.mark.parametrize("deviation", [0.004, 0.1, 3.0])
@pytest.mark.parametrize("centre", [-1.3, -0.98, 0.01, 0.4, 1.0])
def test_probabilities_of_the_grey_levels_add_up_to_one(deviation, centre):
    levels = (2 * torch.arange(17).double() / 16 - 1).view(-1, 1)
    nats = _decoder_nats(levels, torch.full_like(levels, centre), deviation, 17)
    assert (nats >= 0).all()
    torch.testing.assert_close((-nats).exp().sum(), torch.tensor(1.0).double())


def test_probability_of_a_level_is_a_difference_of_two_distribution_functions():
    levels = (2 * torch.arange(5).double() / 4 - 1).view(-1, 1)
    normal = Normal(torch.tensor(0.2).double(), torch.tensor(0.7).double())
    edges = torch.tensor([-math.inf, -0.75, -0.25, 0.25, 0.75, math.inf]).double()
    wanted = normal.cdf(edges).diff()
    found = (-_decoder_nats(levels, torch.full_like(levels, 0.2), 0.7, 5)).exp().flatten()
    torch.testing.assert_close(found, wanted)


def gaussian(deviation, steps):
    """The best prediction of noise for data of N(0, deviation^2)."""
    kept = chain(steps)[1]

    def best(x, t):
        a = kept[t].view(-1, 1, 1, 1).to(x.dtype)
        return (1 - a).sqrt() * x / (a * deviation**2 + 1 - a)

    return best


@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_gaussian_data_have_the_bound_of_the_closed_form(variance):
    steps, s, n = 25, 0.5, 4000
    betas, kept, before = chain(steps)
    x = s * torch.randn(n, 1, 2, 2, generator=torch.Generator().manual_seed(1)).double()
    bound = variational_bound(
        gaussian(s, steps), x, levels=None, train_steps=steps, variance=variance, clip=False, batch_size=50_000
    )
    # What is left to know of x0 given x_t, times the weight of x0 in the posterior's mean, makes each divergence.
    left = s**2 * (1 - kept) / (kept * s**2 + 1 - kept)
    narrow = betas * (1 - before) / (1 - kept)
    wide = betas.clone() if variance == "beta" else narrow.clone()
    gap = betas**2 * before / (1 - kept) ** 2 * left
    wanted = (gap / wide + narrow / wide - 1 - (narrow / wide).log())[1:] / 2
    standard_error = bound.denoising.std(0) / n**0.5
    assert ((bound.denoising.mean(0) - 4 * wanted).abs() < 5 * standard_error + 1e-12).all()
    decoder = 0.5 * (left[0] / narrow[1] + (2 * math.pi * narrow[1]).log())
    assert abs(float(bound.decoder.mean() - 4 * decoder)) < 5 * float(bound.decoder.std()) / n**0.5
    prior = 0.5 * (kept[-1] * s**2 - kept[-1] - (1 - kept[-1]).log())
    entropy = 0.5 * math.log(2 * math.pi * math.e * s**2)
    # The bound of the best denoiser lies above the entropy, whatever the number of steps.
    assert float(prior + wanted.sum() + decoder) > entropy


def test_more_steps_bring_the_bound_of_the_best_denoiser_to_the_entropy():
    # Steps of variance beta and a decoder with the posterior's variance are exact in the limit of many steps.
    s, gaps = 0.5, []
    x = s * torch.randn(500, 1, 2, 2, generator=torch.Generator().manual_seed(2)).double()
    truth = -Normal(0.0, s).log_prob(x).flatten(1).sum(1)
    for steps in (10, 100, 1000):
        model, a = gaussian(s, steps), chain(steps)[1][0]
        bound = variational_bound(
            model, x, levels=None, train_steps=steps, variance="beta", clip=False, batch_size=50_000
        )
        noisy = a.sqrt() * x + (1 - a).sqrt() * torch.randn(x.shape, generator=generator_for(0, "bound", 0)).double()
        clean = (noisy - (1 - a).sqrt() * model(noisy, torch.zeros(500, dtype=torch.long))) / a.sqrt()
        left = s**2 * (1 - a) / (a * s**2 + 1 - a)
        decoder = -Normal(clean, left.sqrt()).log_prob(x).flatten(1).sum(1)
        gaps.append(float((bound.total - bound.decoder + decoder - truth).mean()) / 4)
    assert gaps[0] > gaps[1] > gaps[2]
    assert abs(gaps[2]) < 0.02


def test_grey_levels_cost_at_least_the_entropy_of_a_fair_draw():
    # No model describes uniform independent levels in fewer bits than log2(levels) a pixel.
    x, _ = grid(400, 4)
    bound = variational_bound(gaussian(0.75, 50), x, levels=4, train_steps=50)
    assert bits_per_dimension(float(bound.total.mean()), 9) > 2


def test_two_models_meet_the_same_noise_and_the_size_of_a_batch_does_not_matter():
    seen, (x, _) = [], grid(3, 17)
    for size in (500, 7):
        calls = []
        bound = variational_bound(
            lambda noisy, t, calls=calls: calls.append(noisy) or 0.2 * noisy,
            x,
            levels=17,
            train_steps=8,
            batch_size=size,
        )
        seen.append((torch.cat(calls), bound.total))
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)


def test_clipping_the_predicted_image_lowers_the_bound_of_a_model_that_exaggerates():
    x, _ = grid(3, 17)
    clipped, free = (
        variational_bound(lambda x, t: -x, x, levels=17, train_steps=20, clip=clip).total.mean()
        for clip in (True, False)
    )
    assert clipped < free


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (torch.zeros(3, 3), {}, "wanted \\(n, channels"),
        (torch.zeros(0, 1, 2, 2), {}, "at least 1"),
        (torch.full((1, 1, 2, 2), math.nan), {}, "NaN"),
        (torch.full((1, 1, 2, 2), 1.5), {}, "between 1.5 and 1.5"),
        (torch.full((1, 1, 2, 2), 0.3), {"levels": 17}, "off the 17 grey levels"),
        (torch.zeros(1, 1, 2, 2), {"levels": 1}, "levels is 1"),
        (torch.zeros(1, 1, 2, 2), {"levels": 3, "variance": "learned"}, "variance is 'learned'"),
        (torch.zeros(1, 1, 2, 2), {"levels": 3, "train_steps": 1}, "train_steps is 1"),
    ],
)
def test_bad_input_is_named(images, options, message):
    with pytest.raises(ValueError, match=message):
        variational_bound(lambda x, t: x, images, **options)
