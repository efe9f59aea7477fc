"""ACON: formulas, the constants of its slope, limits in beta, state of the official code."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from colu.functional import acon, acon_a, acon_b, acon_c, smooth_maximum, swish
from colu.nn import AconA, AconB, AconC, MetaAcon
from colu.testing import assert_different_function, assert_same_function

X = torch.linspace(-8, 8, 4001, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def slope(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def test_smooth_maximum_of_two():
    pair = normal(100, 2)
    for beta in (-2.0, 0.0, 0.7, 5.0):
        assert_same_function(lambda v, b=beta: acon(v[:, 0], v[:, 1], b), lambda v, b=beta: smooth_maximum(v, b), pair)


@pytest.mark.parametrize("p1, p2, beta", [(1.2, -0.8, 1.0), (-0.3, 0.9, 2.5), (0.5, 0.5, 1.0)])
def test_formulas(p1, p2, beta):
    x = X.numpy()
    expected = (p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x
    assert np.allclose(acon_c(X, p1, p2, beta), expected, atol=1e-13)
    expected = (1 - p2) * x * sigmoid(beta * (1 - p2) * x) + p2 * x
    assert np.allclose(acon_b(X, p2, beta), expected, atol=1e-13)
    assert np.allclose(acon_a(X, beta), x * sigmoid(beta * x), atol=1e-13)


def test_modules_are_their_functions_a_channel():
    torch.manual_seed(0)
    for module, function in ((AconA(3), acon_a), (AconB(3), acon_b), (AconC(3), acon_c)):
        module = module.double()
        for parameter in module.parameters():
            nn.init.normal_(parameter)
        x = normal(5, 3, 2, 2)
        parts = [function(x[:, c], *[p[c] for p in module.parameters()]) for c in range(3)]
        assert_same_function(module, lambda v, parts=parts: torch.stack(parts, 1), x)


def test_special_cases():
    assert_same_function(lambda x: acon_a(x, 0.8), lambda x: swish(x, 0.8), X)
    assert_same_function(lambda x: acon_c(x, 1.0, 0.0, 0.8), lambda x: swish(x, 0.8), X)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4), lambda x: acon_c(x, -0.4, 1.3), X)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4, 0.0), lambda x: 0.45 * x, X)
    assert_same_function(lambda x: acon_b(x, 0.25, 1e5), lambda x: torch.maximum(x, x / 4), X, tol=1e-5)
    assert_different_function(lambda x: acon_b(x, 0.25), lambda x: torch.maximum(x, x / 4), X)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4, 1e5), lambda x: torch.maximum(1.3 * x, -0.4 * x), X, tol=1e-5)
    assert_same_function(lambda x: acon_c(x, 1.3, -0.4, -1e5), lambda x: torch.minimum(1.3 * x, -0.4 * x), X, tol=1e-5)


def test_constant_of_the_slope():
    root = pytest.importorskip("scipy.optimize").brentq(lambda y: (y - 2) * math.exp(y) - y - 2, 1, 5, xtol=1e-14)
    s = 1 / (1 + math.exp(-root))
    kappa = s + root * s * (1 - s)
    assert abs(root - 2.39936) < 1e-5 and abs(kappa - 1.0998393) < 1e-7
    fine = torch.linspace(root - 1, root + 1, 200001, dtype=torch.float64)
    assert abs(slope(acon_a, fine).max() - kappa) < 1e-10


@pytest.mark.parametrize("p1, p2", [(1.2, -0.8), (-0.3, 0.9), (2.0, 1.5)])
@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_slopes_limits_mean_and_overshoot(p1, p2, beta):
    def f(x):
        return acon_c(x, p1, p2, beta)

    high, low = max(p1, p2), min(p1, p2)
    far, near = 200 / beta / (high - low), 12 / beta / (high - low)
    ends = slope(f, torch.tensor([-far, 0.0, far], dtype=torch.float64))
    assert torch.allclose(ends, torch.tensor([low, (p1 + p2) / 2, high], dtype=torch.float64))
    found = slope(f, torch.linspace(-near, near, 200001, dtype=torch.float64))
    kappa = 1.0998393194
    assert abs(found.max() - (kappa * high - (kappa - 1) * low)) < 1e-7
    assert abs(found.min() - (kappa * low - (kappa - 1) * high)) < 1e-7


def test_initial_values_are_the_official_ones():
    torch.manual_seed(0)
    module = AconC(20000)
    for p in (module.p1, module.p2):
        assert abs(p.mean()) < 0.03 and abs(p.std() - 1) < 0.03
    assert (module.beta == 1).all() and not torch.equal(module.p1, module.p2)
    for channels, hidden in ((3, 16), (256, 16), (512, 32)):
        assert MetaAcon(channels).fc1.weight.shape == (hidden, channels)


def test_meta_acon_channel_formula_in_training_and_evaluation():
    torch.manual_seed(0)
    module, x = MetaAcon(5).double(), normal(6, 5, 4, 3)
    fc1, bn1, fc2, bn2 = module.fc1, module.bn1, module.fc2, module.bn2

    def expected(x, training):
        z = x.mean((2, 3))
        for fc, bn in ((fc1, bn1), (fc2, bn2)):
            z = z @ fc.weight.T + fc.bias
            mean, var = (z.mean(0), z.var(0, correction=0)) if training else (bn.running_mean, bn.running_var)
            z = (z - mean) / (var + bn.eps).sqrt() * bn.weight + bn.bias
        beta = 1 / (1 + torch.exp(-z))[..., None, None]
        p1, p2 = (p[:, None, None] for p in (module.p1, module.p2))
        return (p1 - p2) * x / (1 + torch.exp(-beta * (p1 - p2) * x)) + p2 * x

    assert_same_function(module, lambda v: expected(v, True), x)
    module.eval()
    assert_same_function(module, lambda v: expected(v, False), x)
    beta = module.beta(x)
    assert beta.shape == (6, 5, 1, 1) and (0 < beta).all() and (beta < 1).all()


@pytest.mark.parametrize("mode, shape", [("layer", (6, 1, 1, 1)), ("pixel", (6, 5, 4, 3))])
def test_meta_acon_other_modes(mode, shape):
    module, x = MetaAcon(5, mode).double(), normal(6, 5, 4, 3)
    beta = 1 / (1 + torch.exp(-(x if mode == "pixel" else x.mean((1, 2, 3), keepdim=True))))
    assert module.beta(x).shape == shape
    assert_same_function(module, lambda v: acon_c(v, module.p1, module.p2, beta), x)
    assert len(list(module.parameters())) == 2


def test_meta_acon_refuses_unknown_modes():
    with pytest.raises(ValueError, match="'spatial'"):
        MetaAcon(4, "spatial")


def test_meta_acon_needs_two_samples_in_training():
    with pytest.raises(ValueError, match="more than 1 value"):
        MetaAcon(4)(torch.zeros(1, 4, 2, 2))


class Official(nn.Module):
    """The layout of the public code: convolutions and four-dimensional parameters."""

    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.bn1 = nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden)
        self.fc2, self.bn2 = nn.Conv2d(hidden, width, 1), nn.BatchNorm2d(width)
        self.p1 = nn.Parameter(torch.randn(1, width, 1, 1))
        self.p2 = nn.Parameter(torch.randn(1, width, 1, 1))

    def forward(self, x):
        beta = torch.sigmoid(self.bn2(self.fc2(self.bn1(self.fc1(x.mean((2, 3), keepdim=True))))))
        gap = (self.p1 - self.p2) * x
        return gap * torch.sigmoid(beta * gap) + self.p2 * x


def test_official_state_loads():
    torch.manual_seed(0)
    official, x = Official(5, 16).eval(), normal(3, 5, 4, 4).float()
    nn.init.normal_(official.bn1.running_mean)
    ours = MetaAcon(5).eval()
    state = official.state_dict()
    ours.load_state_dict(state)
    assert_same_function(ours, official, x)
    assert state["p1"].shape == (1, 5, 1, 1), "the caller's state dict is left alone"
    nested = nn.Sequential(AconC(5))
    nested.load_state_dict({f"0.{k}": torch.full((1, 5, 1, 1), 2.0) for k in ("p1", "p2", "beta")})
    assert (nested[0].beta == 2).all()


def test_wrong_state_is_refused():
    with pytest.raises(RuntimeError, match="size mismatch"):
        AconC(5).load_state_dict({k: torch.zeros(1, 4, 1, 1) for k in ("p1", "p2", "beta")})


@pytest.mark.parametrize("wrong", ["no factor", "sigma of p"])
def test_copied_formulas_in_print_differ(wrong):
    formulas = {
        "no factor": lambda x: 1.2 * torch.sigmoid(2.0 * x) - 0.8 * x,
        "sigma of p": lambda x: 0.7 * x / (1 + torch.exp(-x)),
    }
    right = (lambda x: acon_c(x, 1.2, -0.8)) if wrong == "no factor" else (lambda x: acon_a(x, 0.7))
    assert_different_function(formulas[wrong], right, X)
