"""Diffusion: the schedulers' formulas, pairing over arms, and a sampler that samples."""

import subprocess
import sys

import pytest
import torch

from colu.lab.generative import Denoising, denoising_profile, make_scheduler, sample, sampling_noise, slerp, strata


def test_noisy_images_are_the_weighted_sum_of_image_and_noise():
    objective, x, noise = Denoising(), torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    t = torch.tensor([0, 400, 999])
    kept = objective.scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    wanted = kept.sqrt() * x + (1 - kept).sqrt() * noise
    seen = []
    objective.errors(lambda noisy, t: seen.append(noisy) or noisy, x, t, noise)
    torch.testing.assert_close(seen[0], wanted)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_true_prediction_has_no_loss(prediction):
    objective, x, noise = Denoising(prediction), torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    t = torch.tensor([3, 400, 990])
    kept = objective.scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    true = noise if prediction == "epsilon" else kept.sqrt() * noise - (1 - kept).sqrt() * x
    assert objective.errors(lambda noisy, t: true, x, t, noise).max() < 1e-10
    assert objective.errors(lambda noisy, t: 0 * true, x, t, noise).min() > 0.1


@pytest.mark.parametrize(("kind", "steps", "allowed"), [("ddim", 100, 0.02), ("ddpm", 1000, 0.05)])
def test_sampling_a_gaussian_with_its_best_denoiser_gives_its_deviation(kind, steps, allowed):
    # For x0 ~ N(0, s^2) the best prediction of the noise is known, so the sampler has a known answer.
    deviation = 0.3
    kept = make_scheduler().alphas_cumprod

    def best(x, t):
        a = kept[t].view(-1, 1, 1, 1)
        return (1 - a).sqrt() * x / (a * deviation**2 + 1 - a)

    images = sample(best, sampling_noise(2000, (1, 2, 2)), kind=kind, steps=steps, clip=False)
    assert abs(float(images.std()) - deviation) < allowed
    assert abs(float(images.mean())) < 0.02


def test_ddim_repeats_and_ddpm_follows_its_seed():
    model, noise = (lambda x, t: 0.9 * x), sampling_noise(2, (1, 4, 4))
    assert torch.equal(sample(model, noise, steps=5), sample(model, noise, steps=5))
    one, same, other = (sample(model, noise, steps=5, kind="ddpm", seed=s) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_profile_is_paired_and_its_bins_are_even():
    objective, images = Denoising(), torch.zeros(40, 1, 4, 4)
    seen = []
    for _ in range(2):
        denoising_profile(lambda x, t: seen.append((x, t)) or x, images, objective)
    assert torch.equal(seen[0][0], seen[1][0]) and torch.equal(seen[0][1], seen[1][1])
    assert torch.equal(torch.bincount(seen[0][1] // 100), torch.full((10,), 4))


def test_profile_puts_an_error_into_its_own_bin():
    objective, images = Denoising(), torch.zeros(20, 1, 4, 4)
    kept = objective.scheduler.alphas_cumprod

    def wrong_late(x, t):
        """Exact for zero images, but for the last tenth of the times."""
        return x / (1 - kept[t].view(-1, 1, 1, 1)).sqrt() + (t >= 900).float().view(-1, 1, 1, 1)

    profile = denoising_profile(wrong_late, images, objective)
    torch.testing.assert_close(profile, torch.tensor([0.0] * 9 + [1.0]).double(), atol=1e-6, rtol=0)


def test_strata_cover_the_times():
    assert torch.equal(strata(1000).sort().values, torch.arange(1000))


NAN = torch.tensor([[[[float("nan"), 0.0], [0.0, 0.0]]]])


def errors(t, noise):
    return Denoising().errors(lambda x, t: x, torch.zeros(1, 1, 2, 2), t, noise)


def test_bad_input_is_named():
    for call, message in (
        (lambda: make_scheduler("euler"), "kind is 'euler'"),
        (lambda: Denoising("image"), "prediction is 'image'"),
        (lambda: sample(lambda x, t: x, torch.zeros(1, 1, 2, 2), steps=2000), "steps is 2000, wanted 1 to 1000"),
        (lambda: denoising_profile(None, torch.zeros(3, 1, 2, 2), Denoising()), "3 images for 10 bins"),
        (lambda: strata(0), "n is 0"),
        (lambda: sampling_noise(0, (1, 2, 2)), "n is 0"),
        (lambda: sample(lambda x, t: x, NAN, steps=2), "1 of 4 numbers of the noise"),
        (lambda: sample(lambda x, t: x * float("nan"), torch.ones(1, 1, 2, 2), steps=2), "numbers of the samples"),
        (lambda: denoising_profile(None, NAN.repeat(10, 1, 1, 1), Denoising()), "10 of 40 numbers of the images"),
        (lambda: errors(torch.tensor([3]), torch.zeros(1, 2, 2)), "wanted one shape"),
        (lambda: errors(torch.tensor([3.0]), torch.zeros(1, 1, 2, 2)), "wanted 1 integers"),
        (lambda: errors(torch.tensor([3, 4]), torch.zeros(1, 1, 2, 2)), "wanted 1 integers"),
        (lambda: errors(torch.tensor([1000]), torch.zeros(1, 1, 2, 2)), "wanted 0 to 999"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_importing_does_not_load_diffusers():
    script = "import sys, colu.lab.generative, colu.lab.experiments; assert 'diffusers' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_ends_are_the_two_noises():
    a, b = sampling_noise(2, (1, 4, 4)).double()
    ends = slerp(a, b, [0.0, 1.0])
    torch.testing.assert_close(ends[0], a)
    torch.testing.assert_close(ends[1], b)


def test_noises_of_one_length_keep_it_and_are_passed_at_even_angles():
    a, b = sampling_noise(2, (3, 5, 5)).double()
    b = b * a.norm() / b.norm()
    path = slerp(a, b, torch.linspace(0, 1, 9)).flatten(1)
    torch.testing.assert_close(path.norm(dim=1), a.norm().expand(9))
    steps = (path[1:] * path[:-1]).sum(1)
    torch.testing.assert_close(steps, steps[:1].expand(8))


def test_orthogonal_noises_keep_the_variance_that_the_chord_loses():
    a, b = sampling_noise(2, (1, 200, 200))
    middle = slerp(a, b, [0.5])
    assert abs(float(middle.var()) - 1) < 0.02
    assert abs(float(((a + b) / 2).var()) - 0.5) < 0.02


def test_backwards_is_the_same_way():
    a, b = sampling_noise(2, (1, 4, 4)).double()
    torch.testing.assert_close(slerp(a, b, [0.3]), slerp(b, a, [0.7]))


def test_parallel_noises_are_joined_by_the_chord_and_the_limit_is_continuous():
    a, b = sampling_noise(2, (1, 4, 4)).double()
    torch.testing.assert_close(slerp(a, 2 * a, [0.25])[0], 1.25 * a)
    near = a + 1e-5 * b
    torch.testing.assert_close(slerp(a, near, [0.5])[0], (a + near) / 2, rtol=0, atol=1e-9)


def test_dtype_is_kept():
    a, b = sampling_noise(2, (1, 2, 2))
    assert slerp(a, b, [0.5]).dtype == torch.float32 and slerp(a, b, [0.5, 0.6]).shape == (2, 1, 2, 2)


@pytest.mark.parametrize(
    ("first", "second", "weights", "message"),
    [
        (torch.ones(2), torch.ones(3), [0.5], "wanted one shape"),
        (torch.zeros(2), torch.ones(2), [0.5], "is 0"),
        (torch.ones(2), -torch.ones(2), [0.5], "opposite directions"),
        (torch.ones(2), torch.ones(2), [1.5], r"weights are \[1.5\]"),
        (torch.ones(2), torch.ones(2), [float("nan")], "weights are"),
    ],
)
def test_two_noises_that_no_circle_joins_are_named(first, second, weights, message):
    with pytest.raises(ValueError, match=message):
        slerp(first, second, weights)
