"""Every checker passes where the property holds and fails where it does not."""

import pytest
import torch

from colu import testing as ct

X = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SWAP = torch.eye(4, dtype=torch.float64)[[1, 0, 2, 3]]


def square(x):
    return x * x


HOLDS = [
    (ct.assert_equivariant, (torch.relu, SWAP, X)),
    (ct.assert_equivariant, (torch.relu, [SWAP, lambda x: 2 * x], X)),
    (ct.assert_equivariant, (square, (lambda x: 2 * x, lambda x: 4 * x), X)),
    (ct.assert_not_equivariant, (torch.relu, -torch.eye(4), X)),
    (ct.assert_invariant, (square, lambda x: -x, X)),
    (ct.assert_preserves, (torch.neg, torch.norm, X)),
    (ct.assert_idempotent, (torch.relu, X)),
    (ct.assert_homogeneous, (torch.relu, X)),
    (ct.assert_gradients_finite, (torch.relu, X)),
    (torch.no_grad()(ct.assert_gradients_finite), (torch.relu, X)),
    (ct.assert_same_function, (torch.relu, lambda x: x.clamp(min=0), X)),
    (ct.assert_different_function, (torch.relu, torch.tanh, X)),
    (ct.assert_lipschitz, (torch.relu, X, 1.0)),
]
BROKEN = [
    (ct.assert_equivariant, (torch.relu, -torch.eye(4), X), "not equivariant"),
    (ct.assert_equivariant, (torch.relu, [SWAP, lambda x: -x], X), "not equivariant"),
    (ct.assert_not_equivariant, (torch.relu, SWAP, X), "equivariant"),
    (ct.assert_not_equivariant, (torch.relu, [-torch.eye(4), SWAP], X), "equivariant"),
    (ct.assert_invariant, (torch.relu, lambda x: -x, X), "not equivariant"),
    (ct.assert_preserves, (torch.relu, torch.norm, X), "not preserved"),
    (ct.assert_idempotent, (square, X), "not idempotent"),
    (ct.assert_homogeneous, (square, X), "not homogeneous"),
    (ct.assert_gradients_finite, (torch.sqrt, torch.zeros(2)), "gradient not finite"),
    (ct.assert_gradients_finite, (torch.log, torch.zeros(2)), "value not finite"),
    (ct.assert_same_function, (torch.relu, torch.tanh, X), "different functions"),
    (ct.assert_same_function, (torch.relu, lambda x: x[:2], X), "shapes differ"),
    (ct.assert_different_function, (torch.relu, torch.relu, X), "same function"),
    (ct.assert_lipschitz, (lambda x: 2 * x, X, 1.0), "at least 2"),
]


@pytest.mark.parametrize("check, args", HOLDS)
def test_passes_where_the_property_holds(check, args):
    check(*args)


@pytest.mark.parametrize("check, args, message", BROKEN)
def test_fails_where_the_property_does_not_hold(check, args, message):
    with pytest.raises(AssertionError, match=message):
        check(*args)


def test_lipschitz_bound_must_be_reached_when_asked():
    with pytest.raises(AssertionError, match="not reached"):
        ct.assert_lipschitz(lambda x: x / 2, X, 1.0, reached=True)


def test_small_inputs_are_compared_relatively():
    with pytest.raises(AssertionError):
        ct.assert_same_function(lambda x: x, lambda x: 2 * x, 1e-20 * X)


def test_nan_against_a_number_is_a_violation():
    with pytest.raises(AssertionError):
        ct.assert_same_function(lambda x: x, lambda x: x * float("nan"), X)


def test_tolerance_follows_the_dtype():
    assert (
        ct.default_tolerance(torch.float64) < ct.default_tolerance(torch.float32) < ct.default_tolerance(torch.bfloat16)
    )


def test_what_does_not_act_is_refused():
    with pytest.raises(ValueError, match="does not act"):
        ct.assert_equivariant(torch.relu, 3, X)
