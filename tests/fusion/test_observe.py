"""Layers that make channels are found, and activations with weights of their own are not taken for them."""

import pytest
import torch
from torch import nn

from colu.fusion import from_sequential, match_activations
from colu.fusion.observe import points
from colu.nn import create


@pytest.mark.parametrize("name", ["prelu", "evonorm-s0", "evonorm-b0", "dy-relu-b", "meta-acon-c", "group-rational"])
def test_activations_make_no_channels(nets, name):
    torch.manual_seed(0)
    model = nets.randomised(nn.Sequential(nn.Linear(6, 16), create(name, 16), nn.Linear(16, 5)))
    spec = from_sequential(model, nets.vectors())
    (name, ((group, places),)), = points(spec, model).items()
    assert (name, group) == ("0", "0") and places.tolist() == list(range(16))
    found = match_activations(spec, model, model, nets.vectors(100))
    assert all(element.is_identity() for element in found.elements.values())
