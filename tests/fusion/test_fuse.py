"""Fusing is repeatable, changes nothing that it is given, and says what a mode cannot do."""

import pytest
import torch
from torch import nn

from colu.fusion import REPAIRS, fuse, spec_for
from colu.nn import CoLU, GroupSort, NormReLU


def pair(nets, activation=lambda: CoLU(dim=4)):
    models = [nets.mlp(activation, (6, 16, 16, 5), seed=seed) for seed in (0, 7)]
    return models[0], [model.state_dict() for model in models]


def labelled(nets, num=60):
    return nets.vectors(num), torch.arange(num) % 5


def test_inputs_stay_and_the_result_repeats(nets):
    model, states = pair(nets)
    before = [{name: t.clone() for name, t in state.items()} for state in (model.state_dict(), *states)]
    first, second = (fuse(model, *states, nets.vectors(), seed=2) for _ in range(2))
    assert all(torch.equal(first.state[name], second.state[name]) for name in first.state)
    for old, new in zip(before, (model.state_dict(), *states), strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)


@pytest.mark.parametrize("repair", REPAIRS[:3])
@pytest.mark.parametrize("activation", [lambda: CoLU(dim=4), lambda: NormReLU(16)], ids=["cones", "vectors"])
def test_what_is_measured_is_reported_with_its_doubts(nets, activation, repair):
    model, states = pair(nets, activation)
    data = labelled(nets, 300), labelled(nets)
    made = fuse(model, *states, nets.vectors(), data=data, split="toy", repair=repair, lambdas=3, name="a toy")
    report = made.report
    assert report["invariance_error"] < 1e-9 and report["architecture"] == "a toy"
    assert report["metrics"]["split"] == "toy" and report["metrics"]["fused"]["samples"] == 60
    assert set(made.curves) == {"naive", "conic"} | ({"conic, repaired"} if repair != "none" else set())
    assert report["distrust"][-1].startswith("One pair of networks, 60 samples of the toy set")


def test_sharing_nothing_gives_the_first_network_back(nets):
    model, states = pair(nets)
    made = fuse(model, *states, nets.vectors(), share=0.0)
    assert all(torch.equal(made.state[name], states[0][name]) for name in states[0])


@pytest.mark.parametrize("activation", [nn.ReLU, GroupSort])
def test_units_without_rotations_have_no_conic_mode(nets, activation):
    model, states = pair(nets, activation)
    with pytest.raises(ValueError, match="a toy: no layer has cones to rotate; use --mode permutation"):
        spec_for(model, "conic", "a toy")
    assert fuse(model, *states, nets.vectors(), mode="permutation").report["invariance_error"] < 1e-9
