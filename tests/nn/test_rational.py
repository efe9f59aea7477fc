"""Fitted coefficients are near to their targets, and the kept ones are the fit."""

import pytest
import torch

import colu.functional as F
from colu.nn import fit_rational
from colu.nn.rational import TARGETS, least_squares_fit


@pytest.mark.parametrize("target, error", [
    ("identity", 1e-12), ("silu", 0.01), ("gelu", 0.02), ("tanh", 0.01), ("relu", 0.08), ("leaky-relu", 0.08),
])  # fmt: skip
@pytest.mark.parametrize("version", ["A", "B", "C"])
def test_fits_are_near_to_their_targets(target, error, version):
    numerator, denominator = (torch.tensor(v, dtype=torch.float64) for v in fit_rational(target, version))
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    assert (F.rational(x, numerator, denominator, version) - TARGETS[target](x)).abs().max() < error


FITS = [(target, version) for target in sorted(set(TARGETS) - {"identity"}) for version in ("A", "B", "C", "mixed")]


@pytest.mark.parametrize("target, version", FITS)
def test_what_is_kept_is_what_scipy_finds(target, version):
    pytest.importorskip("scipy")
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    kept, found = (
        F.rational(x, *(torch.tensor(v, dtype=torch.float64) for v in pair), version)
        for pair in (fit_rational(target, version), least_squares_fit(target, version, (5, 4)))
    )
    assert (kept - found).abs().max() < 1e-6


def loss(target, version):
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)
    numerator, denominator = (torch.tensor(v, dtype=torch.float64) for v in fit_rational(target, version))
    return float((F.rational(x, numerator, denominator, version) - TARGETS[target](x)).square().sum())


@pytest.mark.parametrize("target", ["relu", "leaky-relu", "silu", "tanh"])
def test_a_fit_is_as_good_as_those_that_it_contains(target):
    # Their best B has even powers alone, with positive coefficients: mixed and, but for its kinks, A have it too.
    assert loss(target, "mixed") < loss(target, "B") * (1 + 1e-4)
    assert loss(target, "A") < loss(target, "B") * (1 + 1e-4)


def test_other_degrees_are_fitted():
    pytest.importorskip("scipy")
    numerator, denominator = fit_rational("silu", "A", (3, 2))
    assert (len(numerator), len(denominator)) == (4, 2)
