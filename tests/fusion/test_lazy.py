"""States made entry by entry: what only changes places is never widened, and matching is the same by stretches."""

import pytest
import torch
from torch import nn

import colu.fusion.matching as matching
from colu.fusion import apply, from_sequential, match_weights
from colu.fusion.lazy import Moved
from colu.nn import CoLU


def half(model):
    return {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(("unit", "dtype"), [(nn.ReLU, torch.bfloat16), (lambda: CoLU(dim=4), torch.float64)])
def test_only_what_is_turned_is_widened(nets, unit, dtype):
    spec = from_sequential(nets.mlp(unit))
    state = half(nets.mlp(unit))
    elements = spec.random(seed=1)
    wide = Moved(spec, elements, state, wide=True)
    whole = apply(spec, elements, {name: tensor.double() for name, tensor in state.items()})
    assert wide["2.weight"].dtype == dtype
    assert all(torch.equal(wide[name].double(), whole[name]) for name in state)
    assert all(tensor.dtype == torch.bfloat16 for tensor in Moved(spec, elements, state).values())


@pytest.mark.parametrize("unit", [nn.ReLU, nn.Tanh, lambda: CoLU(dim=4)], ids=["permutations", "signs", "cones"])
def test_halves_are_matched_as_the_same_numbers_in_float64_are(nets, unit, monkeypatch):
    # Stretches shorter than a row, so that every sum is put together from several.
    monkeypatch.setattr(matching, "STRETCH", 7)
    model = nets.mlp(unit, (20, 32, 32, 10))
    spec, a, b = from_sequential(model), half(model), half(nets.mlp(unit, (20, 32, 32, 10), seed=7))
    found = match_weights(spec, a, b, seed=2)
    monkeypatch.undo()
    wide = match_weights(spec, *({name: t.double() for name, t in state.items()} for state in (a, b)), seed=2)
    assert found.trace == pytest.approx(wide.trace, rel=1e-12)
    for name, element in found.elements.items():
        assert torch.equal(element.permutation, wide.elements[name].permutation)
