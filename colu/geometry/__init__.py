"""Cones, projections, groups and symmetries: one definition for activations, tests and fusion."""

from .cones import LorentzCone, Orthant
from .elements import ConicElement, OrthogonalElement, householder, lorentz_boost
from .sampling import sample_orthogonal, sample_sphere
from .symmetry import Carried, Symmetry

__all__ = [
    "Carried",
    "ConicElement",
    "LorentzCone",
    "Orthant",
    "OrthogonalElement",
    "Symmetry",
    "householder",
    "lorentz_boost",
    "sample_orthogonal",
    "sample_sphere",
]
