"""Every way to name an activation gives each layer a module of its own."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import get_arm
from colu.lab.models.activation import make_activation
from colu.nn import CoLU


@pytest.mark.parametrize("activation, kind", [
    ("prelu", nn.PReLU), (nn.ReLU, nn.ReLU), (lambda: CoLU(dim=2), CoLU), (get_arm("acon-c"), nn.Module),
])  # fmt: skip
def test_each_call_makes_a_new_module(activation, kind):
    first, second = (make_activation(activation, 8) for _ in range(2))
    assert isinstance(first, kind) and first is not second
    assert first(torch.zeros(2, 8)).shape == (2, 8)
    assert not {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}


def test_names_and_arms_are_told_the_channels_and_factories_are_not():
    assert make_activation("prelu", 8).weight.shape == (8,)
    assert make_activation(get_arm("acon-c"), 8).p1.numel() == 8
    assert make_activation(nn.PReLU, 8).weight.shape == (1,)


def test_a_module_is_refused_because_layers_would_share_it():
    with pytest.raises(TypeError, match=r"the module ReLU\(\): give a name or a factory"):
        make_activation(nn.ReLU(), 8)
    with pytest.raises(ValueError, match="'collu'"):
        make_activation("collu", 8)
