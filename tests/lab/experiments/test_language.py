"""Next characters: targets are successors, the loss is a mean over all of them, and the test text is not trained on."""

import math

import pytest
import torch
from torch import nn

from colu.lab.data import load_text
from colu.lab.experiments import get_experiment


@pytest.fixture(scope="module")
def task():
    config = get_experiment("gpt").config("smoke", "colu", 0)
    return get_experiment("gpt").build(config)


class Even(nn.Module):
    """Gives each of 200 characters the same chance."""

    def forward(self, x):
        return torch.zeros(*x.shape, 200)


def test_targets_are_the_successors_in_training_and_in_the_test(task):
    x, y = task.batch(3)
    assert x.shape == y.shape == (8, 32) and torch.equal(x[:, 1:], y[:, :-1])
    windows, following = task.test_inputs, task.test_targets
    assert torch.equal(windows.flatten()[1:], following.flatten()[:-1])
    assert torch.equal(windows[0], load_text("descriptions", "test").tokens[:32])
    assert 1000 - 32 <= following.numel() < 1000


def test_loss_and_evaluation_of_even_chances_are_the_logarithm_of_their_number(task):
    assert float(task.loss(Even(), task.batch(0))) == pytest.approx(math.log(200))
    found = task.evaluate(Even())
    assert found == {"test_loss": pytest.approx(math.log(200)), "test_bits": pytest.approx(math.log2(200))}


def test_evaluation_is_the_mean_over_characters_whatever_the_parts(task, monkeypatch):
    model = task.model.eval()
    with torch.no_grad():
        logits = model(task.test_inputs)
        whole = nn.functional.cross_entropy(logits.flatten(0, 1), task.test_targets.flatten()).item()
        assert task.evaluate(model)["test_loss"] == pytest.approx(whole, rel=1e-5)
        # More windows than are evaluated at a time.
        monkeypatch.setattr(task, "test_inputs", task.test_inputs.repeat(5, 1))
        monkeypatch.setattr(task, "test_targets", task.test_targets.repeat(5, 1))
        assert len(task.test_inputs) > 64
        assert task.evaluate(model)["test_loss"] == pytest.approx(whole, rel=1e-5)


def test_a_width_that_the_cones_do_not_fill_is_rounded_to_one_that_they_do():
    experiment = get_experiment("gpt")
    config = experiment.config("smoke", "colu-soft-shared", 0, width=68)
    model = experiment.build(config).model
    # An axis and 90 sections of three, of 4 * 68 channels.
    assert model.blocks[0].up.out_features == 271
