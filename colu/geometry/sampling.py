"""Uniform samples: orthogonal matrices, spheres."""

import torch
from torch import Tensor

from colu.checks import check_int


def sample_orthogonal(
    dim: int,
    *,
    num: int | None = None,
    special: bool = False,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    r"""Orthogonal matrices, uniform in the Haar measure of :math:`O(n)`.

    QR of a Gaussian matrix, with the signs of the diagonal of R moved into Q.

    Parameters
    ----------
    dim : int
        n >= 0.
    num : int, optional
        How many; None gives one without a batch dimension.
    special : bool
        Rotations only: determinant 1.
    generator : torch.Generator, optional
        Source of randomness; None is torch's global one.
    dtype : torch.dtype
        Real floating.

    Returns
    -------
    Tensor
        Shape ``(dim, dim)`` or ``(num, dim, dim)``.

    References
    ----------
    Mezzadri, "How to generate random matrices from the classical compact groups",
    Notices of the AMS 54 (2007).

    Examples
    --------
    >>> q = sample_orthogonal(3, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(q @ q.T, torch.eye(3, dtype=q.dtype))
    True
    """
    dim = check_int("dim", dim, 0)
    num = num if num is None else check_int("num", num, 0)
    if special and dim == 0:
        raise ValueError("special=True needs dim >= 1")
    shape = (dim, dim) if num is None else (num, dim, dim)
    q, r = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64))
    q = q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).unsqueeze(-2)
    if special:
        # Flipping one column maps the determinant -1 half onto the other and keeps the measure.
        flip = torch.linalg.det(q).sign()[..., None, None]
        q = torch.cat([q[..., :1] * flip, q[..., 1:]], -1)
    return q.to(dtype)


def sample_sphere(
    dim: int, num: int, *, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Unit vectors, uniform on the sphere in ``dim`` dimensions; shape ``(num, dim)``.

    Examples
    --------
    >>> sample_sphere(3, 2, generator=torch.Generator().manual_seed(0)).norm(dim=-1)
    tensor([1., 1.], dtype=torch.float64)
    """
    dim, num = check_int("dim", dim, 1), check_int("num", num, 0)
    x = torch.randn(num, dim, generator=generator, dtype=torch.float64)
    return (x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)).to(dtype)
