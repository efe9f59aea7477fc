"""Folding the gains of norms is exact, and leaves the stream what the norm alone leaves."""

import pytest
import torch
from torch import nn

from colu.fusion import (
    Inner,
    Orthogonal,
    Permutation,
    Wreath,
    apply,
    assert_invariant_under,
    match_weights,
    norm_folding,
    trace_spec,
)
from colu.lab.models import GPT
from colu.nn import CoLU


def tokens():
    return torch.arange(24).view(2, 12) % 11


def gpt(nets, seed=0):
    torch.manual_seed(seed)
    model = GPT(11, length=12, width=16, depth=2, heads=2, activation=lambda: CoLU(dim=4)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def loaded(model, state):
    import copy

    model = copy.deepcopy(model)
    model.load_state_dict(state)
    return model


def test_the_stream_of_a_transformer_has_all_maps_that_fix_the_ones(nets):
    model = gpt(nets)
    folding = norm_folding(model, tokens())
    assert not folding.kept and len(folding.readers) == 5
    folded = loaded(model, folding.apply(model.state_dict()))
    assert (folded(tokens()) - model(tokens())).abs().max() < 1e-12
    assert trace_spec(model, tokens()).groups["tokens"] == Permutation(16)
    spec = trace_spec(folded, tokens(), folding=folding)
    with pytest.raises(ValueError, match="is not 1 in the model"):
        trace_spec(model, tokens(), folding=folding)
    # Gains that are one by chance, as in a new network, are none that stay so.
    assert trace_spec(folded, tokens()).groups["tokens"] == Permutation(16)
    assert spec.groups["tokens"] == Wreath(1, Inner("mean", 16))
    assert_invariant_under(spec, folded, tokens(), tol=1e-10)
    # A turn of the stream is found again; permutations alone do not find it.
    state = folded.state_dict()
    moved = apply(spec, spec.random(3), state)
    back = match_weights(spec, state, moved, max_sweeps=300, tol=1e-14)
    assert nets.distance(back.apply(spec, moved), state) < 1e-4
    permuted = match_weights(spec, state, moved, mode="permutation", max_sweeps=300)
    assert permuted.objective < 0.9 * back.objective


class Last(nn.Module):
    """Normalises behind the sum, so that the norm makes the stream."""

    def __init__(self, norm=nn.LayerNorm):
        super().__init__()
        self.one, self.up, self.down, self.head = nn.Linear(3, 8), nn.Linear(8, 6), nn.Linear(6, 8), nn.Linear(8, 2)
        self.norm = norm(8)

    def forward(self, x):
        h = self.one(x)
        h = self.norm(h + self.down(torch.relu(self.up(h))))
        return self.head(h + self.down(torch.relu(self.up(h))))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(7, 8), nn.RMSNorm(8)

    def forward(self, x):
        return self.norm(self.table(x)) @ self.table.weight.T


def test_gains_that_something_else_reads_stay_and_that_is_said(nets):
    model = nets.randomised(Last())
    folding = norm_folding(model, nets.vectors(width=3))
    assert not folding.readers and "add in" in folding.kept["norm.weight"]
    model = Tied().double()
    nn.init.normal_(model.norm.weight)
    folding = norm_folding(model, torch.arange(7))
    assert "reads other values too" in folding.kept["norm.weight"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_an_rms_norm_without_gain_leaves_all_orthogonal_maps(nets, dtype):
    model = nets.randomised(nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6), nn.Linear(6, 2)))
    x = nets.vectors(width=4)
    folding = norm_folding(model, x)
    state = folding.apply({name: tensor.to(dtype) for name, tensor in model.state_dict().items()})
    assert all(tensor.dtype == dtype for tensor in state.values())
    folded = loaded(model, state)
    assert trace_spec(folded, x, folding=folding).groups == {"0": Orthogonal(6)}


def test_a_shift_without_gain_is_not_lost(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)))
    folding = norm_folding(model, nets.vectors(width=4))
    state = model.state_dict()
    state["1.weight"][2] = 0
    with pytest.raises(ValueError, match=r"1.weight is 0 at \[2\], where 1.bias is not"):
        folding.apply(state)
    state["1.bias"][2] = 0
    model.load_state_dict(state)
    x = nets.vectors(width=4)
    assert (loaded(model, folding.apply(state))(x) - model(x)).abs().max() < 1e-12


def test_a_norm_that_counts_from_one_is_no_plain_gain(nets):
    class OneRMSNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(6))

        def forward(self, x):
            return x * x.square().mean(-1, keepdim=True).rsqrt() * (1 + self.weight)

    model = nets.randomised(nn.Sequential(nn.Linear(4, 6), OneRMSNorm(), nn.Linear(6, 2)))
    with pytest.raises(ValueError, match="folding the gains of .*1.weight.* changes Sequential by"):
        norm_folding(model, nets.vectors(width=4))
