"""Weights with a norm of their own leave permutations with the signs that the activation leaves."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from colu.fusion import Inner, Permutation, Wreath, apply, match_weights, trace_spec
from colu.nn import CoLU


@pytest.mark.parametrize("activation, group", [
    (nn.ReLU, Permutation(8)), (nn.Tanh, Wreath(1, (Inner("signed", 8),))),
    (lambda: CoLU(dim=4), Wreath(2, (Inner("fixed", 1), Inner("signed", 3)))),
], ids=["relu", "tanh", "colu"])  # fmt: skip
def test_weight_norm_keeps_the_gain_of_each_channel(nets, activation, group):
    layers = [weight_norm(nn.Linear(*sizes)) for sizes in ((4, 8), (8, 8), (8, 3))]
    model = nets.randomised(nn.Sequential(layers[0], activation(), layers[1], activation(), layers[2]))
    spec, state = trace_spec(model, nets.vectors(20, 4)), model.state_dict()
    assert list(spec.groups.values()) == [group, group] and not spec.still
    moved = apply(spec, spec.random(3), state)
    # A gain changes its place and no sign.
    for name in [name for name in state if name.endswith("original0")]:
        assert torch.equal(moved[name].sort(0).values, state[name].sort(0).values)
    assert nets.distance(match_weights(spec, state, moved).apply(spec, moved), state) < 1e-12


def test_weight_norm_of_a_convolution_is_followed(nets):
    model = nets.randomised(nn.Sequential(weight_norm(nn.Conv1d(4, 8, 3)), nn.ReLU(), weight_norm(nn.Conv1d(8, 5, 3))))
    spec = trace_spec(model, torch.randn(2, 4, 9))
    assert list(spec.groups.values()) == [Permutation(8)]
