"""The Hopfield layer: lookups among other patterns, and what may be turned or moved in it."""

import pytest
import torch

from colu.functional import hopfield_update
from colu.geometry import sample_orthogonal
from colu.nn import Hopfield


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("options", [{}, dict(pattern_dim=3, beta=2.0, steps=3)])
def test_layer_is_a_lookup_between_its_linear_maps(options):
    torch.manual_seed(0)
    layer = Hopfield(6, **options).double()
    state, stored = normal(2, 5, 6), normal(2, 9, 6, seed=1)
    q, k, v = layer.query.weight, layer.key.weight, layer.value.weight
    dim, beta = options.get("pattern_dim", 6), options.get("beta")
    found = layer(state, stored)
    for n in range(2):
        looked = state[n] @ q.T
        for _ in range(options.get("steps", 1)):
            looked = torch.softmax((beta or dim**-0.5) * looked @ (stored[n] @ k.T).T, 1) @ (stored[n] @ k.T)
        assert torch.allclose(found[n], looked @ v.T)
        assert torch.allclose(looked, hopfield_update(state[n] @ q.T, stored[n] @ k.T, beta, layer.steps))
    assert torch.allclose(layer(state), layer(state, state))


def test_queries_and_keys_turn_together_and_patterns_have_no_order():
    torch.manual_seed(0)
    layer, state, stored = Hopfield(6).double(), normal(2, 5, 6), normal(2, 9, 6, seed=1)
    before = layer(state, stored)
    assert torch.allclose(layer(state, stored.flip(1)), before)
    turn = sample_orthogonal(6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.query.weight.copy_(turn @ layer.query.weight)
        assert not torch.allclose(layer(state, stored), before)
        layer.key.weight.copy_(turn @ layer.key.weight)
        layer.value.weight.copy_(layer.value.weight @ turn.T)
    assert torch.allclose(layer(state, stored), before)


@pytest.mark.parametrize("options", [dict(beta=0.0), dict(steps=0), dict(pattern_dim=0)])
def test_bad_options_are_refused_at_once(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Hopfield(4, **options)
