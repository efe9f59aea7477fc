"""Which optimiser sees which turn of the coordinates."""

import pytest
import torch
from torch import nn

from colu.functional import colu
from colu.geometry import sample_orthogonal
from colu.testing import assert_training_commutes, training_violations

WIDTH = 8


class InTurn(nn.Module):
    """CoLU seen from another frame: Q f(Q^T h)."""

    def __init__(self, frame):
        super().__init__()
        self.frame = frame

    def forward(self, h):
        return colu(h @ self.frame, dim=4) @ self.frame.T


def net(frame, dtype=torch.float64):
    torch.manual_seed(0)
    act = InTurn(frame.to(dtype))
    return nn.Sequential(nn.Linear(6, WIDTH), act, nn.Linear(WIDTH, 5)).to(dtype)


def data(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(10, 40, 6, generator=generator, dtype=torch.float64).to(dtype)
    y = torch.randn(10, 40, 5, generator=generator, dtype=torch.float64).to(dtype)
    return lambda model, step: (model(x[step]) - y[step]).square().mean()


def turn_by(frame):
    def turn(p):
        q = frame.to(p["0.weight"].dtype)
        return {"0.weight": q @ p["0.weight"], "0.bias": q @ p["0.bias"],
                "2.weight": p["2.weight"] @ q.T, "2.bias": p["2.bias"]}  # fmt: skip

    return turn


FRAME = sample_orthogonal(WIDTH, generator=torch.Generator().manual_seed(2))
ORDER = torch.eye(WIDTH, dtype=torch.float64)[[3, 1, 0, 2, 5, 7, 6, 4]]
SIGNS = torch.diag(torch.tensor([1.0, -1, -1, 1, -1, 1, 1, -1], dtype=torch.float64))


def muon(parameters, **options):
    """Muon belongs to the laboratory, which the library does without."""
    return pytest.importorskip("colu.lab.training").MatrixMuon(parameters, lr=0.02, **options)


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "exact muon": lambda p: muon(p, weight_decay=0.1, exact=True),
    "muon": muon,
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}


def parts(frame, dtype=torch.float64):
    return net(torch.eye(WIDTH, dtype=dtype), dtype), net(frame, dtype), turn_by(frame), data(dtype)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "exact muon"])
@pytest.mark.parametrize("frame", [FRAME, ORDER, SIGNS], ids=["turn", "order", "signs"])
def test_sgd_and_muon_with_an_exact_step_commute_with_every_frame(name, frame):
    assert_training_commutes(*parts(frame), OPTIMISERS[name], tol=1e-10)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("frame", [ORDER, SIGNS, SIGNS @ ORDER], ids=["order", "signs", "both"])
def test_adam_commutes_with_signed_permutations(name, frame):
    assert_training_commutes(*parts(frame), OPTIMISERS[name], tol=1e-10)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_checker_fails_for_adam_in_another_frame(name):
    with pytest.raises(AssertionError, match="does not commute with the turn: after 10 steps"):
        assert_training_commutes(*parts(FRAME), OPTIMISERS[name])
    found = training_violations(*parts(FRAME), OPTIMISERS[name], steps=1)
    assert min(found["0.weight"], found["2.weight"]) > 0.1  # at once, and not by rounding


def test_torchs_muon_commutes_to_the_rounding_of_bfloat16():
    one = training_violations(*parts(FRAME), OPTIMISERS["muon"], steps=1)
    assert 1e-4 < max(one.values()) < 5e-2
    with pytest.raises(AssertionError, match="does not commute"):
        assert_training_commutes(*parts(FRAME), OPTIMISERS["muon"], tol=1e-10)


def test_a_turn_that_is_not_orthogonal_does_not_commute_with_sgd():
    scale = torch.diag(torch.tensor([2.0] * 4 + [1.0] * 4, dtype=torch.float64))

    def turn(p):
        return turn_by(scale)(p) | {"2.weight": p["2.weight"] @ scale.inverse()}

    # CoLU is homogeneous, so both are one function at the start.
    same = net(torch.eye(WIDTH, dtype=torch.float64))
    with pytest.raises(AssertionError, match="does not commute"):
        assert_training_commutes(same, same, turn, data(), OPTIMISERS["sgd"])


def test_another_function_is_no_turn():
    same, _, turn, loss = parts(FRAME)
    with pytest.raises(AssertionError, match="does not commute"):
        assert_training_commutes(same, same, turn, loss, OPTIMISERS["sgd"])


def test_in_float32_the_tolerance_is_wider():
    assert_training_commutes(*parts(FRAME, torch.float32), OPTIMISERS["momentum"])


def test_nothing_of_the_models_changes():
    model, turned, turn, loss = parts(FRAME)
    before = [p.detach().clone() for m in (model, turned) for p in m.parameters()]
    training_violations(model, turned, turn, loss, OPTIMISERS["adam"])
    after = [p for m in (model, turned) for p in m.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
