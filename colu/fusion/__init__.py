"""Alignment of networks modulo the symmetry of their activation, and fusion of what is aligned.

State dicts in, new state dicts out; inputs are never changed, linear algebra is in float64.
"""

from .groups import Conic, Orthogonal, OrthogonalElement, Permutation, assign, polar
from .matching import Alignment, match_activations, match_weights, random_alignment
from .propagate import from_sequential
from .spec import FIXED, Part, Spec, apply, assert_invariant_under, check_states, invariance_error

__all__ = [
    "FIXED",
    "Alignment",
    "Conic",
    "Orthogonal",
    "OrthogonalElement",
    "Part",
    "Permutation",
    "Spec",
    "apply",
    "assert_invariant_under",
    "assign",
    "check_states",
    "from_sequential",
    "invariance_error",
    "match_activations",
    "match_weights",
    "polar",
    "random_alignment",
]
