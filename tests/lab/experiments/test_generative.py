"""Experiments of the autoencoders: equal data and noise in every arm, and options that do not fit are refused."""

import pytest
import torch

from colu.lab.experiments import get_experiment, run, run_arms


def task(name, arm="relu", seed=0, **changes):
    experiment = get_experiment(name)
    return experiment.build(experiment.config("smoke", arm, seed, **changes))


def test_arms_of_the_vae_see_the_same_images_and_noise():
    for step in (0, 30):
        a, b = (task("vae", arm).batch(step) for arm in ("relu", "colu-soft-shared"))
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
        assert a[0].unique().tolist() == [0.0, 1.0]


def test_the_binarised_set_does_not_depend_on_the_seed_and_the_noise_does():
    a, b = (task("vae", seed=s, binarisation="fixed") for s in (0, 1))
    assert torch.equal(a.test, b.test) and torch.equal(a.batches.images, b.batches.images)
    assert not torch.equal(a.batch(0)[1], b.batch(0)[1])


def test_shares_of_two_processes_make_up_the_batch():
    whole = task("vae").batch(3)
    parts = [task("vae").batch(3, rank, 2) for rank in (0, 1)]
    for i in (0, 1):
        assert torch.equal(torch.stack([p[i] for p in parts], 1).flatten(0, 1), whole[i])


def test_the_importance_weighted_bound_is_the_tighter_one():
    record = run_arms("vae", arms=["relu"], seeds=[0], steps=60, importance_samples=20)[0]
    assert record.metrics["test_importance_nats"] < record.metrics["test_nats"]


def test_two_runs_of_the_vae_give_the_same_numbers():
    config = get_experiment("vae").config("smoke", "colu", 0, steps=12)
    a, b = (run(config, keep=False) for _ in range(2))
    assert a.metrics == b.metrics


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_the_autoencoder_learns_under_both_losses(loss):
    record = run_arms("autoencoder", arms=["colu"], seeds=[0], steps=60, evaluate_every=1, loss=loss)[0]
    assert record.curve[-1]["test_mse"] < 0.7 * record.curve[0]["test_mse"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [("vae", {"binarisation": "dynamic"}), ("vae", {"init": "he"}), ("autoencoder", {"loss": "l1"})],
)
def test_options_that_are_not_known_are_refused(name, changes):
    with pytest.raises(ValueError, match=next(iter(changes.values()))):
        task(name, **changes)


def test_what_an_autoencoder_is_tuned_on_is_the_end_of_the_training_set_and_is_not_trained_on():
    whole, held = task("autoencoder"), task("autoencoder", holdout=100)
    images = whole.batches.images
    assert torch.equal(held.batches.images, images[:-100])
    assert torch.equal(held.test, whole.batches.normalise(images[-100:]))
    record = run_arms("autoencoder", arms=["relu"], seeds=[0], steps=2, holdout=100)[0]
    assert {"validation_mse", "validation_bce"} <= record.metrics.keys() and "test_mse" not in record.metrics
    with pytest.raises(ValueError, match="leave some to train on"):
        task("autoencoder", holdout=2000)


def test_the_error_of_the_components_is_that_of_the_spectrum_on_the_images_that_they_are_of():
    built = task("autoencoder", components=True)
    numbers = built.model.encode(built.test[:1]).numel()
    pixels = built.batches.normalise(built.batches.images).flatten(1).double()
    built.test = built.batches.normalise(built.batches.images)
    left = float((built._kept(numbers) - pixels).square().mean())
    lost = torch.linalg.eigvalsh(pixels.T.cov(correction=0))[:-numbers].sum() / pixels.shape[1]
    assert left == pytest.approx(float(lost), rel=1e-6)
    record = run_arms("autoencoder", arms=["relu"], seeds=[0], steps=2, components=True)[0]
    assert 0 < record.metrics["components_mse"] < record.metrics["test_mse"]
