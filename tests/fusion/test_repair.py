"""Repaired layers have the statistics asked for, and the covariant form does not depend on the frame."""

import pytest
import torch
from torch import nn

from colu.fusion import apply, from_sequential, lerp, recalibrate_batch_norm, repair_statistics, trace_spec
from colu.lab.models import GPT
from colu.nn import CoLU, Maxout


def pair(nets, make):
    one, other = make(), make()
    nets.randomised(other, seed=8)
    return one, one.state_dict(), other.state_dict()


def outputs(model, state, layer, x):
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(lambda m, i, out: seen.append(out.detach()))
    torch.func.functional_call(model, dict(state), (x,))
    handle.remove()
    return seen[0].movedim(1, -1).flatten(0, -2)


MODELS = {
    "relu": lambda nets: nets.mlp(nn.ReLU),
    "hard": lambda nets: nets.mlp(),
    "axes first": lambda nets: nets.mlp(lambda: CoLU(dim=4, layout="axes_first")),
    "shared": lambda nets: nets.mlp(lambda: CoLU(dim=4, share_axis=True), (6, 13, 25, 5)),
    "rotated": lambda nets: nets.mlp(nets.mlps["rotated"]),
    "conv": lambda nets: nets.conv(lambda: CoLU(dim=4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_channelwise_repair_reaches_the_statistics_asked_for(nets, name):
    model, a, b = pair(nets, lambda: MODELS[name](nets))
    spec = from_sequential(model)
    x = nets.images(30) if name == "conv" else nets.vectors(200)
    mended = repair_statistics(spec, model, lerp(a, b, 0.3), (a, b), x, t=0.3, kind="channel")
    for layer in spec.groups:
        one, other, now = (outputs(model, state, layer, x) for state in (a, b, mended))
        assert torch.allclose(now.mean(0), 0.7 * one.mean(0) + 0.3 * other.mean(0), atol=1e-9)
        wanted = 0.7 * one.std(0, correction=0) + 0.3 * other.std(0, correction=0)
        assert torch.allclose(now.std(0, correction=0), wanted, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_covariant_repair_reaches_the_mean_and_the_scale_of_a_section(nets, name):
    model, a, b = pair(nets, lambda: MODELS[name](nets))
    spec = from_sequential(model)
    x = nets.images(30) if name == "conv" else nets.vectors(200)
    before = lerp(a, b, 0.5)
    mended = repair_statistics(spec, model, before, (a, b), x)
    for layer in spec.groups:
        one, other, now = (outputs(model, state, layer, x) for state in (a, b, mended))
        assert torch.allclose(now.mean(0), (one.mean(0) + other.mean(0)) / 2, atol=1e-9)
    if name == "hard":
        deviation = [outputs(model, s, "2", x).var(0, correction=0).view(6, 4)[:, 1:].mean(1).sqrt()
                     for s in (a, b, mended)]  # fmt: skip
        assert torch.allclose(deviation[2], (deviation[0] + deviation[1]) / 2, atol=1e-9)


@pytest.mark.parametrize("name", ["hard", "axes first", "shared", "rotated", "conv"])
def test_only_the_covariant_form_is_free_of_the_frame(nets, name):
    model, a, b = pair(nets, lambda: MODELS[name](nets))
    spec = from_sequential(model)
    x = nets.images(30) if name == "conv" else nets.vectors(200)
    turn = spec.random(3)
    moved = [apply(spec, turn, state) for state in (a, b)]
    difference = {}
    for kind in ("cone", "channel"):
        here = apply(spec, turn, repair_statistics(spec, model, lerp(a, b, 0.5), (a, b), x, kind=kind))
        there = repair_statistics(spec, model, lerp(*moved, 0.5), tuple(moved), x, kind=kind)
        difference[kind] = max((here[key] - there[key]).abs().max().item() for key in here)
    assert difference["cone"] < 1e-9 < 1e-3 < difference["channel"]


@pytest.mark.parametrize("kind", ["cone", "channel"])
def test_repair_of_a_parent_changes_nothing_and_inputs_stay(nets, kind):
    model, a, b = pair(nets, lambda: nets.mlp())
    spec = from_sequential(model)
    before = {name: tensor.clone() for name, tensor in a.items()}
    same = repair_statistics(spec, model, a, (a, b), nets.vectors(100), t=0.0, kind=kind)
    assert all(torch.allclose(same[name], a[name], atol=1e-9) for name in a)
    repair_statistics(spec, model, a, (a, b), nets.vectors(100), kind=kind)
    assert all(torch.equal(a[name], before[name]) for name in a)


def test_dead_channels_keep_their_scale(nets):
    model, a, b = pair(nets, lambda: nets.mlp(nn.ReLU))
    fused = lerp(a, b, 0.5)
    fused["0.weight"][3] = 0
    mended = repair_statistics(from_sequential(model), model, fused, (a, b), nets.vectors(100))
    assert all(torch.isfinite(tensor).all() for tensor in mended.values())
    assert (mended["0.weight"][3] == 0).all()


def test_group_norm_is_repaired_in_its_affine_part(nets):
    model, a, b = pair(nets, lambda: nets.conv(nn.ReLU, lambda c: nn.GroupNorm(2, c)))
    mended = repair_statistics(from_sequential(model), model, lerp(a, b, 0.5), (a, b), nets.images(30))
    one, other, now = (outputs(model, state, "3", nets.images(30)) for state in (a, b, mended))
    assert torch.allclose(now.std(0), (one.std(0) + other.std(0)) / 2, atol=1e-9)


def test_what_cannot_be_repaired_is_refused(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 2)))
    state = model.state_dict()
    with pytest.raises(ValueError, match="bias to take a mean"):
        repair_statistics(from_sequential(model), model, state, (state, state), nets.vectors())
    model = nets.mlp()
    state = model.state_dict()
    with pytest.raises(ValueError, match="fewer than 2 samples"):
        repair_statistics(from_sequential(model), model, state, (state, state), nets.vectors(1))
    with pytest.raises(ValueError, match="kind='all' is unknown"):
        repair_statistics(from_sequential(model), model, state, (state, state), nets.vectors(), kind="all")


def test_batch_norm_is_measured_anew_and_nothing_else_changes(nets):
    model = nets.conv(nn.ReLU, nn.BatchNorm2d)
    state, x = model.state_dict(), nets.images(40)
    fresh = recalibrate_batch_norm(model, state, x)
    before = model[0][0](x)
    assert torch.allclose(fresh["0.1.running_mean"], before.mean((0, 2, 3)))
    assert torch.allclose(fresh["0.1.running_var"], before.var((0, 2, 3)))
    assert not torch.allclose(fresh["3.running_mean"], state["3.running_mean"])
    assert all(torch.equal(fresh[name], state[name]) for name in state if "running" not in name)
    with pytest.raises(ValueError, match="has no BatchNorm"):
        recalibrate_batch_norm(nets.mlp(), nets.mlp().state_dict(), nets.vectors())
    with pytest.raises(ValueError, match="no batches"):
        recalibrate_batch_norm(model, state, [])


@pytest.mark.parametrize("sizes", [(4, 1), (3, 1, 1), (1, 4), (1, 1, 1, 1, 1), (2, 1, 2)])
def test_a_batch_of_one_row_is_joined_to_its_neighbour(nets, sizes):
    model = nets.randomised(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)))
    state, x = model.state_dict(), nets.vectors(5)
    joined = [x] if sizes != (2, 1, 2) else [x[:3], x[3:]]
    found, wanted = (recalibrate_batch_norm(model, state, batches) for batches in (x.split(list(sizes)), joined))
    assert all(torch.equal(found[name], wanted[name]) for name in state)


def test_one_row_in_all_has_no_variance(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)))
    for batches in (nets.vectors(1), [nets.vectors(1)]):
        with pytest.raises(ValueError, match="the only batch has 1 row"):
            recalibrate_batch_norm(model, model.state_dict(), batches)
    # One image has pixels enough.
    model = nets.conv(nn.ReLU, nn.BatchNorm2d)
    assert recalibrate_batch_norm(model, model.state_dict(), nets.images(1))["0.1.running_var"].isfinite().all()


def test_repair_beside_signs_does_not_depend_on_the_frame(nets):
    spec, (one, other) = nets.batch_normed_spec(), (nets.batch_normed(seed) for seed in (0, 9))
    a, b, x = one.state_dict(), other.state_dict(), nets.vectors(100, 12)
    fused = {n: (a[n] + b[n]) / 2 if a[n].is_floating_point() else a[n] for n in a}
    elements = spec.random(5)
    here = apply(spec, elements, repair_statistics(spec, one, fused, (a, b), x))
    parents = tuple(apply(spec, elements, state) for state in (a, b))
    there = repair_statistics(spec, one, apply(spec, elements, fused), parents, x)
    assert nets.distance(here, there) < 1e-9
    assert nets.distance(here, apply(spec, elements, fused)) > 1e-2


def test_what_scaled_queries_keys_and_norms_is_undone(nets):
    """Sets that stand twice in a layer, and norms that see one entry a unit, are repaired in their places."""
    model = nets.randomised(GPT(11, length=6, width=16, depth=1, heads=4, activation="gelu"))
    tokens = torch.randint(11, (40, 6), generator=torch.Generator().manual_seed(0))
    spec, state = trace_spec(model, tokens[:2]), model.state_dict()
    for rows in (slice(0, 16), slice(16, 32), slice(32, 48)):  # Queries, keys, values.
        changed = {name: tensor.clone() for name, tensor in state.items()}
        for name in ("weight", "bias"):
            changed[f"blocks.0.qkv.{name}"][rows] *= 3
        mended = repair_statistics(spec, model, changed, (state, state), tokens)
        assert nets.distance(mended, state) < 1e-9


def test_a_norm_behind_a_maximum_is_repaired(nets):
    layers = nn.Linear(6, 8), Maxout(2), nn.BatchNorm1d(4), nn.Linear(4, 3)
    model, x = nets.randomised(nn.Sequential(*layers)).eval(), nets.vectors(200)
    spec, state = from_sequential(model, x[:5]), model.state_dict()
    assert any(-1 in part.at for part in spec.axes["2.weight"][0])
    changed = {name: tensor.clone() for name, tensor in state.items()}
    changed["2.weight"] *= 3
    mended = repair_statistics(spec, model, changed, (state, state), x)
    assert nets.distance(mended, state) < 1e-9
