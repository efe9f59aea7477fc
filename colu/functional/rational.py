"""Rational activations: a polynomial over a positive function of a polynomial."""

__all__ = ["rational"]

import torch
from torch import Tensor

from colu.channels import check_multiple
from colu.checks import check_choice, check_floating

VERSIONS = ("A", "B", "C", "mixed")


def rational(x: Tensor, numerator: Tensor, denominator: Tensor, version: str = "A", *, channel_dim: int = 1) -> Tensor:
    r"""Padé activation :math:`f(x) = P(x) / Q(x)` with :math:`P(x) = \sum_{j=0}^{m} a_j x^j`.

    ==========  ===================================================  =======================
    version     :math:`Q(x)`                                          what it is
    ==========  ===================================================  =======================
    ``A``       :math:`1 + \sum_{k=1}^{n} |b_k x^k|`                  a sum of absolute values
    ``B``       :math:`1 + |\sum_{k=1}^{n} b_k x^k|`                  the absolute value of a sum
    ``C``       :math:`0.1 + |\sum_{k=0}^{n} b_k x^k|`                the same with a smaller floor
    ``mixed``   :math:`1 + \sum_{k=1}^{n} |b_k| x^k`                  no floor for negative ``x``
    ==========  ===================================================  =======================

    Where the sum inside B or C is 0, as in B at :math:`x = 0`, or a coefficient of A is, the absolute value has slope 1
    here and 0 in ``rational_activations``; the values are the same.
    ``PAU`` of the package torch_activation has even powers alone, :math:`1 + \sum_k |b_k| x^{2k}`: A with 0 for each
    odd coefficient.
    Beyond :math:`|x| = 1` both polynomials are evaluated in :math:`1/x`, so that no power overflows.

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)`` where there are groups, else any shape; floating.
    numerator : Tensor
        :math:`a_0, \dots, a_m`, shape ``(m + 1,)``, or ``(G, m + 1)`` for ``G`` groups of neighbouring channels.
    denominator : Tensor
        :math:`b_1, \dots, b_n`, shape ``(n,)`` or ``(G, n)``; in version C from :math:`b_0`.
    version : {"A", "B", "C", "mixed"}
        The denominator.
        ``mixed`` is in no paper: it is the torch fallback of the code of the Kolmogorov-Arnold Transformer.
        It can have poles.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        An unknown version, or channels that are no multiple of the groups.

    References
    ----------
    Molina, Schramowski and Kersting, Padé Activation Units, ICLR 2020, arXiv 1907.06732 (abstract);
    A, B and C are a code audit of the authors' package ``rational_activations``;
    Yang and Wang, Kolmogorov-Arnold Transformer, arXiv 2409.10594 (groups).

    Examples
    --------
    >>> rational(torch.tensor([-2.0, 0.0, 2.0]), torch.tensor([0.0, 1.0]), torch.tensor([1.0]))
    tensor([-0.6667,  0.0000,  0.6667])
    """
    check_floating(x, "rational")
    check_choice("version", version, VERSIONS)
    groups = max(_groups(numerator), _groups(denominator))
    place = check_multiple(x, groups, "groups", channel_dim) if groups > 1 else 0
    a, b = _spread(numerator, x.dim() - place), _spread(denominator, x.dim() - place)
    if groups > 1:
        x = x.unflatten(place, (groups, x.shape[place] // groups))
    first = 0 if version == "C" else 1
    m, n = len(a) - 1, len(b) - 1 + first
    big = x.abs() > 1
    # Each branch gets an argument at which it is finite, so that its unused gradient is too.
    small, inverse = torch.where(big, 0, x), 1 / torch.where(big, x, 1)
    near = _horner(a, small) / _denominator(b, small, version)
    far = _horner(a.flip(0), inverse) / _denominator_far(b, inverse, version, n)
    sign = torch.where(x < 0, -1, 1).to(x.dtype) if n % 2 and version != "mixed" else 1
    far = far * sign * torch.where(big, x, 1) ** (m - n)
    y = torch.where(big, far, near)
    return y.flatten(place, place + 1) if groups > 1 else y


def _groups(coefficients: Tensor) -> int:
    if coefficients.dim() not in (1, 2) or coefficients.shape[-1] == 0:
        raise ValueError(f"coefficients have shape {tuple(coefficients.shape)}; wanted (k,) or (groups, k)")
    return 1 if coefficients.dim() == 1 else len(coefficients)


def _spread(coefficients: Tensor, after: int) -> Tensor:
    """Coefficients first, then a shape that broadcasts with groups that ``after`` dimensions follow."""
    if _groups(coefficients) == 1:
        return coefficients.reshape(-1)
    return coefficients.t().reshape(-1, len(coefficients), *[1] * after)


def _horner(coefficients: Tensor, x: Tensor) -> Tensor:
    value = coefficients[-1] + torch.zeros_like(x)
    for coefficient in coefficients[:-1].flip(0):
        value = value * x + coefficient
    return value


def _absolute(b: Tensor) -> Tensor:
    # The slope at 0 is 1 and not torch's 0: a coefficient that starts from 0 would never move.
    return torch.where(b < 0, -b, b)


def _denominator(b: Tensor, x: Tensor, version: str) -> Tensor:
    if version == "A":
        return 1 + x.abs() * _horner(_absolute(b), x.abs())
    if version == "mixed":
        return 1 + x * _horner(_absolute(b), x)
    return 1 + _absolute(x * _horner(b, x)) if version == "B" else 0.1 + _absolute(_horner(b, x))


def _denominator_far(b: Tensor, u: Tensor, version: str, n: int) -> Tensor:
    """The denominator over :math:`|x|^n`, or over :math:`x^n` if mixed, with ``u = 1 / x``."""
    if version == "A":
        return u.abs() ** n + _horner(_absolute(b).flip(0), u.abs())
    if version == "mixed":
        return u**n + _horner(_absolute(b).flip(0), u)
    floor = 1 if version == "B" else 0.1
    return floor * u.abs() ** n + _absolute(_horner(b.flip(0), u))
