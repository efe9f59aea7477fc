"""The hand-written specification of a transformer is right, and a model without its blocks has none."""

import pytest
import torch

from colu.fusion import FIXED, Permutation, Spec, apply, assert_invariant_under, match_weights, transformer_spec
from colu.lab.models import GPT, MLP
from colu.nn import CoLU


@pytest.mark.parametrize("heads, group", [("move", "blocks.1.attention"), ("turn", "blocks.1.vo3")])
@pytest.mark.parametrize("name", ["gelu", "hard", "soft"])
def test_stream_heads_and_perceptrons_of_a_transformer(nets, name, heads, group):
    activation = "gelu" if name == "gelu" else lambda: CoLU(4, scaling=name)
    model = nets.randomised(GPT(11, length=6, width=16, depth=2, heads=4, activation=activation))
    spec, tokens = transformer_spec(model, heads=heads), torch.arange(12).view(2, 6) % 11
    assert spec.groups["stream"] == Permutation(16) and spec.groups[group].size == 4
    for seed in range(2):
        assert_invariant_under(spec, model, tokens, seed=seed)
    wrong = Spec(spec.groups, spec.axes | {"blocks.1.qkv.bias": (FIXED,)})
    with pytest.raises(AssertionError, match="'blocks.1.(attention|qk0)' moves the function"):
        assert_invariant_under(wrong, model, tokens)
    state = model.state_dict()
    moved = apply(spec, spec.random(4), state)
    back = match_weights(spec, state, moved, max_sweeps=300, tol=1e-14).apply(spec, moved)
    assert max((back[n] - state[n]).abs().max().item() for n in state) < 1e-4


def test_a_model_that_is_no_transformer_has_no_such_specification():
    with pytest.raises(ValueError, match="MLP has no blocks of norm1, qkv"):
        transformer_spec(MLP(12, [8], 3, activation="relu"))
    with pytest.raises(ValueError, match="heads='mix' is unknown"):
        transformer_spec(GPT(11, length=6, width=16), heads="mix")
