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
    fuse,
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


class Mixed(Last):
    """One norm whose gain can be folded, and one whose gain holds the stream."""

    def __init__(self):
        super().__init__()
        self.last = nn.LayerNorm(8)

    def forward(self, x):
        h = self.one(x)
        h = h + self.down(torch.relu(self.up(self.norm(h))))
        return self.head(h + self.last(h))


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


def test_folded_networks_fuse_in_the_larger_group_and_the_merge_fits_the_model(nets):
    model, other = gpt(nets), gpt(nets, 1)
    states = model.state_dict(), other.state_dict()
    made = fuse(model, *states, folding=True, example_input=tokens())
    said = made.report["folding"]
    assert said["taken"] and len(said["rewritten"]) == 5 and said["turning"] == 16
    assert made.report["groups"]["tokens"]["group"] == "O(15)"
    assert made.report["aligned"][1]["invariance_error"] < 1e-10
    assert all((made.state[gain] == 1).all() for gain in said["rewritten"])
    assert loaded(model, made.state)(tokens()).isfinite().all()
    assert made.aligned[0].keys() == states[0].keys()
    # The first parent is rewritten too, and computes the same.
    folded = loaded(model, made.aligned[0])
    assert (folded(tokens()) - loaded(model, states[0])(tokens())).abs().max() < 1e-10
    plain = fuse(gpt(nets), *states, example_input=tokens())
    assert plain.report["folding"] == {"asked": False, "taken": False}
    assert made.report["weights"]["distance"]["aligned"] < made.report["weights"]["distance"]["random"]


def test_a_turned_folded_network_comes_back_and_units_alone_do_not_bring_it(nets):
    model = gpt(nets)
    state, folding = model.state_dict(), norm_folding(model, tokens())
    folded = folding.apply(state)
    spec = trace_spec(loaded(model, folded), tokens(), folding=folding)
    moved = apply(spec, spec.random(3), folded)
    distances = [
        fuse(model, state, moved, folding=one, example_input=tokens(), method=method, **options)
        .report["weights"]["distance"]["aligned"]
        for one, method, options in ((True, "weights", {"max_sweeps": 300}), (False, "weights", {}),
                                     ("auto", "transport", {"cost": "weights"}))
    ]  # fmt: skip
    assert distances[0] < 1e-4 < 0.3 < distances[1] and distances[2] < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_folded_halves_are_rounded_once_and_keep_their_dtype(nets, dtype):
    model = gpt(nets)
    states = [{name: t.to(dtype) for name, t in gpt(nets, seed).state_dict().items()} for seed in (0, 1)]
    data = ((tokens(), tokens()),) * 2
    made = fuse(model, *states, folding=True, data=data, lambdas=3)
    assert made.report["metrics"]["keeps_the_parent"] == [True, True]
    assert all(t.dtype == dtype for state in (made.state, *made.aligned) for t in state.values())
    assert all(one["invariance_error"] < 1e-5 for one in made.report["aligned"])
    assert not any("specification is wrong" in text for text in made.report["distrust"])


def test_folding_that_frees_nothing_is_said_to(nets):
    model = nets.randomised(Mixed())
    states = model.state_dict(), nets.randomised(Mixed(), 1).state_dict()
    made = fuse(model, *states, folding=True, example_input=nets.vectors(width=3))
    assert made.report["folding"]["turning"] == 0
    assert any("Folding lets no more channels turn (last.weight stays" in text for text in made.report["distrust"])
    assert fuse(model, *states, folding="auto", example_input=nets.vectors(width=3)).report["folding"]["taken"] is False


def test_folding_is_left_out_or_refused_where_there_is_nothing_to_gain(nets):
    model = nets.mlp(nn.ReLU)
    states = model.state_dict(), nets.mlp(nn.ReLU, seed=3).state_dict()
    made = fuse(model, *states, folding="auto", example_input=nets.vectors())
    assert made.report["folding"] == {"asked": "auto", "taken": False}
    with pytest.raises(ValueError, match="no gain can be folded"):
        fuse(model, *states, folding=True, example_input=nets.vectors())
    with pytest.raises(ValueError, match="folding is tried on inputs"):
        fuse(model, *states, folding=True)
    with pytest.raises(ValueError, match="folding='yes' is unknown"):
        fuse(model, *states, folding="yes", example_input=nets.vectors())
