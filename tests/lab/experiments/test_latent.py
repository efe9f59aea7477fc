"""Latent diffusion: one autoencoder for all arms and seeds, equal batches, frozen codes, scores with anchors."""

import pytest
import torch

from colu.lab.experiments import get_experiment, latent_space, run, run_arms
from colu.lab.experiments import latent as module

SHORT = {"autoencoder_steps": 30, "batch_size": 32, "steps": 6, "evaluate_every": 0}


def task(arm="relu", seed=0, **changes):
    experiment = get_experiment("latent-diffusion")
    return experiment.build(experiment.config("smoke", arm, seed, **{**SHORT, **changes}))


def test_arms_and_seeds_share_one_autoencoder_and_its_codes():
    one, other = task("relu", 0), task("colu", 3)
    assert one.space is other.space
    assert torch.equal(one.test_codes, other.test_codes)


def test_the_autoencoder_is_the_same_in_another_process():
    before = task().space.fingerprint
    module._trained_from.cache_clear()  # what a new process starts from
    torch.manual_seed(99)
    assert task("colu", 5).space.fingerprint == before


def test_the_autoencoders_own_arm_and_seed_change_it():
    spaces = [task(), task(autoencoder="colu"), task(autoencoder_seed=1)]
    assert len({made.space.fingerprint for made in spaces}) == 3


def test_arms_see_the_same_codes_times_and_noise():
    for step in (0, 30):
        ours, theirs = task("relu").batch(step), task("colu").batch(step)
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not torch.equal(task("relu", 0).batch(0)[2], task("relu", 1).batch(0)[2])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_first_loss_is_about_one_in_every_arm(prediction):
    losses = [task(arm, prediction=prediction).evaluate(task(arm).model)["test_loss"] for arm in ("relu", "colu")]
    assert losses[0] == losses[1]
    assert abs(losses[0] - 1) < 0.1


def test_training_leaves_the_autoencoder_as_it_is():
    before = task().space.fingerprint
    record = run_arms("latent-diffusion", arms=["colu"], seeds=[0], **SHORT)[0]
    assert record.metrics["autoencoder_fingerprint"] == before == task().space.fingerprint
    assert not any(p.requires_grad for p in task().space.autoencoder.parameters())


def test_two_runs_give_the_same_numbers_and_training_helps():
    config = get_experiment("latent-diffusion").config("smoke", "colu", 0, **{**SHORT, "steps": 40})
    a, b = (run(config, keep=False) for _ in range(2))
    assert a.metrics == b.metrics
    assert a.metrics["test_loss"] < 0.9


def test_samples_are_images_and_their_scores_stand_beside_anchors():
    made = task(samples=100, sampling_steps=3)
    made.model.eval()
    images = made.sampled(made.model, 4)
    assert images.shape == (4, 1, 8, 8) and 0 <= images.min() and images.max() <= 1
    with torch.no_grad():
        found = made.evaluate(made.model)
    assert 0 < found["rfd_cnn_real"] < found["rfd_cnn_decoded"] and found["rfd_cnn_real"] < found["rfd_cnn"]
    assert 0 <= found["precision"] <= 1 and 0 <= found["recall"] <= 1


def test_scores_can_be_had_while_gradients_are_off_and_do_not_depend_on_the_arm():
    with torch.no_grad():
        found = [t.evaluate(t.model) for t in (task(arm, samples=80, sampling_steps=2) for arm in ("relu", "colu"))]
    # Untrained networks predict 0 in every arm, so equal noise gives equal pictures.
    assert found[0] == found[1]


def test_padding_is_cut_off_again():
    made = task(pad=4)
    assert made.test_codes.shape[1:] == (4, 4, 4)
    assert made.sampled(made.model, 2).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"autoencoder": "rellu"}, "rellu"),
        ({"prediction": "noise"}, "noise"),
        ({"widths": [40, 60]}, "60"),
        ({"samples": 10}, "samples is 10"),
        ({"processes": 2}, "2 processes"),
        ({"autoencoder_loss": "l1"}, "l1"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        made = task("colu", **changes)
        made.evaluate(made.model)


def test_widths_that_cones_do_not_fill_are_refused_by_name():
    with pytest.raises(ValueError, match="colu-soft-shared"):
        task("colu-soft-shared", widths=[48])


def test_the_space_of_a_configuration_is_that_of_its_task():
    config = get_experiment("latent-diffusion").config("smoke", "silu", 7, **SHORT)
    assert latent_space(config) is task().space
