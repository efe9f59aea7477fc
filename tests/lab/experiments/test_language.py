"""Next characters: targets are successors, the loss is a mean over all of them, and the test text is not trained on."""

import math

import pytest
import torch
from torch import nn

from colu.lab.data import load_text
from colu.lab.experiments import get_experiment
from colu.lab.experiments.language import pairs_loss


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


def build(arm, **changes):
    experiment = get_experiment("gpt")
    return experiment.build(experiment.config("smoke", arm, 0, **changes))


def test_what_is_held_out_is_the_end_of_the_training_text_and_no_window_of_training_reaches_it():
    task = build("relu", holdout=3000)
    train = load_text("descriptions", "train").tokens
    assert torch.equal(task.test_inputs[0], train[-3000:][:32])
    assert torch.equal(task.batches.tokens, train[:-3000])
    with torch.no_grad():
        found = task.evaluate(task.model)
    assert set(found) == {"validation_loss", "validation_bits"}
    with pytest.raises(ValueError, match="holdout is 10 of"):
        build("relu", holdout=10)


def test_details_are_the_training_loss_exact_zeros_and_the_loss_less_small_values():
    task = build("relu", details=True)
    model = task.model.eval()
    with torch.no_grad():
        found = task.evaluate(model)
    assert set(found) == {
        "test_loss", "test_bits", "train_loss", "pairs_loss", "exact_zeros",
        "test_loss_less_50", "test_loss_less_75", "test_loss_less_90",
    }  # fmt: skip
    assert task.train_targets.numel() == task.test_targets.numel()
    assert torch.equal(task.train_inputs[0], load_text("descriptions", "train").tokens[:32])
    assert found["train_loss"] != found["test_loss"] and 0.4 < found["exact_zeros"] < 0.6
    # What was measured leaves nothing behind.
    with torch.no_grad():
        assert task.evaluate(model) == found


@pytest.mark.parametrize(("arm", "least", "most"), [
    ("gelu", 0.0, 0.0), ("relu", 0.4, 0.6), ("squared-relu", 0.4, 0.6), ("swiglu", 0.0, 0.0), ("colu", 0.3, 0.45),
])  # fmt: skip
def test_exact_zeros_are_those_of_the_activation(arm, least, most):
    task = build(arm, details=True)
    with torch.no_grad():
        assert least <= task.evaluate(task.model.eval())["exact_zeros"] <= most


def test_the_loss_of_pairs_is_that_of_smoothed_counts():
    known, tokens = torch.tensor([0, 1, 0, 1, 1, 0]), torch.tensor([1, 0, 1])
    # Behind 0 stands 1 twice; behind 1 stands 0 twice and 1 once; both characters are as frequent.
    after = {(1, 0): (2 + 5 / 2) / (3 + 5), (0, 1): (2 + 5 / 2) / (2 + 5)}
    wanted = -(math.log(after[1, 0]) + math.log(after[0, 1])) / 2
    assert pairs_loss(known, tokens, 2) == pytest.approx(wanted)


def test_a_gated_arm_has_as_many_weights_as_a_plain_one():
    sizes = {arm: sum(p.numel() for p in build(arm, width=128).model.parameters()) for arm in ("relu", "swiglu")}
    assert sizes["swiglu"] == pytest.approx(sizes["relu"], rel=2e-3)
