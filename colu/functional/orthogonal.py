"""Orthogonal matrices from free parameters, and how far a convolution is from an isometry."""

__all__ = ["gram_schmidt_rotation", "householder_product", "orthogonal_convolution_penalty"]

import torch
from torch import Tensor, nn

from colu.checks import check_int


def householder_product(vectors: Tensor) -> Tensor:
    r"""Product of reflections, in one triangular solve.

    .. math:: Q = H_1 \cdots H_k, \quad H_i = I - 2 \frac{v_i v_i^\top}{\|v_i\|^2}

    Its determinant is :math:`(-1)^k`.

    Parameters
    ----------
    vectors : Tensor
        ``(..., k, d)``, one vector a row, none of them 0.

    Returns
    -------
    Tensor
        ``(..., d, d)``, orthogonal.

    Notes
    -----
    Computed in the compact form :math:`Q = I - V T V^\top` with unit columns of :math:`V` and
    :math:`T^{-1} = \mathrm{triu}(V^\top V, 1) + \tfrac12 I`.

    Examples
    --------
    >>> householder_product(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[-1.,  0.],
            [ 0., -1.]])
    """
    v = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    gram = v @ v.mT
    upper = gram.triu(1) + 0.5 * torch.eye(v.shape[-2], dtype=v.dtype, device=v.device)
    return torch.eye(v.shape[-1], dtype=v.dtype, device=v.device) - v.mT @ torch.linalg.solve_triangular(
        upper, v, upper=True
    )


def gram_schmidt_rotation(vectors: Tensor) -> Tensor:
    r"""Rotation of :math:`\mathbb R^n` from :math:`n - 1` vectors; for ``n = 3`` the 6-D representation.

    The rows are made orthonormal in their order by Gram and Schmidt, and the last is their cross product.
    Unlike Euler angles or quaternions it has a continuous right inverse: a rotation's own first rows.

    Parameters
    ----------
    vectors : Tensor
        ``(..., n - 1, n)`` with independent rows.

    Returns
    -------
    Tensor
        ``(..., n, n)`` with orthonormal rows and determinant 1.

    Raises
    ------
    ValueError
        Another shape.

    References
    ----------
    Zhou et al., On the Continuity of Rotation Representations in Neural Networks, CVPR 2019, arXiv 1812.07035
    (there the vectors are columns).

    Examples
    --------
    >>> gram_schmidt_rotation(torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0]])).abs()
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    n = vectors.shape[-1]
    if vectors.dim() < 2 or vectors.shape[-2] != n - 1 or n < 2:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; wanted (..., n - 1, n) with n >= 2")
    rows: list[Tensor] = []
    for vector in vectors.unbind(-2):
        for row in rows:
            vector = vector - (vector * row).sum(-1, keepdim=True) * row
        rows.append(vector / torch.linalg.vector_norm(vector, dim=-1, keepdim=True))
    frame = torch.stack(rows, -2)
    # The cofactors of the missing row: for n = 3 the cross product.
    kept = torch.tensor([[j for j in range(n) if j != i] for i in range(n)], device=vectors.device)
    minors = torch.linalg.det(frame[..., kept].movedim(-2, -3))
    sign = torch.tensor([(-1.0) ** (n - 1 + i) for i in range(n)], dtype=vectors.dtype, device=vectors.device)
    return torch.cat([frame, (sign * minors).unsqueeze(-2)], -2)


def orthogonal_convolution_penalty(weight: Tensor, stride: int = 1) -> Tensor:
    r"""Squared distance of a convolution's kernel from those that are isometries.

    .. math:: L = {} & \|\mathrm{Conv}(K, K) - I_0\|_F^2 \\
              & - \max(M - C s^2, 0)

    with the kernel convolved with itself at padding :math:`\lfloor (k - 1) / s \rfloor s` and stride ``s``, and
    :math:`I_0` the identity at the centre.
    It is 0 exactly where the convolution of ``C`` to ``M`` channels with circular padding keeps norms (if it has at
    least as many outputs as inputs), or its transpose does.

    Parameters
    ----------
    weight : Tensor
        :math:`K`, ``(M, C, k, k)``.
    stride : int
        ``s``.

    Returns
    -------
    Tensor
        A number, not negative up to rounding.

    Raises
    ------
    ValueError
        A weight of another shape.

    References
    ----------
    Wang et al., Orthogonal Convolutional Neural Networks, CVPR 2020, arXiv 1911.12207;
    Achour, Malgouyres and Mamalet, arXiv 2108.05623 (what it is 0 for, and the last term).

    Examples
    --------
    >>> orthogonal_convolution_penalty(torch.eye(2)[:, :, None, None])
    tensor(0.)
    """
    stride = check_int("stride", stride, 1)
    if weight.dim() != 4 or weight.shape[2] != weight.shape[3]:
        raise ValueError(f"weight has shape {tuple(weight.shape)}; wanted (M, C, k, k)")
    outputs, inputs, size, _ = weight.shape
    padding = (size - 1) // stride * stride
    gram = nn.functional.conv2d(weight, weight, stride=stride, padding=padding)
    centre = padding // stride
    target = torch.zeros_like(gram)
    target[:, :, centre, centre] = torch.eye(outputs, dtype=weight.dtype, device=weight.device)
    return (gram - target).square().sum() - max(outputs - inputs * stride**2, 0)
