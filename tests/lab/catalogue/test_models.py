"""Entries are distinct, and the same seed makes the same model and example."""

import torch

from colu.lab.catalogue import CATALOGUE
from colu.lab.catalogue.models import Entry, perturbed


def test_names_are_distinct_and_at_least_thirty():
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names) >= 30


def test_a_model_is_made_again_alike_with_no_constant_gain():
    entry = Entry("small", "torchvision", "shufflenet_v2_x0_5")
    one, two = entry.make(), entry.make()
    assert not one.training and torch.equal(entry.example(), entry.example())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert len(one.conv1[1].weight.unique()) > 1


def test_noise_is_small_and_the_same_each_time():
    one, two = (perturbed(torch.nn.LayerNorm(100)) for _ in range(2))
    assert torch.equal(one.weight, two.weight) and 0 < (one.weight - 1).abs().max() < 0.1
