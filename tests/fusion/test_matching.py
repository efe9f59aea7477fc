"""Matching recovers what was planted, is optimal where that can be counted out, and never falls."""

import itertools
import time

import pytest
import torch
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Inner,
    Orthogonal,
    Part,
    Permutation,
    Spec,
    Wreath,
    apply,
    from_sequential,
    match_activations,
    match_weights,
    matching,
    random_alignment,
    trace_spec,
)
from colu.nn import CoLU


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def planted(nets, model, spec, seed=3, noise=0.0):
    """The model in another frame, with noise in units of the deviation of each tensor."""
    truth = spec.random(seed)
    moved = apply(spec, truth, model.state_dict())
    draw = generator(seed + 1)
    for tensor in moved.values():
        if tensor.is_floating_point() and tensor.numel() > 1:
            tensor += noise * tensor.std() * torch.randn(tensor.shape, generator=draw, dtype=tensor.dtype)
    return truth, moved


PLANTED = {
    "relu": lambda nets: nets.mlp(nn.ReLU, (20, 32, 32, 10)),
    "hard": lambda nets: nets.mlp(lambda: CoLU(dim=4), (20, 32, 32, 10)),
    "soft": lambda nets: nets.mlp(lambda: CoLU(dim=4, scaling="soft"), (20, 32, 32, 10)),
    "shared": lambda nets: nets.mlp(lambda: CoLU(dim=4, share_axis=True), (20, 31, 31, 10)),
    "axes first": lambda nets: nets.mlp(lambda: CoLU(dim=8, layout="axes_first"), (20, 32, 32, 10)),
    "rotated": lambda nets: nets.mlp(nets.mlps["rotated"], (20, 32, 32, 10)),
    "one cone": lambda nets: nets.mlp(lambda: CoLU(num_groups=1), (20, 16, 16, 10)),
    "conv": lambda nets: nets.conv(lambda: CoLU(dim=4)),
    "group norm": lambda nets: nets.conv(nn.ReLU, lambda c: nn.GroupNorm(2, c)),
    "batch norm": lambda nets: nets.conv(nn.ReLU, nn.BatchNorm2d),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_element_is_recovered_from_weights(nets, name):
    model = PLANTED[name](nets)
    spec = from_sequential(model)
    truth, moved = planted(nets, model, spec)
    found = match_weights(spec, model.state_dict(), moved, tol=1e-14, max_sweeps=300)
    assert nets.distance(found.apply(spec, moved), model.state_dict()) < 1e-4
    for group, element in found.elements.items():
        assert torch.equal(element.permutation, truth[group].inverse().permutation)


def test_reflections_and_noise_do_not_hide_the_planted_element(nets):
    model = PLANTED["hard"](nets)
    spec = from_sequential(model)
    truth, moved = planted(nets, model, spec, noise=0.3)
    signs = torch.cat([torch.linalg.det(element.rotations) for element in truth.values()])
    assert (signs < 0).any() and (signs > 0).any()
    found = match_weights(spec, model.state_dict(), moved)
    for group, element in found.elements.items():
        back = element.compose(truth[group])
        assert torch.equal(back.permutation, torch.arange(8))
        assert torch.linalg.det(back.rotations).gt(0).all()
        assert (back.rotations - torch.eye(3)).norm(dim=(1, 2)).max() < 1


def test_permutations_alone_do_not_recover_a_rotated_network(nets):
    model = PLANTED["hard"](nets)
    spec = from_sequential(model)
    _, moved = planted(nets, model, spec)
    state = model.state_dict()
    conic, cones = (match_weights(spec, state, moved, mode=mode) for mode in ("conic", "permutation"))
    assert nets.distance(conic.apply(spec, moved), state) < 1e-2 < nets.distance(cones.apply(spec, moved), state)
    assert all(torch.equal(e.rotations, torch.eye(3).double().expand(8, 3, 3)) for e in cones.elements.values())
    assert conic.objective > 1.2 * cones.objective


@pytest.mark.parametrize("mode", ["permutation", "conic"])
@pytest.mark.parametrize("name", ["relu", "hard", "shared", "conv", "group norm"])
def test_the_objective_never_falls_and_is_what_it_says(nets, name, mode):
    one, other = PLANTED[name](nets), PLANTED[name](nets)
    nets.randomised(other, seed=9)
    spec = from_sequential(one)
    a, b = one.state_dict(), other.state_dict()
    found = match_weights(spec, a, b, mode=mode, max_sweeps=20)
    assert all(later >= earlier for earlier, later in itertools.pairwise(found.trace))
    assert found.objective > found.trace[0] + 1
    moved = found.apply(spec, b)
    touched = {place[0] for group in spec.groups for place in spec.occurrences(group)} - set(spec.unmatched)
    assert found.objective == pytest.approx(sum((a[n] * moved[n]).sum().item() for n in touched), rel=1e-9)


def test_conic_matching_reaches_more_than_permutations_of_cones(nets):
    one, other = nets.mlp(seed=0), nets.mlp(seed=7)
    spec = from_sequential(one)
    reached = {mode: match_weights(spec, one.state_dict(), other.state_dict(), mode=mode).objective
               for mode in ("naive", "permutation", "conic")}  # fmt: skip
    assert reached["naive"] < reached["permutation"] < reached["conic"]


@pytest.mark.parametrize("name", PLANTED)
def test_a_network_matches_itself_by_the_identity(nets, name):
    model = PLANTED[name](nets)
    spec = from_sequential(model)
    found = match_weights(spec, model.state_dict(), model.state_dict())
    assert all(element.is_identity(1e-9) for element in found.elements.values())
    assert found.converged


def test_dead_units_stay_where_they_are(nets):
    model = PLANTED["hard"](nets)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["0.weight"][4:12] = state["0.bias"][4:12] = 0
    state["2.weight"][:, 4:12] = 0
    found = match_weights(from_sequential(model), state, state)
    assert all(element.is_identity(1e-9) for element in found.elements.values())


def test_same_seed_gives_the_same_bits_and_inputs_stay(nets):
    one, other = nets.mlp(seed=0), nets.mlp(seed=7)
    spec, a, b = from_sequential(one), one.state_dict(), other.state_dict()
    before = {name: tensor.clone() for name, tensor in (a | {"b." + k: v for k, v in b.items()}).items()}
    first, second = match_weights(spec, a, b, seed=4), match_weights(spec, a, b, seed=4)
    assert first.trace == second.trace
    for name, element in first.elements.items():
        assert torch.equal(element.rotations, second.elements[name].rotations)
    assert all(torch.equal(tensor, before[name]) for name, tensor in (a | {"b." + k: v for k, v in b.items()}).items())


def test_a_matching_can_go_on_from_where_another_stopped(nets):
    one, other = nets.mlp(seed=0), nets.mlp(seed=7)
    spec, a, b = from_sequential(one), one.state_dict(), other.state_dict()
    short = match_weights(spec, a, b, max_sweeps=2)
    assert not short.converged
    longer = match_weights(spec, a, b, start=short.elements)
    assert longer.trace[0] == pytest.approx(short.objective) and longer.objective > short.objective


def test_a_square_weight_on_the_stream_keeps_the_trace_monotone(nets):
    model = nets.randomised(nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)))
    other = nets.randomised(nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)), seed=2)
    axes = {"0.weight": ("h", FIXED), "0.bias": ("h",), "1.weight": ("h", "h"), "1.bias": ("h",),
            "2.weight": (FIXED, "h"), "2.bias": (FIXED,)}  # fmt: skip
    for group in (Permutation(8), Conic(2, 4), Orthogonal(8)):
        found = match_weights(Spec({"h": group}, axes), model.state_dict(), other.state_dict())
        assert all(later >= earlier for earlier, later in itertools.pairwise(found.trace))


@pytest.mark.parametrize("name", ["relu", "hard", "shared", "axes first", "rotated", "one cone", "conv", "batch norm"])
def test_a_planted_element_is_recovered_from_activations_at_once(nets, name):
    model, other = PLANTED[name](nets), PLANTED[name](nets)
    spec = from_sequential(model)
    _, moved = planted(nets, model, spec)
    other.load_state_dict(moved)
    x = nets.images(40) if name in ("conv", "batch norm") else nets.vectors(400, 20)
    for centre in (False, True):
        found = match_activations(spec, model, other, x.split(150), centre=centre)
        assert nets.distance(found.apply(spec, moved), model.state_dict()) < 1e-9
        assert found.trace[1] > found.trace[0]


def test_streamed_batches_add_up(nets):
    one, other = nets.mlp(seed=0), nets.mlp(seed=7)
    spec, x = from_sequential(one), nets.vectors(90)
    whole = match_activations(spec, one, other, x)
    parts = match_activations(spec, one, other, [(batch, "label") for batch in x.split(20)])
    assert whole.trace == pytest.approx(parts.trace)


def test_too_few_samples_are_refused_where_rotations_are_asked_for(nets):
    model = nets.mlp(lambda: CoLU(num_groups=1))
    spec = from_sequential(model)
    with pytest.raises(ValueError, match="14 samples do not determine rotations of 15 dimensions for '0'"):
        match_activations(spec, model, model, nets.vectors(14))
    match_activations(spec, model, model, nets.vectors(14), mode="permutation")
    with pytest.raises(ValueError, match="saw no samples"):
        match_activations(spec, model, model, [])


def test_a_layer_of_two_thousand_channels_is_matched_in_seconds():
    """About a second on one thread of a shared server; thirty would be a loop over pairs of cones."""
    covariance = torch.randn(2048, 2048, dtype=torch.float64, generator=generator())
    start = time.process_time()
    element = Conic(512, 4).solve(covariance)
    assert time.process_time() - start < 10
    assert sorted(element.permutation.tolist()) == list(range(512))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_states_on_a_gpu_stay_there_and_match_as_on_the_cpu(nets):
    one, other = nets.mlp(seed=0), nets.mlp(seed=7)
    spec, a, b = from_sequential(one), one.state_dict(), other.state_dict()
    there = [{name: tensor.cuda() for name, tensor in state.items()} for state in (a, b)]
    here, found = match_weights(spec, a, b), match_weights(spec, *there)
    moved = found.apply(spec, there[1])
    assert all(tensor.is_cuda for tensor in moved.values())
    assert found.objective == pytest.approx(here.objective)
    # Devices may differ: the second follows the first.
    assert match_weights(spec, a, there[1]).objective == pytest.approx(here.objective)
    x = nets.vectors(300)
    on_gpu = match_activations(spec, nets.mlp(seed=0).cuda(), nets.mlp(seed=7).cuda(), x.cuda())
    assert on_gpu.trace == pytest.approx(match_activations(spec, one, other, x).trace)


def test_the_random_control_is_far_from_the_model(nets):
    one = nets.mlp()
    spec = from_sequential(one)
    control = random_alignment(spec, seed=1).apply(spec, one.state_dict())
    assert nets.distance(control, one.state_dict()) > 0.5


def test_bad_states_are_refused_with_what_differs(nets):
    one = nets.mlp()
    spec, state = from_sequential(one), one.state_dict()
    with pytest.raises(ValueError, match="differ in 0.weight: .16, 6. and .16, 7."):
        match_weights(spec, state, nets.mlp(widths=(7, 16, 24, 5)).state_dict())
    with pytest.raises(ValueError, match="only in the second .*more"):
        match_weights(spec, state, state | {"more": torch.zeros(1)})
    with pytest.raises(ValueError, match="0.bias of the second model holds NaN"):
        match_weights(spec, state, state | {"0.bias": torch.full((16,), torch.nan)})
    with pytest.raises(ValueError, match="mode='all' is unknown"):
        match_weights(spec, state, state, mode="all")


def objective(spec, a, b):
    """The sum of products over what is matched, from the states alone."""
    matched = sorted(spec.touched() - set(spec.unmatched))
    return sum((a[name].double() * b[name].double()).sum().item() for name in matched)


@pytest.mark.parametrize("dtype, tol", [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_planted_signed_permutations_are_recovered(nets, dtype, tol):
    spec = nets.batch_normed_spec()
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in nets.batch_normed().state_dict().items()}
    truth = spec.random(3)
    moved = apply(spec, truth, state)
    found = match_weights(spec, state, moved)
    assert found.converged
    assert all(found.elements[name].compose(truth[name]).is_identity() for name in truth)
    back = found.apply(spec, moved)
    # Signs and places are exact in every format.
    assert all(back[name].dtype == state[name].dtype and torch.equal(back[name], state[name]) for name in state)
    noisy = {
        name: value + 0.3 * value.std() * torch.randn(value.shape, generator=torch.Generator().manual_seed(4)).to(dtype)
        if value.is_floating_point() else value
        for name, value in moved.items()
    }  # fmt: skip
    found = match_weights(spec, state, noisy)
    assert all(found.elements[name].compose(truth[name]).is_identity() for name in truth)


def test_whole_cones_alone_do_not_recover_them(nets):
    spec, model = nets.batch_normed_spec(), nets.batch_normed()
    state = model.state_dict()
    moved = apply(spec, spec.random(3), state)
    near = match_weights(spec, state, moved, mode="permutation")
    assert nets.distance(near.apply(spec, moved), state) > 0.5
    assert near.objective < 0.9 * match_weights(spec, state, moved).objective


def test_the_group_found_by_tracing_recovers_what_batch_norm_leaves(nets):
    model, state = nets.batch_normed(), nets.batch_normed().state_dict()
    spec = trace_spec(model)
    assert spec.groups["0"] == nets.batch_normed_spec().groups["first"]
    moved = apply(spec, spec.random(3), state)
    assert nets.distance(match_weights(spec, state, moved).apply(spec, moved), state) < 1e-9


@pytest.mark.parametrize("mode", ["permutation", "conic"])
def test_the_objective_of_the_moved_weights_never_falls(nets, mode):
    spec = nets.batch_normed_spec()
    a, b = (nets.batch_normed(seed).state_dict() for seed in (0, 9))
    values = [objective(spec, a, b)]
    for sweeps in range(1, 9):
        found = match_weights(spec, a, b, mode=mode, max_sweeps=sweeps, tol=0)
        values.append(objective(spec, a, found.apply(spec, b)))
        assert found.objective == pytest.approx(values[-1], rel=1e-12)
        assert found.trace[0] == pytest.approx(values[0], rel=1e-12)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(values))
    assert values[-1] > values[0] + 1


def test_each_update_gains_what_its_solver_says(nets):
    """The even scales count too: without them an update may lower the objective."""
    spec = nets.batch_normed_spec()
    a, b = (nets.batch_normed(seed).state_dict() for seed in (0, 9))
    for name in spec.groups:
        only = Spec({name: spec.groups[name]}, {
            parameter: tuple(tuple(part if part.name == name else Part(FIXED) for part in parts) for parts in rules)
            for parameter, rules in spec.axes.items()
        }, spec.unmatched)  # fmt: skip
        best = objective(only, a, match_weights(only, a, b).apply(only, b))
        for seed in range(100):
            assert objective(only, a, apply(only, only.random(seed), b)) <= best + 1e-9
        # All elements next to the optimum: one sign, one exchange in a section, one of two cones.
        start = match_weights(only, a, b).elements[name]
        for step in neighbours(only.groups[name]):
            assert objective(only, a, apply(only, {name: step.compose(start)}, b)) <= best + 1e-9


def neighbours(group):
    """Elements that exchange two units, or two channels of a section, or turn one sign."""
    identity = group.identity()
    for i, j in itertools.combinations(range(group.groups), 2):
        order = torch.arange(group.groups)
        order[[i, j]] = order[[j, i]]
        yield type(identity)(order, group.inner, identity.matrices)
    for unit, one in itertools.product(range(group.groups), range(3)):
        for change in ("sign", "exchange"):
            matrices = identity.matrices[0].clone()
            if change == "sign":
                matrices[unit, one, one] = -1
            else:
                order = torch.arange(3)
                order[[one, (one + 1) % 3]] = order[[(one + 1) % 3, one]]
                matrices[unit] = matrices[unit][order]
            yield type(identity)(identity.permutation, group.inner, (matrices,))


def test_reports_say_what_moved(nets):
    spec = nets.batch_normed_spec()
    a, b = (nets.batch_normed(seed).state_dict() for seed in (0, 9))
    figures = match_weights(spec, a, b).describe()["groups"]["first"]
    assert figures["units"] == figures["dim"] == 4 and figures["reflections"] == 0
    assert 0 < figures["moved"] <= 4 and 0 < figures["inside"] <= 4
    still = match_weights(spec, a, a).describe()["groups"]["first"]
    assert still["moved"] == still["inside"] == 0


def test_activations_tell_the_same_elements(nets):
    spec, model, other = nets.batch_normed_spec(), nets.batch_normed(), nets.batch_normed()
    truth = spec.random(3)
    other.load_state_dict(apply(spec, truth, model.state_dict()))
    found = match_activations(spec, model, other, nets.vectors(200, 12))
    assert all(found.elements[name].compose(truth[name]).is_identity() for name in truth)


@pytest.mark.parametrize("group", [
    Wreath(8, Inner("signed")), Wreath(1, Inner("mean", 8)), Wreath(2, (Inner("fixed"), Inner("signed", 3))),
], ids=str)  # fmt: skip
def test_the_trace_is_the_objective_where_a_group_acts_twice_on_a_weight(nets, group):
    one, other = (nets.randomised(nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)), seed)
                  for seed in (0, 2))  # fmt: skip
    axes = {"0.weight": ("h", FIXED), "0.bias": ("h",), "1.weight": ("h", "h"), "1.bias": ("h",),
            "2.weight": (FIXED, "h"), "2.bias": (FIXED,)}  # fmt: skip
    spec, a, b = Spec({"h": group}, axes), one.state_dict(), other.state_dict()
    values = [objective(spec, a, b)]
    for sweeps in range(1, 6):
        found = match_weights(spec, a, b, max_sweeps=sweeps, tol=0)
        values.append(objective(spec, a, found.apply(spec, b)))
        assert found.objective == pytest.approx(values[-1], rel=1e-12)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(values))
    assert values[-1] > values[0]


def test_cones_of_a_wreath_product_match_as_conic_groups_do(nets):
    one, other = nets.mlp(seed=0), nets.mlp(seed=7)
    old = trace_spec(one)
    assert all(isinstance(group, Conic) for group in old.groups.values())
    new = Spec({name: Wreath(group.groups, (Inner("fixed"), Inner("orthogonal", group.dim - 1)))
                for name, group in old.groups.items()}, old.axes)  # fmt: skip
    a, b = one.state_dict(), other.state_dict()
    for mode in ("naive", "permutation", "conic"):
        before, after = (match_weights(spec, a, b, mode=mode) for spec in (old, new))
        assert after.trace == pytest.approx(before.trace, rel=1e-12)


def test_a_group_is_solved_anew_only_where_its_surroundings_have_changed(nets, monkeypatch):
    """The result is that of solving all in every sweep: what is left out would find the identity."""
    one, other = nets.mlp(nn.ReLU), nets.mlp(nn.ReLU, seed=7)
    spec, a, b = from_sequential(one), one.state_dict(), other.state_dict()
    solved, solve = [], Permutation.solve
    monkeypatch.setattr(Permutation, "solve", lambda *args, **rest: solved.append(1) or solve(*args, **rest))
    found = match_weights(spec, a, b)
    assert len(solved) == len(found.trace) - 1 < found.sweeps * len(spec.groups)
    moved, gains = found.apply(spec, b), []
    for name, group in spec.groups.items():
        covariance, _ = matching._covariance(spec, name, *({k: v.double() for k, v in s.items()} for s in (a, moved)))
        gains.append(torch.equal(group.solve(covariance, "conic").permutation, torch.arange(group.size)))
    assert all(gains)
