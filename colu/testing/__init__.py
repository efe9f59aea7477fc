"""Public checkers of properties: notebooks and tests call the same ones."""

from .properties import (
    assert_different_function,
    assert_equivariant,
    assert_gradients_finite,
    assert_homogeneous,
    assert_idempotent,
    assert_invariant,
    assert_lipschitz,
    assert_not_equivariant,
    assert_preserves,
    assert_same_function,
    default_tolerance,
    equivariance_violation,
    lipschitz_lower_bound,
    violation,
)

__all__ = [
    "assert_different_function",
    "assert_equivariant",
    "assert_gradients_finite",
    "assert_homogeneous",
    "assert_idempotent",
    "assert_invariant",
    "assert_lipschitz",
    "assert_not_equivariant",
    "assert_preserves",
    "assert_same_function",
    "default_tolerance",
    "equivariance_violation",
    "lipschitz_lower_bound",
    "violation",
]
