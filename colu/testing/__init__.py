"""Public checkers of properties: notebooks and tests call the same ones."""

from .answers import Verdict, answer_ids, answer_size, check_answer, seal_answer
from .memory import saved_bytes
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
from .training import assert_training_commutes, training_violations

__all__ = [
    "Verdict",
    "answer_ids",
    "answer_size",
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
    "assert_training_commutes",
    "check_answer",
    "default_tolerance",
    "equivariance_violation",
    "lipschitz_lower_bound",
    "saved_bytes",
    "seal_answer",
    "training_violations",
    "violation",
]
