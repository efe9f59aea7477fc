"""Linear layers whose weight is always orthogonal, and the penalty that draws a convolution near to it."""

import torch
from torch import Tensor, nn

from colu.checks import check_int
from colu.functional import gram_schmidt_rotation, householder_product, orthogonal_convolution_penalty

from .registry import register

__all__ = ["HouseholderLinear", "OrthogonalConvolutionPenalty", "RotationLinear"]


class HouseholderLinear(nn.Module):
    r"""Orthogonal layer :math:`f(x) = Qx`, a product of reflections: :func:`colu.functional.householder_product`.

    Parameters
    ----------
    num_features : int
        ``d`` of ``(..., d)``.
    num_reflections : int, optional
        ``k``; ``d`` if not given, which reaches every matrix of determinant :math:`(-1)^d`.

    Examples
    --------
    >>> weight = HouseholderLinear(5).weight
    >>> torch.allclose(weight @ weight.T, torch.eye(5), atol=1e-5)
    True
    """

    def __init__(self, num_features: int, num_reflections: int | None = None):
        super().__init__()
        num_features = check_int("num_features", num_features, 1)
        num_reflections = num_features if num_reflections is None else num_reflections
        num_reflections = check_int("num_reflections", num_reflections, 1)
        self.vectors = nn.Parameter(torch.randn(num_reflections, num_features))

    @property
    def weight(self) -> Tensor:
        """``Q``."""
        return householder_product(self.vectors)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight)


class RotationLinear(nn.Module):
    r"""Rotation layer :math:`f(x) = Qx` by Gram and Schmidt: :func:`colu.functional.gram_schmidt_rotation`.

    Parameters
    ----------
    num_features : int
        ``d`` of ``(..., d)``; 3 gives the 6-D representation.

    Notes
    -----
    Starts from the identity with a little noise.

    Examples
    --------
    >>> bool((torch.linalg.det(RotationLinear(3).weight) - 1).abs() < 1e-5)
    True
    """

    def __init__(self, num_features: int):
        super().__init__()
        num_features = check_int("num_features", num_features, 2)
        start = torch.eye(num_features - 1, num_features)
        self.vectors = nn.Parameter(start + 0.1 / num_features**0.5 * torch.randn_like(start))

    @property
    def weight(self) -> Tensor:
        """``Q``."""
        return gram_schmidt_rotation(self.vectors)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight)


class OrthogonalConvolutionPenalty(nn.Module):
    """Penalty of a convolution's weight, :func:`colu.functional.orthogonal_convolution_penalty`.

    Parameters
    ----------
    stride : int
        Of the convolution.

    Examples
    --------
    >>> OrthogonalConvolutionPenalty()(torch.eye(2)[:, :, None, None])
    tensor(0.)
    """

    def __init__(self, stride: int = 1):
        super().__init__()
        stride = check_int("stride", stride, 1)
        self.stride = stride

    def forward(self, weight: Tensor) -> Tensor:
        return orthogonal_convolution_penalty(weight, self.stride)


register(
    "householder-linear",
    HouseholderLinear,
    r"H_1 \cdots H_k\,x",
    parameters=lambda channels: channels**2,
    parameter_formula="C^2",
    homogeneity="linear",
    lipschitz=1.0,
    lipschitz_all=1.0,
    needs_channels=True,
    kind="layer",
)
register(
    "rotation-linear",
    RotationLinear,
    r"\mathrm{GS}(v_1, \dots, v_{C-1})\,x",
    citation="zhou2019continuity",
    parameters=lambda channels: channels * (channels - 1),
    parameter_formula="C(C - 1)",
    homogeneity="linear",
    lipschitz=1.0,
    lipschitz_all=1.0,
    needs_channels=True,
    kind="layer",
    notes="C = 3 is the 6-D representation of rotations.",
)
register(
    "orthogonal-convolution",
    OrthogonalConvolutionPenalty,
    r"\|\mathrm{Conv}(K, K) - I_0\|^2 - \max(M - C s^2, 0)",
    citation="wang2020ocnn",
    kind="penalty",
)
