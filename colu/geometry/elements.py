r"""Elements of groups: the wreath product O(S-1) wr Perm(G), orthogonal maps, reflections, boosts."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from colu.blocks import count_groups, join, split
from colu.checks import check_channel_dim, check_choice, check_int

from .sampling import sample_orthogonal


@dataclass(frozen=True, eq=False)
class ConicElement:
    r"""An element of :math:`O(S-1) \wr \mathrm{Perm}(G)`: permute the cones, then rotate each one's section.

    .. math:: (g x)_i = \bigl(a_{\pi(i)},\; Q_i\, s_{\pi(i)}\bigr)

    The product is semidirect, not direct: permuting and rotating one cone do not commute.

    Parameters
    ----------
    permutation : Tensor
        Shape ``(G,)``, integers: the cone that moves to place i.
    rotations : Tensor
        Shape ``(G, S-1, S-1)``, orthogonal; kept in float64.

    Raises
    ------
    ValueError
        No permutation, or matrices that are not orthogonal to 1e-6.

    Examples
    --------
    >>> g = ConicElement.random(3, 4, generator=torch.Generator().manual_seed(0))
    >>> g.compose(g.inverse()).is_identity()
    True
    """

    permutation: Tensor
    rotations: Tensor

    def __post_init__(self):
        permutation = torch.as_tensor(self.permutation, dtype=torch.long)
        rotations = torch.as_tensor(self.rotations, dtype=torch.float64)
        if permutation.dim() != 1 or not torch.equal(permutation.sort().values, torch.arange(len(permutation))):
            raise ValueError(f"{permutation.tolist()} is no permutation; use each of 0..G-1 once, shape (G,)")
        if rotations.dim() != 3 or len(rotations) != len(permutation) or rotations.shape[1] != rotations.shape[2]:
            raise ValueError(
                f"rotations of shape {tuple(rotations.shape)}; use ({len(permutation)}, S-1, S-1), one matrix a cone"
            )
        error = (rotations @ rotations.mT - torch.eye(rotations.shape[-1], dtype=torch.float64)).abs()
        if error.numel() and error.max() > 1e-6:
            raise ValueError(
                f"rotations are off orthogonal by {error.max():.2g}; orthogonalise them, for example by QR"
            )
        object.__setattr__(self, "permutation", permutation)
        object.__setattr__(self, "rotations", rotations)

    @property
    def num_groups(self) -> int:
        """Number of cones G."""
        return len(self.permutation)

    @property
    def dim(self) -> int:
        """Channels of a cone S."""
        return self.rotations.shape[-1] + 1

    @property
    def exact(self) -> bool:
        """Whether entries only change places, so that no dtype rounds them."""
        return self.dim == 1

    @classmethod
    def identity(cls, num_groups: int, dim: int) -> "ConicElement":
        """The neutral element."""
        return cls(torch.arange(num_groups), torch.eye(dim - 1, dtype=torch.float64).repeat(num_groups, 1, 1))

    @classmethod
    def random(cls, num_groups: int, dim: int, generator: torch.Generator | None = None) -> "ConicElement":
        """A uniform element."""
        permutation = torch.randperm(num_groups, generator=generator)
        return cls(permutation, sample_orthogonal(dim - 1, num=num_groups, generator=generator))

    @classmethod
    def from_permutation(cls, permutation, dim: int) -> "ConicElement":
        """Permute the cones without rotating."""
        permutation = torch.as_tensor(permutation)
        return cls(permutation, torch.eye(dim - 1, dtype=torch.float64).repeat(len(permutation), 1, 1))

    @classmethod
    def from_rotations(cls, rotations: Tensor) -> "ConicElement":
        """Rotate the sections without permuting; ``rotations`` of shape ``(G, S-1, S-1)``."""
        return cls(torch.arange(len(rotations)), rotations)

    def apply(self, x: Tensor, channel_dim: int = 1, *, share_axis: bool = False, layout: str = "blocks") -> Tensor:
        """Act on the channels of ``x``; computed in float64 and returned in the dtype of ``x``.

        With a shared axis, channel 0 stays and the sections are permuted and rotated.
        """
        check_choice("layout", layout, ("blocks", "axes_first"))
        c = check_channel_dim(x, channel_dim)
        groups, size = count_groups(x.shape[c], self.dim, self.num_groups, share_axis)
        perm = self.permutation.to(x.device)
        if size == 1 and not share_axis:
            return x.index_select(c, perm)
        axis, section = split(x.movedim(c, -1).double(), x.dim() - 1, groups, size, share_axis, layout)
        section = torch.einsum("gij,...gj->...gi", self.rotations.to(x.device), section.index_select(-2, perm))
        axis = axis if share_axis else axis.index_select(-2, perm)
        return join(axis, section, x.dim() - 1, share_axis, layout).to(x.dtype).movedim(-1, c)

    def compose(self, other: "ConicElement") -> "ConicElement":
        """The element that acts as ``other`` first, then as ``self``."""
        if (self.num_groups, self.dim) != (other.num_groups, other.dim):
            raise ValueError(
                f"elements of {self.num_groups} cones of dim {self.dim} and "
                f"{other.num_groups} of dim {other.dim} do not compose; use the same sizes"
            )
        return ConicElement(other.permutation[self.permutation], self.rotations @ other.rotations[self.permutation])

    __matmul__ = compose

    def inverse(self) -> "ConicElement":
        """The element that undoes this one."""
        permutation = self.permutation.argsort()
        return ConicElement(permutation, self.rotations[permutation].mT)

    def is_identity(self, tol: float = 1e-9) -> bool:
        """Whether this is the neutral element to ``tol``."""
        eye = torch.eye(self.dim - 1, dtype=torch.float64)
        close = (self.rotations - eye).abs().le(tol).all().item()
        return close and torch.equal(self.permutation, torch.arange(self.num_groups))

    def as_matrix(self, *, share_axis: bool = False, layout: str = "blocks") -> Tensor:
        """The ``(C, C)`` float64 matrix M with ``apply(x) = M x``."""
        channels = 1 + self.num_groups * (self.dim - 1) if share_axis else self.num_groups * self.dim
        eye = torch.eye(channels, dtype=torch.float64)
        return self.apply(eye, -1, share_axis=share_axis, layout=layout).T.contiguous()


@dataclass(frozen=True, eq=False)
class OrthogonalElement:
    """An orthogonal matrix as a group element.

    Parameters
    ----------
    matrix : Tensor
        Shape ``(n, n)``, orthogonal to 1e-6; kept in float64.

    Raises
    ------
    ValueError
        A matrix that is not orthogonal.

    Examples
    --------
    >>> flip = OrthogonalElement(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> flip.compose(flip).is_identity()
    True
    """

    matrix: Tensor

    def __post_init__(self):
        matrix = torch.as_tensor(self.matrix, dtype=torch.float64)
        if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"matrix of shape {tuple(matrix.shape)} is not square; use (n, n)")
        error = (matrix @ matrix.T - torch.eye(len(matrix), dtype=torch.float64)).abs().max() if len(matrix) else 0
        if not error <= 1e-6:
            raise ValueError(f"matrix is off orthogonal by {error:.2g}; orthogonalise it, for example by QR")
        object.__setattr__(self, "matrix", matrix)

    @property
    def exact(self) -> bool:
        """Whether entries only change places and signs: sums of entries are rounded."""
        return False

    def compose(self, other: "OrthogonalElement") -> "OrthogonalElement":
        """The element that acts as ``other`` first, then as ``self``."""
        return OrthogonalElement(self.matrix @ other.matrix)

    def inverse(self) -> "OrthogonalElement":
        """The element that undoes this one."""
        return OrthogonalElement(self.matrix.T)

    def is_identity(self, tol: float = 1e-9) -> bool:
        """Whether this is the neutral element to ``tol``."""
        return bool((self.matrix - torch.eye(len(self.matrix), dtype=torch.float64)).abs().le(tol).all())


def lorentz_boost(dim: int, rapidity: float, *, dtype: torch.dtype = torch.float64) -> Tensor:
    r"""The boost of the first two coordinates, which keeps the Lorentz cone but is no symmetry of CoLU.

    .. math:: \begin{pmatrix} \cosh\eta & \sinh\eta \\ \sinh\eta & \cosh\eta \end{pmatrix} \oplus I

    Parameters
    ----------
    dim : int
        At least 2.
    rapidity : float
        :math:`\eta`; 0 is the identity.

    Returns
    -------
    Tensor
        Shape ``(dim, dim)``, symmetric.

    Examples
    --------
    >>> lorentz_boost(2, 0.0)
    tensor([[1., 0.],
            [0., 1.]], dtype=torch.float64)
    """
    dim = check_int("dim", dim, 2)
    boost = torch.eye(dim, dtype=torch.float64)
    boost[0, 0] = boost[1, 1] = math.cosh(rapidity)
    boost[0, 1] = boost[1, 0] = math.sinh(rapidity)
    return boost.to(dtype)


def householder(vector: Tensor) -> Tensor:
    r"""The reflection :math:`H = I - 2 v v^\top / \lVert v\rVert^2`, which sends v to -v.

    Parameters
    ----------
    vector : Tensor
        Shape ``(dim,)``, not zero. For the reflection that swaps unit vectors a and b give ``a - b``.

    Returns
    -------
    Tensor
        Shape ``(dim, dim)``, symmetric and orthogonal; dtype of ``vector``.

    Examples
    --------
    >>> householder(torch.tensor([1.0, -1.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    if vector.dim() != 1 or not vector.any():
        raise ValueError(f"vector of shape {tuple(vector.shape)} and norm {vector.norm():.3g}; use one non-zero vector")
    unit = vector / vector.abs().max()
    return torch.eye(len(vector), dtype=vector.dtype, device=vector.device) - 2 * torch.outer(unit, unit) / (
        unit @ unit
    )
