"""Cones, projections and groups: one definition for activations, tests and fusion."""

from .cones import LorentzCone, Orthant
from .groups import ConicElement, householder, lorentz_boost
from .sampling import sample_orthogonal, sample_sphere

__all__ = [
    "ConicElement",
    "LorentzCone",
    "Orthant",
    "householder",
    "lorentz_boost",
    "sample_orthogonal",
    "sample_sphere",
]
