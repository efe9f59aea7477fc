"""Quotients of polynomials against their formulas, and the denominators that differ in print and code."""

import pytest
import torch

import colu.functional as F
from colu.nn import fit_rational
from colu.testing import assert_different_function


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


X = torch.linspace(-9, 9, 181, dtype=torch.float64)


@pytest.mark.parametrize("version", ["A", "B", "C", "mixed"])
def test_rational_is_its_formula_on_both_sides_of_one(version):
    a, b = normal(6, seed=1), 0.3 * normal(5 if version == "C" else 4, seed=2)
    top = sum(a[j] * X**j for j in range(6))
    bottom = {
        "A": lambda: 1 + sum((b[k - 1] * X**k).abs() for k in range(1, 5)),
        "B": lambda: 1 + sum(b[k - 1] * X**k for k in range(1, 5)).abs(),
        "C": lambda: 0.1 + sum(b[k] * X**k for k in range(5)).abs(),
        "mixed": lambda: 1 + sum(b[k - 1].abs() * X**k for k in range(1, 5)),
    }[version]()
    assert torch.allclose(F.rational(X, a, b, version), top / bottom, rtol=1e-9)
    odd = F.rational(X, a[:4], b[:3], version)
    first = 0 if version == "C" else 1
    top = sum(a[j] * X**j for j in range(4))
    if version == "A":
        bottom = 1 + sum((b[k - 1] * X**k).abs() for k in range(1, 4))
        assert torch.allclose(odd, top / bottom, rtol=1e-9)
    if version == "B":
        bottom = 1 + sum(b[k - first] * X**k for k in range(1, 4)).abs()
        assert torch.allclose(odd, top / bottom, rtol=1e-9)
    if version == "mixed":
        bottom = 1 + sum(b[k - first].abs() * X**k for k in range(1, 4))
        assert torch.allclose(odd, top / bottom, rtol=1e-9)


def test_groups_have_their_own_denominators():
    x, a, b = normal(3, 4, 2), normal(6, seed=1), normal(2, 4, seed=2)
    expected = torch.cat([F.rational(x[:, :2], a, b[0]), F.rational(x[:, 2:], a, b[1])], 1)
    assert torch.allclose(F.rational(x, a, b), expected)
    with pytest.raises(ValueError, match="groups=2"):
        F.rational(normal(3, 5), a, b)


def test_the_three_denominators_of_the_published_code_differ():
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)
    a, b = (torch.tensor(v, dtype=torch.float64) for v in fit_rational("gelu", "B"))
    fitted = F.rational(x, a, b, "B")
    b = torch.where(b.abs() < 1e-3, 0.05, b)
    assert_different_function(lambda v: F.rational(v, a, b, "B"), lambda v: F.rational(v, a, b, "A"), x)
    assert_different_function(lambda v: F.rational(v, a, b, "mixed"), lambda v: F.rational(v, a, b, "A"), x)
    # They agree where every term is positive.
    plus, right = b.abs(), x[x > 0]
    assert torch.allclose(F.rational(right, a, plus, "A"), F.rational(right, a, plus, "B"))
    assert torch.allclose(F.rational(right, a, plus, "A"), F.rational(right, a, plus, "mixed"))
    assert (fitted - torch.nn.functional.gelu(x)).abs().max() < 0.02


def test_mixed_denominator_can_have_a_pole():
    b = torch.tensor([2.0], dtype=torch.float64)
    x = torch.tensor([-0.5], dtype=torch.float64)
    assert not F.rational(x, torch.ones(1, dtype=torch.float64), b, "mixed").isfinite()
    assert F.rational(x, torch.ones(1, dtype=torch.float64), b, "A").isfinite()
