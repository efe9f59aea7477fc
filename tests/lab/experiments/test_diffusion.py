"""The experiment on diffusion: equal images and noise in every arm, a resumed run is the run."""

import pytest
import torch

from colu.lab.experiments import get_experiment, run


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


def test_cones_that_do_not_fill_the_widths_are_refused():
    with pytest.raises(ValueError, match=r"cones of arm 'colu-3' do not fill widths \[16, 64\]"):
        build("colu-3")
