"""Training steps of whole networks."""

import pytest
import torch

from colu.lab.bench.steps import ACTIVATIONS, NETWORKS


@pytest.mark.parametrize("network", ["mlp", "resnet", "resnet56", "unet"])
def test_networks_of_the_steps_give_logits_for_their_classes(network):
    shape, classes, make = NETWORKS[network]
    torch.manual_seed(0)
    found = {act: make(ACTIVATIONS[act])(torch.zeros(2, *shape[1:])) for act in ("relu", "colu")}
    assert all(logits.shape == (2, classes) for logits in found.values())
