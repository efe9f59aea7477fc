"""Classifiers whose features samples are measured by."""

import pytest
import torch

from colu.lab.generative import train_classifiers


def test_training_classifiers_leaves_the_global_generator_alone_and_repeats():
    images, labels = torch.rand(40, 1, 8, 8), torch.arange(40) % 10
    state = torch.get_rng_state()
    a = train_classifiers(images, labels, steps=3, batch_size=8)
    with torch.no_grad():
        b = train_classifiers(images, labels, steps=3, batch_size=8)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(a[0].project.weight, b[0].project.weight)
    assert not torch.equal(a[0].project.weight, a[1].project.weight)


@pytest.mark.parametrize(
    ("labels", "seeds", "message"),
    [(8, (0, 0), "at least two"), (3, (0, 1), r"labels are \(3,\) for")],
)
def test_what_does_not_fit_is_refused(labels, seeds, message):
    with pytest.raises(ValueError, match=message):
        train_classifiers(torch.rand(8, 1, 8, 8), torch.zeros(labels).long(), seeds=seeds)
