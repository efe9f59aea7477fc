"""ACON as modules: their functions a channel, the small network of Meta-ACON, state of the official code."""

import pytest
import torch
from torch import nn

from colu.functional import acon_a, acon_b, acon_c
from colu.nn import AconA, AconB, AconC, MetaAcon
from colu.testing import assert_same_function


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_modules_are_their_functions_a_channel():
    torch.manual_seed(0)
    for module, function in ((AconA(3), acon_a), (AconB(3), acon_b), (AconC(3), acon_c)):
        module = module.double()
        for parameter in module.parameters():
            nn.init.normal_(parameter)
        x = normal(5, 3, 2, 2)
        parts = [function(x[:, c], *[p[c] for p in module.parameters()]) for c in range(3)]
        assert_same_function(module, lambda v, parts=parts: torch.stack(parts, 1), x)


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
