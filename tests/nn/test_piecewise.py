"""Activations in pieces as modules: their functions, and how PWLU realigns its grid."""

import numpy as np
import pytest
import torch
from torch import nn

from colu.functional import apalu, maxout, talu
from colu.nn import APALU, PWLU, Maxout, TaLU, create
from colu.testing import assert_same_function

X = torch.linspace(-8, 8, 4001, dtype=torch.float64)
N = X.numpy()


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def piecewise(x, left, right, values, slope_left, slope_right):
    """One channel in NumPy."""
    knots = np.linspace(left, right, len(values))
    y = np.interp(x, knots, values)
    y = np.where(x < left, values[0] + slope_left * (x - left), y)
    return np.where(x > right, values[-1] + slope_right * (x - right), y)


def random_pwlu(channels=3, intervals=6, seed=0):
    module = PWLU(channels, intervals).double()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            nn.init.normal_(parameter)
        module.left.sub_(2)
        module.right.add_(2)
    return module


@pytest.mark.parametrize("shape", [(200, 3), (20, 3, 4, 5)])
def test_pwlu_formula(shape):
    module, x = random_pwlu(), 3 * normal(*shape)
    y = module(x).detach().numpy()
    parts = [p.detach().numpy() for p in (module.left, module.right, module.values)]
    slopes = [p.detach().numpy() for p in (module.slope_left, module.slope_right)]
    for c in range(3):
        expected = piecewise(x[:, c].numpy(), *(p[c] for p in parts), *(p[c] for p in slopes))
        assert np.allclose(y[:, c], expected, atol=1e-12)


def test_pwlu_has_the_inner_slope_at_the_ends_of_its_grid():
    module = random_pwlu(1)
    ends = torch.stack([module.left, module.right]).detach().requires_grad_()
    (slope,) = torch.autograd.grad(module(ends).sum(), ends)
    inner = module.values.diff()[0, [0, -1]] * 6 / (module.right - module.left)
    assert torch.allclose(slope[:, 0], inner)
    assert (module.slope_left - inner[0]).abs() > 0.1 and (module.slope_right - inner[1]).abs() > 0.1


def test_pwlu_meets_its_values_at_the_knots_and_is_continuous():
    module = random_pwlu(1)
    knots = module.left + torch.linspace(0, 1, 7).double() * (module.right - module.left)
    assert torch.allclose(module(knots[:, None])[:, 0], module.values[0])
    for shift in (-1e-9, 1e-9):
        assert torch.allclose(module(knots[:, None] + shift)[:, 0], module.values[0], atol=1e-6)


@pytest.mark.parametrize("intervals", [2, 6, 16])
def test_pwlu_starts_as_relu(intervals):
    module = PWLU(2, intervals).double()
    # The values were rounded to float32.
    assert_same_function(module, torch.relu, X[:, None].repeat(1, 2), tol=1e-7)
    assert sum(p.numel() for p in module.parameters()) == 2 * (intervals + 5)


def test_pwlu_survives_crossed_bounds_and_nan():
    module = PWLU(1)
    nn.init.constant_(module.left, 2.0)
    nn.init.constant_(module.right, 1.0)
    assert module(torch.tensor([[-5.0], [1.5], [5.0]])).isfinite().all()
    assert PWLU(1)(torch.tensor([[float("nan")]])).isnan().all()


def test_pwlu_options_are_checked():
    for options in (dict(bound=0.0), dict(momentum=0.0), dict(num_intervals=0)):
        with pytest.raises(ValueError, match=next(iter(options))):
            PWLU(2, **options)


def test_pwlu_observes_as_relu_and_realigns():
    module = PWLU(3, observe=True).double()
    scale, shift = torch.tensor([0.5, 2.0, 5.0]).double(), torch.tensor([0.0, -1.0, 10.0]).double()
    batches = [normal(64, 3, 5, seed=s) * scale[:, None] + shift[:, None] for s in range(8)]
    for x in batches:
        assert torch.equal(module(x), x.relu())
    pooled = torch.cat(batches)
    module.realign()
    mean, std = pooled.mean((0, 2)), pooled.std((0, 2), correction=0)
    assert torch.allclose(module.left, mean - 3 * std) and torch.allclose(module.right, mean + 3 * std)
    knots = module.left[:, None] + torch.linspace(0, 1, 17).double() * (module.right - module.left)[:, None]
    assert torch.allclose(module.values, knots.relu(), atol=1e-12)
    # ReLU but for the one interval that holds zero.
    x = pooled[(pooled[:, 0].abs() > 0.3).all(1)]
    assert torch.allclose(module(x)[:, 0], x[:, 0].relu(), atol=1e-12)
    assert not module.observing


@pytest.mark.parametrize("mean", [-10.0, -2.9, 0.0, 2.9, 10.0])
def test_pwlu_realigned_continues_relu_beyond_its_grid(mean):
    module = PWLU(1, observe=True).double()
    module(mean + torch.tensor([[-1.0], [1.0]]).double())
    module.realign()
    left, right = module.left.item(), module.right.item()
    assert (left, right) == pytest.approx((mean - 3, mean + 3))
    x = X[:, None] + mean
    # As far as ReLU has no kink beyond the end of the grid.
    outside = (x < left) & ((x >= 0) | (left <= 0)) | (x > right) & ((x <= 0) | (right >= 0))
    assert outside.sum() > 1000
    assert torch.allclose(module(x)[outside], x[outside].relu(), atol=1e-12)
    assert (module.slope_left.item(), module.slope_right.item()) == (float(left > 0), float(right > 0))


def test_pwlu_late_batches_count_by_momentum():
    module = PWLU(1, observe=True, momentum=0.5).double()
    for value in (0.0, 0.0, 8.0):
        module(torch.full((4, 1), value).double())
    assert module.running_mean.item() == 4.0 and module.running_var.item() == 16.0


def test_pwlu_in_evaluation_observes_nothing():
    module = PWLU(1, observe=True).eval()
    module(torch.ones(4, 1))
    assert module.num_batches == 0
    with pytest.raises(ValueError, match="nothing was observed"):
        module.realign()


def test_pwlu_constant_input_keeps_a_grid():
    module = PWLU(1, observe=True)
    module(torch.full((4, 1), 2.0))
    module.realign()
    assert module.right > module.left
    assert module(torch.tensor([[2.0], [3.0]])).flatten().tolist() == pytest.approx([2.0, 3.0], abs=1e-5)


def test_pwlu_phase_is_saved():
    observing = PWLU(2, observe=True)
    observing(torch.randn(8, 2))
    other = PWLU(2)
    other.load_state_dict(observing.state_dict())
    assert other.observing and other.num_batches == 1
    observing.realign()
    other.load_state_dict(observing.state_dict())
    assert not other.observing and torch.equal(other.left, observing.left)


def test_pwlu_learns_a_function_that_relu_cannot():
    torch.manual_seed(0)
    x = normal(512, 1)
    module = PWLU(1, observe=True).double()
    module(x)
    module.realign()
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    before = (x.relu() - (2 * x).sin()).square().mean()
    for _ in range(150):
        optimiser.zero_grad()
        loss = (module(x) - (2 * x).sin()).square().mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.01 * before


def test_prelu_is_torchs_with_channels_anywhere():
    module = create("prelu", 5)
    assert isinstance(module, nn.PReLU) and module.weight.tolist() == [0.25] * 5
    theirs, last = nn.PReLU(5), create("prelu", 5, channel_dim=-1)
    nn.init.normal_(theirs.weight)
    x = torch.randn(2, 5, 3)
    for ours in (module, last):
        ours.load_state_dict(theirs.state_dict())
    assert torch.equal(module(x), theirs(x)) and torch.equal(last(x.mT), theirs(x).mT)
    with pytest.raises(ValueError, match="weight is for 5 channels.*channel_dim=-1 takes the last"):
        module(x.mT)


@pytest.mark.parametrize("module, function", [
    *[(TaLU(t), lambda v, t=t: talu(v, t)) for t in (-0.5, -0.05, -3.0)],
    *[(APALU(a=a, b=b), lambda v, a=a, b=b: apalu(v, a, b)) for a, b in ((0.55, 0.065), (1.0, 2.0))],
    (Maxout(3), lambda v: maxout(v, 3)), (Maxout(3, channel_dim=0), lambda v: maxout(v, 3, channel_dim=0)),
])  # fmt: skip
def test_module_is_its_function(module, function):
    # The parameters are rounded to float32.
    assert_same_function(module.double(), function, 3 * normal(150, 6), tol=1e-6)


@pytest.mark.parametrize("make, message", [
    (lambda: TaLU(0.0), "threshold"), (lambda: TaLU(0.5), "threshold"), (lambda: Maxout(0), "pieces=0"),
    (lambda: PWLU(2, 5), "num_intervals=5 is odd"),
])  # fmt: skip
def test_bad_options_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()
