"""Fusing is repeatable, changes nothing that it is given, and sets beside its result what speaks against it."""

import json

import pytest
import torch
from torch import nn

from colu.fusion import Permutation, carry, from_sequential, fuse, lerp, random_alignment, trace_spec, transport_plans
from colu.nn import CoLU, NormReLU


def pair(nets, activation=lambda: CoLU(dim=4), number=2):
    models = [nets.mlp(activation, (6, 16, 16, 5), seed=seed) for seed in (0, 7, 9)[:number]]
    return models[0], [model.state_dict() for model in models]


def labelled(nets, num=60):
    return nets.vectors(num), torch.arange(num) % 5


def data(nets):
    return labelled(nets, 300), labelled(nets)


def test_inputs_stay_and_the_result_repeats(nets):
    model, states = pair(nets)
    before = [{name: t.clone() for name, t in state.items()} for state in (model.state_dict(), *states)]
    first, second = (fuse(model, *states, example_input=nets.vectors(), seed=2) for _ in range(2))
    assert all(torch.equal(first.state[name], second.state[name]) for name in first.state)
    for old, new in zip(before, (model.state_dict(), *states), strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)


@pytest.mark.parametrize("method", ["weights", "activations", "transport"])
@pytest.mark.parametrize("activation", [nn.ReLU, lambda: CoLU(dim=4)], ids=["relu", "cones"])
def test_two_frames_of_one_network_fuse_to_it(nets, method, activation):
    model, (state, _) = pair(nets, activation)
    spec = trace_spec(model)
    moved = random_alignment(spec, seed=3).apply(spec, state)
    made = fuse(model, state, moved, method=method, data=data(nets), repair="none", lambdas=3)
    assert all(torch.allclose(made.state[name], state[name], atol=1e-4) for name in state)
    report = made.report
    assert report["aligned"][1]["invariance_error"] < 1e-9
    assert report["metrics"]["keeps_the_parent"] == [True, True]
    assert report["weights"]["distance"]["aligned"] < 1e-4 < 0.1 < report["weights"]["distance"]["random"]
    naive = fuse(model, state, moved, method="naive", data=data(nets), repair="none", lambdas=3)
    assert naive.report["metrics"]["fused"] == pytest.approx(report["metrics"]["naive"])


@pytest.mark.parametrize("repair", ["none", "cone", "channel", "auto"])
@pytest.mark.parametrize("activation", [lambda: CoLU(dim=4), lambda: NormReLU(16)], ids=["cones", "vectors"])
def test_what_is_measured_is_reported_with_its_doubts(nets, activation, repair):
    model, states = pair(nets, activation)
    made = fuse(model, *states, data=data(nets), split="toy", repair=repair, lambdas=3, name="a toy")
    report = json.loads(json.dumps(made.report, allow_nan=False))
    assert report["aligned"][1]["invariance_error"] < 1e-9 and report["name"] == "a toy"
    taken = report["repair"]["taken"]
    assert taken == repair or repair == "auto" and (taken == "cone" or "cone would raise" in report["repair"]["why"])
    metrics = report["metrics"]
    assert metrics["split"] == "toy" and metrics["fused"]["samples"] == 60
    assert {"parents", "aligned_alone", "fused", "random", "naive", "ensemble"} <= set(metrics)
    assert len(metrics["aligned_alone"]) == 2 and (metrics["without_repair"] is None) == (taken == "none")
    assert set(made.curves) == {"naive", "aligned"} | ({"repaired"} if taken != "none" else set())
    assert set(report["weights"]["norm_ratio"]) == {"0.weight", "2.weight", "4.weight"}
    assert report["distrust"][-1].startswith("One pair of networks and 60 samples (toy): no interval")


def test_sharing_nothing_gives_the_first_network_back(nets):
    model, states = pair(nets)
    made = fuse(model, *states, shares=0.0, data=data(nets), lambdas=3)
    assert all(torch.equal(made.state[name], states[0][name]) for name in states[0])
    half, most = (fuse(model, *states, shares=share).state["0.weight"] for share in (0.5, 0.75))
    start = states[0]["0.weight"]
    assert torch.allclose(most - start, 1.5 * (half - start), atol=1e-12)


def test_the_group_follows_from_the_model(nets):
    model, states = pair(nets, nn.ReLU)
    assert trace_spec(model).groups["0"] == Permutation(16)
    assert fuse(model, *states, example_input=nets.vectors()).report["aligned"][1]["invariance_error"] < 1e-9
    model, states = pair(nets)
    whole, units = (fuse(model, *states, group=g).report["groups"]["0"]["group"] for g in ("whole", "permutation"))
    assert (whole, units) == ("O(3) wr Perm(4)", "Perm(4)")
    batch = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), CoLU(dim=4), nn.Linear(8, 3))
    state = batch.state_dict()
    made = fuse(batch, state, state, data=((nets.vectors(40).float(), torch.arange(40) % 3),) * 2, lambdas=3)
    repair = made.report["repair"]
    assert repair["taken"] == "batchnorm" or repair["why"].startswith("batchnorm would raise")


def test_three_networks_in_one_frame(nets):
    model, states = pair(nets, nn.ReLU, 3)
    for options in ({}, {"merge": "universe"}, {"method": "transport", "cost": "weights"}, {"method": "activations"}):
        made = fuse(model, *states, data=data(nets), **options)
        assert len(made.report["metrics"]["aligned_alone"]) == 3
        assert made.report["metrics"]["keeps_the_parent"] == [True] * 3
        for name in made.state:
            mean = sum(state[name] for state in made.aligned) / 3
            assert torch.allclose(made.state[name], mean, atol=1e-12)
        assert made.curves == {} and made.report["repair"]["taken"] == "none"
    made = fuse(model, *states, shares=[0.2, 0.3, 0.5])
    assert made.report["merge"]["shares"] == [0.2, 0.3, 0.5]


class Named(nn.Sequential):
    def forward(self, values, scale):
        return super().forward(values * scale)


@pytest.mark.parametrize("method", ["weights", "activations", "transport"])
def test_samples_may_be_given_by_name_whole_or_in_batches(nets, method):
    model, states = pair(nets)
    named = Named(*model)
    x, y = labelled(nets, 300)
    plain = fuse(model, *states, method=method, data=((2 * x, y), (2 * x, y)), lambdas=3, repair="cone")
    by_name = {"values": x, "scale": torch.full((300, 1), 2.0)}
    cut = [({key: t[k : k + 100] for key, t in by_name.items()}, y[k : k + 100]) for k in (0, 100, 200)]
    for data in (((by_name, y),) * 2, (cut, cut)):
        made = fuse(named, *states, method=method, data=data, lambdas=3, repair="cone")
        assert all(torch.allclose(made.state[name], plain.state[name], atol=1e-9) for name in plain.state)
        assert made.report["metrics"]["fused"] == pytest.approx(plain.report["metrics"]["fused"])
    with pytest.raises(ValueError, match="300 samples have 299 labels"):
        fuse(named, *states, method=method, data=((by_name, y[1:]),) * 2, lambdas=3)


def test_an_automatic_repair_that_raises_the_loss_is_not_kept(nets, monkeypatch):
    model, states = pair(nets)
    asked = fuse(model, *states, data=data(nets), repair="cone", lambdas=3)
    worse = {name: -t for name, t in states[0].items()}
    monkeypatch.setattr("colu.fusion.repair.repair_statistics", lambda *_, **__: worse)
    left = fuse(model, *states, data=data(nets), lambdas=3)
    assert left.report["repair"]["taken"] == "none" and "cone would raise the loss" in left.report["repair"]["why"]
    assert set(left.curves) == {"naive", "aligned"} and left.report["metrics"]["without_repair"] is None
    assert left.report["metrics"]["fused"] == asked.report["metrics"]["without_repair"]
    kept = fuse(model, *states, data=data(nets), repair="cone", lambdas=3).report
    assert kept["repair"]["taken"] == "cone"
    assert any("repair of the statistics raised the loss" in text for text in kept["distrust"])


def test_other_widths_are_fused_by_transport_alone(nets):
    wide, narrow = nets.mlp(nn.ReLU, (6, 16, 24, 5)), nets.mlp(nn.ReLU, (6, 8, 12, 5), seed=2)
    states = wide.state_dict(), narrow.state_dict()
    made = fuse(wide, *states, method="transport", data=data(nets), models=[narrow], repair="none", lambdas=3)
    plans = transport_plans(from_sequential(narrow), from_sequential(wide), narrow, wide, nets.vectors(300))
    wanted = lerp(states[0], carry(from_sequential(narrow), plans, states[1]), 0.5)
    assert all(torch.allclose(made.state[name], wanted[name], atol=1e-12) for name in wanted)
    report = made.report
    assert report["aligned"][1]["softness"]["0"]["largest"] == pytest.approx(1)
    assert report["metrics"]["keeps_the_parent"] == [True, True] and "naive" not in report["metrics"]
    with pytest.raises(ValueError, match=r"0.weight is \(16, 6\) in network 1 and \(8, 6\) in network 2; method"):
        fuse(wide, *states, models=[narrow])


@pytest.mark.filterwarnings("ignore::colu.fusion.DiffusePlanWarning")
def test_a_plan_that_destroys_the_parent_is_said_to(nets):
    model, states = pair(nets, nn.ReLU)
    options = {"method": "transport", "solver": "sinkhorn", "eps": 1.0, "data": data(nets), "lambdas": 3}
    made = fuse(model, *states, **options)
    assert made.report["aligned"][1]["softness"]["0"]["mean"] > 2
    said = " ".join(made.report["distrust"])
    assert "A diffuse plan, '0'" in said and "hardly its parent" in said
    assert "Network 2 aligned and alone no longer" in said
    assert made.report["metrics"]["keeps_the_parent"] == [True, False]


def test_task_arithmetic_and_ties_start_from_the_base(nets):
    model, (base, *_) = pair(nets, nn.ReLU)
    generator = torch.Generator().manual_seed(1)
    tuned = [
        {name: t + 0.01 * torch.randn(t.shape, generator=generator, dtype=t.dtype) for name, t in base.items()}
        for _ in range(2)
    ]
    made = fuse(model, *tuned, base=base, merge="task", scale=0.5)
    for name in base:
        assert torch.allclose(made.state[name], (tuned[0][name] + tuned[1][name]) / 2, atol=1e-12)
    spec = trace_spec(model)
    moved = random_alignment(spec, seed=4).apply(spec, tuned[1])
    again = fuse(model, tuned[0], moved, base=base, merge="task", scale=0.5)
    assert all(torch.allclose(again.state[name], made.state[name], atol=1e-6) for name in base)
    ties = fuse(model, *tuned, base=base, merge="ties", density=0.2)
    changed = torch.cat([(ties.state[name] - base[name]).flatten() != 0 for name in base]).double().mean()
    assert 0.2 < changed <= 0.4
    with pytest.raises(ValueError, match="needs the base"):
        fuse(model, *tuned, merge="ties")


def test_a_loss_of_ones_own_has_no_accuracy(nets):
    model, states = pair(nets)
    x = nets.vectors(300)
    target = torch.func.functional_call(model, states[0], (x,))
    made = fuse(model, *states, data=((x, target), (x, target)), loss=nn.functional.mse_loss, lambdas=3, repair="none")
    metrics = made.report["metrics"]
    assert metrics["parents"][0]["loss"] < 1e-12 and metrics["fused"]["accuracy"] is None
    assert made.curves["aligned"].accuracy_barrier is None
    assert any(text.startswith("The fused network has a loss of") for text in made.report["distrust"])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"method": "weigths"}, "method='weigths' is unknown"),
        ({"shares": 2.0}, "shares are"),
        ({"shares": [0.5, 0.2]}, "that sum to 1"),
        ({"repair": "cone"}, "takes statistics from samples; give data"),
        ({"method": "activations"}, "compares outputs on samples; give data"),
        ({"method": "transport"}, "or cost='weights'"),
        ({"merge": "universe", "method": "naive"}, "it has no method 'naive'"),
        ({"base": {}}, "the base is of another architecture than its model: it lacks 0.weight"),
    ],
)
def test_bad_options_say_what_to_change(nets, change, message):
    model, states = pair(nets)
    with pytest.raises(ValueError, match=message):
        fuse(model, *states, **change)


def test_bad_states_and_samples_are_named(nets):
    model, (a, b) = pair(nets)
    with pytest.raises(ValueError, match=r"another architecture than its model: it lacks 4.weight .*and 1 more"):
        fuse(model, a, {name: t for name, t in b.items() if not name.startswith("4")})
    with pytest.raises(ValueError, match=r"0.weight is torch.float64 in network 1 and torch.float32 in network 2"):
        fuse(model, a, {name: t.float() for name, t in b.items()})
    with pytest.raises(ValueError, match="2.bias of network 2 holds NaN"):
        fuse(model, a, b | {"2.bias": torch.full((16,), torch.nan)})
    bad = labelled(nets)
    bad[0][3, 2] = torch.nan
    with pytest.raises(ValueError, match="inputs that were given hold NaN"):
        fuse(model, a, b, data=(labelled(nets), bad), lambdas=3)


def test_parents_that_are_sure_and_wrong_point_at_the_scaling(nets):
    model, states = pair(nets, nn.ReLU)
    sharp = [{name: 30 * t if name.startswith("4") else t for name, t in state.items()} for state in states]
    made = fuse(model, *sharp, data=data(nets), lambdas=3)
    assert sum("scaled otherwise" in text for text in made.report["distrust"]) == 2


def test_no_network_on_a_disk_is_held_whole(tmp_path):
    import weakref

    from colu.fusion import StoredState, write_state

    model = nn.Sequential(*(layer for _ in range(12) for layer in (nn.Linear(16, 16), nn.ReLU())), nn.Linear(16, 3))
    for place in range(2):
        state = {name: torch.randn(t.shape) for name, t in model.state_dict().items()}
        write_state(tmp_path / f"{place}.safetensors", state, {})
    stored = [StoredState(tmp_path / f"{place}.safetensors") for place in range(2)]
    alive, most = [0], [0]

    def counted(read):
        def reading(name):
            tensor = read(name)
            alive[0] += tensor.nbytes
            most[0] = max(most[0], alive[0])
            weakref.finalize(tensor, lambda size: alive.__setitem__(0, alive[0] - size), tensor.nbytes)
            return tensor

        return reading

    for one in stored:
        one._make = counted(one._make)
    made = fuse(model, *stored, example_input=torch.randn(4, 16), scratch=True)
    write_state(tmp_path / "out.safetensors", made.state, {})
    assert made.report["aligned"][1]["invariance_error"] < 1e-9
    # Some of its 26 entries at once, of which the matrices have 1,024 bytes; a network has 13,000.
    assert 1024 <= most[0] < 6 * 1024
    held = {name: t.clone() for name, t in stored[0].items()}, {name: t.clone() for name, t in stored[1].items()}
    wanted = fuse(model.__class__(*(type(m)(16, m.out_features) if hasattr(m, "out_features") else nn.ReLU()
                                    for m in model)), *held).state  # fmt: skip
    assert all(torch.equal(made.state[name], wanted[name]) for name in wanted)
