"""Parametrised hypercomplex multiplication as a layer."""

import torch
from torch import Tensor, nn

from colu.checks import check_choice, check_int
from colu.functional import phm_weight, quaternion_algebra

from .registry import register

__all__ = ["PHMLinear"]


class PHMLinear(nn.Module):
    r"""Linear layer whose weight is a sum of Kronecker products, :func:`colu.functional.phm_weight`.

    .. math:: f(x) = \left(\sum_{i=1}^{n} A_i \otimes F_i\right) x + b

    It has about ``1 / n`` of the parameters of a dense layer.

    Parameters
    ----------
    in_features : int
        Features of ``(..., d)``; a multiple of ``n``.
    out_features : int, optional
        As many as go in if not given; a multiple of ``n``.
    n : int
        Number of components; 4 with ``algebra="quaternion"`` is the Hamilton product.
    algebra : {"learnt", "quaternion"}
        Whether :math:`A` is learnt or fixed.

    Notes
    -----
    Initial :math:`A` ours, for ``n = 4`` the quaternions; :math:`F` is drawn so that the weight has the variance of a
    dense layer's, :math:`1 / d`.

    References
    ----------
    Zhang et al., ICLR 2021, arXiv 2102.08597.

    Examples
    --------
    >>> sum(p.numel() for p in PHMLinear(64, algebra="quaternion").parameters()), 64 * 65
    (1088, 4160)
    """

    def __init__(self, in_features: int, out_features: int | None = None, n: int = 4, algebra: str = "learnt"):
        super().__init__()
        out_features = in_features if out_features is None else out_features
        n = check_int("n", n, 1)
        check_choice("algebra", algebra, ("learnt", "quaternion"))
        in_features = check_int("in_features", in_features, 1)
        out_features = check_int("out_features", out_features, 1)
        for name, value in dict(in_features=in_features, out_features=out_features).items():
            if value % n:
                raise ValueError(f"{name}={value} is no multiple of n={n}; nearest: {-(-value // n) * n}")
        if algebra == "quaternion" and n != 4:
            raise ValueError(f"n={n} is not the quaternions; use n=4, or algebra='learnt'")
        # Each A_i has entries of second moment 1 / n, so that the sum over i has that of one factor.
        start = quaternion_algebra() if n == 4 else torch.randn(n, n, n) / n**0.5
        if algebra == "learnt":
            self.algebra = nn.Parameter(start)
        else:
            self.register_buffer("algebra", start)
        self.factors = nn.Parameter(torch.randn(n, out_features // n, in_features // n) / in_features**0.5)
        self.bias = nn.Parameter(torch.zeros(out_features))

    @property
    def weight(self) -> Tensor:
        """The dense matrix."""
        return phm_weight(self.algebra, self.factors)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        n, out, inputs = self.factors.shape
        return f"{n * inputs}, {n * out}, n={n}, algebra={'learnt' if self.algebra.requires_grad else 'quaternion'!r}"


register(
    "phm-linear",
    PHMLinear,
    r"(\sum_i A_i \otimes F_i)\,x + b",
    citation="zhang2021phm",
    parameters=lambda channels: 64 + channels**2 // 4 + channels,
    parameter_formula="C^2/4 + C + 64",
    needs_channels=True,
    kind="layer",
    notes="n = 4; with the fixed algebra it is the quaternion layer, and has 64 parameters fewer.",
)
