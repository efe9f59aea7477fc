"""The fast network as an experiment: held-out images, mirrored pictures, smoothing, and a run that goes on."""

import pytest
import torch

from colu.lab.experiments import fast, get_experiment
from colu.lab.experiments.classification import _images
from colu.lab.training import fit, make_fabric

EXPERIMENT = get_experiment("cifar-fast")


def config(arm="relu", seed=0, **changes):
    return EXPERIMENT.config("smoke", arm, seed, **changes)


def test_it_learns_digits_in_a_second():
    made = config(steps=60, evaluate_every=0)
    found = fit(EXPERIMENT.build(made), made.plan, seed=0).metrics
    assert found["test_accuracy"] > 80


def test_the_filters_are_of_training_images_that_are_not_held_out(monkeypatch):
    seen = []
    whitening = fast.whitening_filters
    monkeypatch.setattr(fast, "whitening_filters", lambda images: seen.append(images) or whitening(images))
    task = EXPERIMENT.build(config(holdout=347))
    images = _images("digits", "train", "cpu").images[:1000]
    assert torch.equal(seen[0], task.batches.normalise(images))
    assert torch.equal(task.test_images, _images("digits", "train", "cpu").images[1000:])


def test_one_seed_is_one_start_and_one_order_in_every_arm():
    tasks = [EXPERIMENT.build(config(arm, 3)) for arm in ("relu", "rcolu", "meta-acon", "lslu")]
    first = tasks[0].model.stages[0].convolution.weight
    assert all(torch.equal(task.model.stages[0].convolution.weight, first) for task in tasks)
    assert all(torch.equal(task.batch(7)[0], tasks[0].batch(7)[0]) for task in tasks)
    assert not torch.equal(EXPERIMENT.build(config("relu", 4)).model.stages[0].convolution.weight, first)


def test_a_mirrored_test_set_is_measured_the_same_where_logits_are_of_both():
    task = EXPERIMENT.build(config(mirror=True))
    model = task.model.eval()
    with torch.no_grad():
        ahead = task.evaluate(model)
        task.test_images = task.test_images.flip(3)
        mirrored = task.evaluate(model)
        task.mirror = False
        alone = task.evaluate(model)
    assert mirrored["test_loss"] == pytest.approx(ahead["test_loss"], rel=1e-5)
    assert alone["test_loss"] != pytest.approx(ahead["test_loss"], rel=1e-5)


def test_smoothing_is_of_the_loss_that_is_trained_and_not_of_the_one_that_is_told():
    plain, smooth = EXPERIMENT.build(config(smoothing=0.0)), EXPERIMENT.build(config(smoothing=0.3))
    batch = plain.batch(0)
    with torch.no_grad():
        assert float(plain.loss(plain.model.eval(), batch)) != float(smooth.loss(smooth.model.eval(), batch))
        assert plain.evaluate(plain.model) == smooth.evaluate(smooth.model)


@pytest.mark.parametrize(("arm", "precision"), [("relu", "32-true"), ("colu", "bf16-mixed"), ("meta-acon", "32-true")])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(arm, precision, tmp_path):
    fabric = make_fabric("cpu", precision)
    made = config(arm, steps=12, checkpoint_every=5, log_every=4, warmup=2, precision=precision)
    whole = fit(EXPERIMENT.build(made), made.plan, seed=0, fabric=fabric)

    class Stopped(Exception):
        pass

    def stop(step, *_):
        if step == 8:
            raise Stopped

    with pytest.raises(Stopped):
        fit(EXPERIMENT.build(made), made.plan, seed=0, fabric=fabric, folder=tmp_path, progress=stop)
    rest = fit(EXPERIMENT.build(made), made.plan, seed=0, fabric=fabric, folder=tmp_path, say=lambda _: None)
    assert rest.resumed_from == 5 and rest.curve == whole.curve
    pairs = zip(rest.model.state_dict().values(), whole.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("changes", [{"block": "dense"}, {"depth": 0}, {"smoothing": 1.0}, {"mirror": 1}])
def test_options_that_cannot_be_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        config(**changes)
