"""Many models: cycles close, losses fall, and later tasks stay out of the way of earlier ones."""

import itertools

import pytest
import torch
from torch import nn

from colu.fusion import (
    apply,
    cycle_error,
    evaluate,
    frank_wolfe_merge,
    from_sequential,
    match_weights,
    mean_state,
    sequential_merge,
    universe_match,
)
from colu.nn import CoLU


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def round_trip(spec, states):
    ways = [match_weights(spec, states[p], states[q]).elements for p, q in ((0, 1), (1, 2), (2, 0))]
    return cycle_error(ways)


@pytest.mark.parametrize("activation", [nn.ReLU, lambda: CoLU(dim=4)])
def test_frames_of_one_network_meet_in_the_universe(nets, activation):
    model = nets.mlp(activation, (20, 16, 16, 10))
    spec, state = from_sequential(model), model.state_dict()
    frames = [apply(spec, spec.random(seed), state) for seed in range(4)]
    found = universe_match(spec, frames)
    moved = found.states(spec, frames)
    for other in moved[1:]:
        assert max((moved[0][name] - other[name]).abs().max() for name in state) < 1e-2
    assert evaluate(model, mean_state(moved), (nets.vectors(30, 20), torch.zeros(30).long())).loss == pytest.approx(
        evaluate(model, state, (nets.vectors(30, 20), torch.zeros(30).long())).loss, rel=1e-2
    )


@pytest.mark.parametrize("activation", [nn.ReLU, lambda: CoLU(dim=4)])
def test_cycles_close_in_the_universe_but_not_between_pairs(nets, activation):
    models = [nets.mlp(activation, (6, 16, 24, 5), seed) for seed in (0, 7, 8)]
    spec, states = from_sequential(models[0]), [model.state_dict() for model in models]
    assert round_trip(spec, states) > 0.1
    found = universe_match(spec, states)
    assert cycle_error([found.between(0, 1), found.between(1, 2), found.between(2, 0)]) < 1e-12
    assert all(later >= earlier for earlier, later in itertools.pairwise(found.trace))
    moved = found.states(spec, states)
    touched = [name for name in states[0]]
    pairs = sum((moved[p][n] * moved[q][n]).sum().item() for p, q in ((0, 1), (0, 2), (1, 2)) for n in touched
                if n != "4.bias")  # fmt: skip
    assert found.trace[-1] == pytest.approx(pairs, rel=1e-9)
    naive = universe_match(spec, states, mode="naive")
    assert found.trace[-1] > naive.trace[-1]


def test_a_universe_of_one_is_refused(nets):
    model = nets.mlp()
    with pytest.raises(ValueError, match="give at least two"):
        universe_match(from_sequential(model), [model.state_dict()])


def test_inputs_of_the_universe_stay(nets):
    states = [nets.mlp(seed=seed).state_dict() for seed in range(3)]
    before = [{name: tensor.clone() for name, tensor in state.items()} for state in states]
    universe_match(from_sequential(nets.mlp()), states, max_sweeps=2)
    assert all(torch.equal(s[n], b[n]) for s, b in zip(states, before, strict=True) for n in s)


def test_frank_wolfe_finds_the_best_mean_of_a_convex_problem():
    model = nn.Linear(4, 3).double()
    x = torch.randn(300, 4, dtype=torch.float64, generator=generator())
    y = (x @ torch.randn(4, 3, dtype=torch.float64, generator=generator(1))).argmax(1)
    states = [{"weight": torch.randn(3, 4, generator=generator(s)).double(), "bias": torch.zeros(3).double()}
              for s in range(2, 6)]  # fmt: skip
    found = frank_wolfe_merge(model, states, (x, y), steps=200, tol=1e-4)
    assert sum(found.weights) == pytest.approx(1) and min(found.weights) >= 0
    assert all(later <= earlier for earlier, later in itertools.pairwise(found.trace))
    assert evaluate(model, found.state, (x, y)).loss == pytest.approx(found.trace[-1])
    for seed in range(200):
        weights = torch.rand(4, generator=generator(seed)).log().neg()
        trial = evaluate(model, mean_state(states, (weights / weights.sum()).tolist()), (x, y)).loss
        assert trial >= found.trace[-1] - max(found.gap, 1e-4)
    singles = [evaluate(model, state, (x, y)).loss for state in states]
    assert found.trace[-1] < min(singles)


def test_frank_wolfe_needs_samples():
    with pytest.raises(ValueError, match="no samples"):
        frank_wolfe_merge(nn.Linear(2, 2), [nn.Linear(2, 2).state_dict()], [])


def tasks():
    """Two changes of rank one: the second overlaps with the first in its rows."""
    u, v = torch.eye(4, dtype=torch.float64)[:2], torch.eye(5, dtype=torch.float64)[:2]
    first = 3 * torch.outer(u[0], v[0])
    second = 2 * torch.outer(u[1], v[1]) + 2 * torch.outer(u[0], v[0])
    base = {"w": torch.randn(4, 5, dtype=torch.float64, generator=generator()), "b": torch.zeros(4).double()}
    return base, [{"w": base["w"] + change, "b": torch.full((4,), float(k)).double()}
                  for k, change in enumerate((first, second))]  # fmt: skip


def test_a_later_task_stays_out_of_the_directions_of_an_earlier_one():
    base, states = tasks()
    kept = sequential_merge(base, states, share=0.5)["w"] - base["w"]
    mixed = sequential_merge(base, states, share=0.0)["w"] - base["w"]
    # Direction (0, 0) is the first task's alone; without projection the second adds to it.
    assert kept[0, 0] / kept[1, 1] == pytest.approx(3 / 2)
    assert mixed[0, 0] / mixed[1, 1] == pytest.approx(5 / 2)
    assert kept.norm() == pytest.approx((3 + 8**0.5) / 2)


def test_one_task_is_merged_as_it_is_and_biases_are_averaged():
    base, states = tasks()
    alone = sequential_merge(base, states[:1])
    assert torch.allclose(alone["w"], states[0]["w"])
    assert torch.equal(sequential_merge(base, states)["b"], torch.full((4,), 0.5).double())
    assert torch.equal(sequential_merge(base, [base, base])["w"], base["w"])


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_out_of_range_are_refused(share):
    base, states = tasks()
    with pytest.raises(ValueError, match="use a number from 0 to 1"):
        sequential_merge(base, states, share=share)
    with pytest.raises(ValueError, match="nothing to merge"):
        sequential_merge(base, [])


def test_signs_have_one_frame_too(nets):
    spec = nets.batch_normed_spec()
    state = nets.batch_normed().state_dict()
    states = [state, *(apply(spec, spec.random(seed), state) for seed in (1, 2))]
    frame = universe_match(spec, states)
    for moved in frame.states(spec, states):
        assert nets.distance(moved, state) < 1e-12
