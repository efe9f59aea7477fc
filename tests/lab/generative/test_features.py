"""Classifiers whose features samples are measured by."""

import pytest
import torch
from colu.lab import data
from colu.lab.generative import (
    blurred,
    feature_frechet,
    frechet_distance,
    inception_fid,
    precision_recall,
    sliced_wasserstein,
    train_classifiers,
)


def test_training_classifiers_leaves_the_global_generator_alone_and_repeats():
    images, labels = torch.rand(40, 1, 8, 8), torch.arange(40) % 10
    state = torch.get_rng_state()
    a, b = (train_classifiers(images, labels, steps=3, batch_size=8) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(a[0].project.weight, b[0].project.weight)
    assert not torch.equal(a[0].project.weight, a[1].project.weight)
