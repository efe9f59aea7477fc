"""Fitted coefficients are near to their targets."""

import pytest
import torch

import colu.functional as F
from colu.nn import fit_rational
from colu.nn.rational import TARGETS


@pytest.mark.parametrize("target, error", [
    ("identity", 1e-12), ("silu", 0.01), ("gelu", 0.02), ("tanh", 0.01), ("relu", 0.08), ("leaky-relu", 0.08),
])  # fmt: skip
@pytest.mark.parametrize("version", ["A", "B", "C"])
def test_fits_are_near_to_their_targets(target, error, version):
    numerator, denominator = (torch.tensor(v, dtype=torch.float64) for v in fit_rational(target, version))
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    assert (F.rational(x, numerator, denominator, version) - TARGETS[target](x)).abs().max() < error
