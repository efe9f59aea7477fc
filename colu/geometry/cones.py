r"""Cones in the last dimension: membership, projections, duals.

A cone :math:`K` has the dual :math:`K^* = \{y : \langle x, y\rangle \ge 0\ \forall x \in K\}` and the polar
:math:`K^\circ = -K^*`; Moreau: :math:`x = P_K(x) + P_{K^\circ}(x)` with the two parts orthogonal.
"""

import math

import torch
from torch import Tensor

from colu.checks import check_int, check_number
from colu.functional import colu, soc_projection


class _Cone:
    def __init__(self, dim: int):
        self.dim = check_int("dim", dim, 1)

    def _check(self, x: Tensor) -> None:
        if x.dim() == 0 or x.shape[-1] != self.dim:
            raise ValueError(f"shape {tuple(x.shape)} holds no vectors of the cone; wanted (..., {self.dim})")

    def polar_contains(self, x: Tensor, tol: float = 0.0) -> Tensor:
        """Whether ``x`` is in the polar cone, that is ``-x`` in the dual; shape ``(...)``, boolean."""
        return self.dual().contains(-x, tol)

    def polar_project(self, x: Tensor) -> Tensor:
        """Nearest point of the polar cone, ``(..., dim)``."""
        return -self.dual().project(-x)

    def moreau(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The orthogonal parts of ``x`` in the cone and in its polar, each ``(..., dim)``."""
        return self.project(x), self.polar_project(x)


class LorentzCone(_Cone):
    r"""The second-order cone about the first coordinate.

    .. math:: K = \{x : \lVert (x_2, \dots, x_n)\rVert_2 \le x_1 \tan\alpha\}

    Parameters
    ----------
    dim : int
        Dimension of the space.
    angle : float
        Half-apex angle in radians, in (0, pi/2); at pi/4 the cone is its own dual.

    Raises
    ------
    ValueError
        ``dim`` or ``angle`` out of range; vectors of another dimension.

    Examples
    --------
    >>> import torch
    >>> cone, x = LorentzCone(3), torch.tensor([0.0, 3.0, 4.0])
    >>> cone.project(x)
    tensor([2.5000, 1.5000, 2.0000])
    >>> cone.skew_project(x)
    tensor([0., 0., 0.])
    >>> cone.contains(cone.project(x)).item()
    True
    """

    def __init__(self, dim: int, angle: float = math.pi / 4):
        super().__init__(dim)
        wanted = "use a half-apex angle in radians between 0 and pi/2"
        self.angle = float(check_number("angle", angle, wanted, gt=0, lt=math.pi / 2))

    def __repr__(self) -> str:
        return f"LorentzCone(dim={self.dim}, angle={self.angle:.4g})"

    def contains(self, x: Tensor, tol: float = 0.0) -> Tensor:
        """Whether ``x`` of shape ``(..., dim)`` is within ``tol`` of the cone (in the section's norm)."""
        self._check(x)
        section = torch.linalg.vector_norm(x[..., 1:], dim=-1)
        return section <= x[..., 0] * self._slope() + tol

    def project(self, x: Tensor) -> Tensor:
        """Nearest point of the cone, ``(..., dim)``: Lipschitz constant 1."""
        self._check(x)
        return soc_projection(x, dim=self.dim, channel_dim=-1, axis="coordinate", angle=self._or_none())

    def skew_project(self, x: Tensor) -> Tensor:
        """Slide ``x`` towards the axis at constant height, ``(..., dim)``.

        Ends in the cone, or on the negative axis where ``x[..., 0] < 0``: the hard CoLU.
        """
        self._check(x)
        return colu(x, dim=self.dim, channel_dim=-1, angle=self._or_none())

    def dual(self) -> "LorentzCone":
        """The dual cone, of half-apex angle ``pi/2 - angle``."""
        return LorentzCone(self.dim, math.pi / 2 - self.angle)

    def _slope(self) -> float:
        return 1.0 if self.angle == math.pi / 4 else math.tan(self.angle)

    def _or_none(self) -> float | None:
        return None if self.angle == math.pi / 4 else self.angle


class Orthant(_Cone):
    r"""The non-negative orthant :math:`\{x : x_i \ge 0\}`; projecting onto it is ReLU.

    Parameters
    ----------
    dim : int
        Dimension of the space.

    Examples
    --------
    >>> import torch
    >>> Orthant(2).project(torch.tensor([2.0, -1.0]))
    tensor([2., 0.])
    """

    def __repr__(self) -> str:
        return f"Orthant(dim={self.dim})"

    def contains(self, x: Tensor, tol: float = 0.0) -> Tensor:
        """Whether every entry of ``x``, shape ``(..., dim)``, is at least ``-tol``."""
        self._check(x)
        return (x >= -tol).all(-1)

    def project(self, x: Tensor) -> Tensor:
        """Nearest point of the orthant, ``(..., dim)``."""
        self._check(x)
        return x.relu()

    def dual(self) -> "Orthant":
        """The orthant is its own dual."""
        return self
