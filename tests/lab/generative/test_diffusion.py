"""Diffusion: the schedulers' formulas, pairing over arms, and a sampler that samples."""

import subprocess
import sys

import pytest
import torch

from colu.lab.experiments import get_experiment, run
from colu.lab.generative import Denoising, denoising_profile, make_scheduler, sample, sampling_noise, strata


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
        (lambda: build("colu-3"), r"cones of arm 'colu-3' do not fill widths \[16, 64\]"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def build(arm, **changes):
    experiment = get_experiment("ddpm")
    return experiment.build(experiment.config("smoke", arm, 0, **changes))


def test_arms_see_the_same_images_times_and_noise():
    one, other = build("relu"), build("colu")
    for step in (0, 30):
        assert all(torch.equal(a, b) for a, b in zip(one.batch(step), other.batch(step), strict=True))
    assert not torch.equal(one.batch(0)[2], one.batch(1)[2])
    images = one.batch(0)[0]
    assert images.min() == -1 and images.max() == 1


def test_the_settings_of_a_gpu_train_resume_and_repeat_on_a_cpu(tmp_path, monkeypatch):
    """`full` cut down: bf16, channels last and flips, stopped after its checkpoint and gone on with."""
    small = {"dataset": "digits", "steps": 4, "batch_size": 8, "test_size": 20, "widths": [16, 64]}
    small |= {"device": "cpu", "checkpoint_every": 2, "evaluate_every": 2, "log_every": 1, "processes": 1}
    config = get_experiment("ddpm").config("full", "colu", 0, **small)
    assert config.precision == "bf16-mixed" and config.options["channels_last"]
    whole = run(config, tmp_path / "whole")

    class StopError(Exception):
        pass

    def stop(done, steps, entry):
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        run(config, tmp_path / "parts", progress=stop)
    said = []
    resumed = run(config, tmp_path / "parts", say=said.append)
    assert "goes on from step 2 of 4" in said
    assert resumed.metrics == whole.metrics
    assert 0 < whole.metrics["test_loss"] < 1.5


def test_a_short_training_learns():
    metrics = run(get_experiment("ddpm").config("smoke", "colu", 0, steps=60), keep=False).metrics
    assert metrics["test_loss"] < 0.6
    profile = [metrics[f"test_loss_t{t:03d}"] for t in range(0, 1000, 100)]
    assert abs(sum(profile) / 10 - metrics["test_loss"]) < 1e-9


def test_importing_does_not_load_diffusers():
    script = "import sys, colu.lab.generative, colu.lab.experiments; assert 'diffusers' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
