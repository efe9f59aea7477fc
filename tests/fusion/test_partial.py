"""A merge up to a layer is the ensemble at one end and the plain mean at the other, and keeps what is equal."""

import pytest
import torch
from torch import nn

from colu.fusion import PartialNetwork, fuse, trace_spec, trunk_of
from colu.lab.models import CIFARResNet
from colu.nn import CoLU


def states_of(nets, activation=lambda: CoLU(dim=4), number=2):
    models = [nets.mlp(activation, (6, 16, 16, 5), seed=seed) for seed in (0, 7, 9)[:number]]
    return models[0], [model.state_dict() for model in models]


def data(nets):
    return tuple((nets.vectors(num), torch.arange(num) % 5) for num in (300, 60))


def close(one, other):
    return one.keys() == other.keys() and all(one[key] == pytest.approx(other[key], rel=1e-12) for key in one)


@pytest.mark.parametrize("number", [2, 3])
def test_nothing_merged_is_the_ensemble_and_everything_the_mean(nets, number):
    model, states = states_of(nets, number=number)
    options = {"data": data(nets), "repair": "none", "lambdas": 3}
    start, end = (fuse(model, *states, merge="partial", until=until, **options) for until in ("start", "end"))
    assert close(start.report["metrics"]["fused"], start.report["metrics"]["ensemble"])
    plain = fuse(model, *states, **options)
    assert close(end.report["metrics"]["fused"], plain.report["metrics"]["fused"])
    assert end.state.keys() == plain.state.keys()
    assert all(torch.equal(end.state[name], plain.state[name]) for name in plain.state)
    assert start.state.keys() == {f"tails.{k}.{name}" for k in range(number) for name in plain.state}
    assert start.curves == end.curves == {}
    x = nets.vectors(20)
    probabilities = [torch.func.functional_call(model, state, (x,)).softmax(1) for state in states]
    network = PartialNetwork(model, start.state, probabilities=True)
    assert torch.allclose(network(x).exp(), sum(probabilities) / number, atol=1e-9)
    outputs = [torch.func.functional_call(model, state, (x,)) for state in states]
    assert torch.allclose(PartialNetwork(model, start.state)(x), sum(outputs) / number, atol=1e-9)
    mean = torch.func.functional_call(model, plain.state, (x,))
    assert torch.allclose(PartialNetwork(model, end.state)(x), mean, atol=1e-12)


@pytest.mark.parametrize("until", ["start", "0", "1", "2", "end"])
def test_identical_parents_in_any_frame_give_their_function(nets, until):
    model, (state, _) = states_of(nets)
    spec = trace_spec(model)
    moved = dict(state)
    for name, element in spec.random(3).items():
        moved |= spec.act(name, element, moved)
    made = fuse(model, state, moved, merge="partial", until=until, example_input=nets.vectors())
    x = nets.vectors(20)
    assert torch.allclose(PartialNetwork(model, made.state)(x), model(x), atol=1e-4)


def test_the_merge_is_the_mean_before_the_layer_and_each_network_behind_it(nets):
    model, states = states_of(nets)
    made = fuse(model, *states, merge="partial", until="2", data=data(nets))
    assert made.report["merge"]["trunk"] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    for name in ("0.weight", "2.bias"):
        assert torch.allclose(made.state[name], sum(one[name] for one in made.aligned) / 2, atol=1e-12)
    for k in (0, 1):
        assert torch.equal(made.state[f"tails.{k}.4.weight"], made.aligned[k]["4.weight"])
    network = PartialNetwork(model, made.state)
    first, second = (dict(one.named_parameters()) for one in network.networks)
    assert first["0.weight"] is second["0.weight"] and first["4.weight"] is not second["4.weight"]
    fused = made.report["metrics"]["fused"]
    probabilities = PartialNetwork(model, made.state, probabilities=True)(data(nets)[1][0])
    assert torch.nn.functional.nll_loss(probabilities, data(nets)[1][1]).item() == pytest.approx(fused["loss"])


class Tied(nn.Module):
    """A table that is read first and again last, and entries that nothing reads."""

    def __init__(self):
        super().__init__()
        self.table, self.inner, self.spare = nn.Embedding(7, 8), nn.Linear(8, 8), nn.Linear(2, 2)
        self.shift = nn.Parameter(torch.zeros(8))

    def forward(self, x):
        return (self.inner(self.table(x)) + self.shift) @ self.table.weight.T


def test_the_trunk_is_what_is_read_until_the_layer_has_run():
    x = torch.arange(7)
    assert trunk_of(Tied(), "table", x) == ["table.weight", "spare.weight", "spare.bias"]
    trunk = trunk_of(Tied(), "inner", x)
    assert "shift" not in trunk and "inner.bias" in trunk
    # Counters that nothing reads stay with their layer.
    norms = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.BatchNorm1d(3))
    assert [name for name in trunk_of(norms, "1", torch.ones(2, 2)) if "batches" in name] == ["1.num_batches_tracked"]
    with pytest.raises(ValueError, match="until='spare' does not run"):
        trunk_of(Tied(), "spare", x)
    with pytest.raises(ValueError, match="until='nowhere' is unknown; use one of 'start', 'end', 'table'"):
        trunk_of(Tied(), "nowhere", x)
    with pytest.raises(ValueError, match="found by running the network"):
        trunk_of(Tied(), "inner")


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_residual_networks_are_merged_up_to_a_stage(nets, norm):
    models = [nets.randomised(CIFARResNet(8, widths=(4, 8, 8), norm=norm), seed) for seed in (0, 1)]
    x = torch.randn(40, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    samples = (x, torch.arange(40) % 10)
    states = [model.state_dict() for model in models]
    repair = "batchnorm" if norm == "batch" else "none"
    made = fuse(models[0], *states, merge="partial", until="blocks.1", data=(samples, samples), repair=repair)
    assert made.report["repair"]["taken"] == repair
    trunk = made.report["merge"]["trunk"]
    assert trunk[0] == "conv.weight" and not any(name.startswith("blocks.2") for name in trunk)
    probabilities = PartialNetwork(models[0], made.state, probabilities=True).eval()(x)
    loss = nn.functional.nll_loss(probabilities, samples[1]).item()
    assert loss == pytest.approx(made.report["metrics"]["fused"]["loss"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"merge": "partial"}, "with until=None; 'partial' merges up to a layer"),
        ({"until": "2"}, "merge='average' with until='2'"),
        ({"merge": "partial", "until": "7"}, "until='7' is unknown"),
    ],
)
def test_layers_that_are_none_are_refused(nets, options, message):
    model, states = states_of(nets)
    with pytest.raises(ValueError, match=message):
        fuse(model, *states, example_input=nets.vectors(), **options)


def test_a_state_that_lacks_a_tail_is_named(nets):
    model, states = states_of(nets)
    made = fuse(model, *states, merge="partial", until="0", example_input=nets.vectors())
    lacking = {name: t for name, t in made.state.items() if name != "tails.1.4.bias"}
    with pytest.raises(ValueError, match="4.bias neither in the trunk nor in each of 2 tails"):
        PartialNetwork(model, lacking)
