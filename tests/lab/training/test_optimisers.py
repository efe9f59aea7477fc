"""Optimisers of a plan: matrices by Muon and the rest by SGD, one schedule, one state."""

import pytest
import torch
from torch import nn

from colu.lab.training import MatrixMuon, Plan, fit, make_optimiser

from .test_loop import PLAN, Digits, weights


def model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


def train(net, made, steps=5, rates=None):
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    for step in range(steps):
        for group in made.param_groups if rates else ():
            group["lr"] = rates[step]
        made.zero_grad()
        net(x).square().mean().backward()
        made.step()
    return [p.detach().clone() for p in net.parameters()]


def test_matrices_go_by_muon_and_the_rest_by_sgd():
    """As two optimisers of torch, a schedule included."""
    rates = [0.05, 0.04, 0.03, 0.02, 0.01]
    one = model()
    ours = train(one, MatrixMuon(one.parameters(), 1.0, momentum=0.8, weight_decay=0.1), rates=rates)
    two = model()
    muon = torch.optim.Muon([p for p in two.parameters() if p.ndim == 2], lr=1.0, momentum=0.8, weight_decay=0.1)
    rest = [p for p in two.parameters() if p.ndim != 2]
    sgd = torch.optim.SGD(rest, lr=1.0, momentum=0.8, weight_decay=0.1, nesterov=True)

    class Both:
        param_groups = muon.param_groups + sgd.param_groups
        zero_grad = staticmethod(lambda: [p.__setattr__("grad", None) for p in two.parameters()])
        step = staticmethod(lambda: (muon.step(), sgd.step()))

    assert all(torch.equal(a, b) for a, b in zip(ours, train(two, Both, rates=rates), strict=True))


def test_a_matrix_moves_by_a_step_whose_singular_values_are_near_one():
    net = nn.Linear(6, 4, bias=False)
    before = net.weight.detach().clone()
    (after,) = train(net, MatrixMuon(net.parameters(), 0.1), steps=1)
    values = torch.linalg.svdvals(before - after) / 0.1
    assert (values > 0.5).all() and (values < 1.5).all()


def test_state_goes_into_a_checkpoint_and_back(tmp_path):
    plan = PLAN.__class__(**{**PLAN.__dict__, "optimiser": "muon", "learning_rate": 1e-2})
    whole = fit(Digits(), plan)
    stopped = Digits()
    original, calls = stopped.loss, []

    def loss(net, batch):
        calls.append(0)
        if len(calls) > 40:
            raise KeyboardInterrupt
        return original(net, batch)

    stopped.loss = loss
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, plan, folder=tmp_path)
    again = fit(Digits(), plan, folder=tmp_path, say=lambda _: None)
    assert again.resumed_from == 36
    assert torch.equal(weights(again.model), weights(whole.model)) and again.curve == whole.curve


def test_a_model_without_matrices_is_refused():
    with pytest.raises(ValueError, match="this model has none: take another optimiser"):
        MatrixMuon(nn.BatchNorm1d(3).parameters(), lr=0.1)


@pytest.mark.parametrize(("name", "cls"), [
    ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD), ("muon", MatrixMuon),
])  # fmt: skip
def test_a_plan_names_its_optimiser_and_what_is_frozen_is_left_out(name, cls):
    net = model()
    net[0].weight.requires_grad_(False)
    made = make_optimiser(net, Plan(steps=1, batch_size=1, learning_rate=0.5, optimiser=name, weight_decay=0.1))
    groups = made.param_groups
    assert type(made) is cls and all((g["lr"], g["weight_decay"]) == (0.5, 0.1) for g in groups)
    assert sum(len(g["params"]) for g in groups) == 5


def test_the_exact_step_is_the_polar_factor_and_torchs_is_near_it():
    net = nn.Linear(6, 4, bias=False).double()
    before = net.weight.detach().clone()
    (after,) = train64(net, MatrixMuon(net.parameters(), 0.1, exact=True))
    step = (before - after) / 0.1
    assert torch.allclose(step @ step.T, torch.eye(4, dtype=step.dtype), atol=1e-12)
    other = nn.Linear(6, 4, bias=False).double()
    other.load_state_dict({"weight": before})
    (near,) = train64(other, MatrixMuon(other.parameters(), 0.1))
    alike = torch.nn.functional.cosine_similarity((before - near).flatten(), step.flatten(), dim=0)
    assert alike > 0.95


def train64(net, made):
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    net(x).square().mean().backward()
    made.step()
    return [p.detach().clone() for p in net.parameters()]


def test_what_has_no_direction_does_not_move_in_the_exact_step():
    net = nn.Linear(3, 3, bias=False).double()
    before = net.weight.detach().clone()
    net.weight.grad = torch.diag(torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64))
    MatrixMuon(net.parameters(), 1.0, exact=True).step()
    assert torch.allclose(before - net.weight, torch.diag(torch.tensor([1.0, 1, 0], dtype=torch.float64)))


@pytest.mark.parametrize("channels", [(3, 20), (12, 2)])
def test_filters_go_as_the_matrix_of_their_rows(channels):
    """In channels last and in the other order, tall and wide, and near the exact step."""
    into, out = channels
    x = torch.randn(5, into, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    steps = {}
    for form in (torch.contiguous_format, torch.channels_last):
        for exact in (True, False):
            torch.manual_seed(0)
            net = nn.Conv2d(into, out, 2, bias=False).double().to(memory_format=form)
            before = net.weight.detach().clone()
            net(x).square().mean().backward()
            MatrixMuon(net.parameters(), 0.1, exact=exact).step()
            steps[form, exact] = ((before - net.weight) / 0.1).detach().flatten(1)
    one = steps[torch.contiguous_format, True]
    scale = max(1, one.shape[0] / one.shape[1]) ** 0.5
    assert torch.allclose(torch.linalg.svdvals(one), scale * torch.ones(min(one.shape)).double())
    for exact in (True, False):
        assert torch.allclose(steps[torch.contiguous_format, exact], steps[torch.channels_last, exact])
    near = steps[torch.contiguous_format, False]
    assert torch.nn.functional.cosine_similarity(near.flatten(), one.flatten(), dim=0) > 0.95
    values = torch.linalg.svdvals(near) / scale
    assert not torch.allclose(near, one) and (values > 0.5).all() and (values < 1.5).all()


def test_filters_without_a_gradient_do_not_move():
    net = nn.Conv2d(1, 2, 2, bias=False)
    net.weight.grad = torch.zeros_like(net.weight)
    before = net.weight.detach().clone()
    MatrixMuon(net.parameters(), 0.1).step()
    assert torch.equal(net.weight, before)
