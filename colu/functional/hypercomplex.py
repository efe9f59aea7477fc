"""Weights as sums of Kronecker products: parametrised hypercomplex multiplication."""

__all__ = ["phm_weight", "quaternion_algebra"]

import torch
from torch import Tensor


def phm_weight(algebra: Tensor, factors: Tensor) -> Tensor:
    r"""The matrix of a parametrised hypercomplex multiplication.

    .. math:: W = \sum_{i=1}^{n} A_i \otimes F_i

    Parameters
    ----------
    algebra : Tensor
        :math:`A`, ``(n, n, n)``.
    factors : Tensor
        :math:`F`, ``(n, k, d)``.

    Returns
    -------
    Tensor
        ``(n k, n d)``; feature ``j`` of the output is component ``j // k``.

    Raises
    ------
    ValueError
        Shapes that do not fit.

    References
    ----------
    Zhang et al., Beyond Fully-Connected Layers with Quaternions, ICLR 2021, arXiv 2102.08597.

    Examples
    --------
    >>> phm_weight(torch.eye(2).expand(2, 2, 2), torch.ones(2, 1, 1))
    tensor([[2., 0.],
            [0., 2.]])
    """
    n = len(algebra)
    if algebra.shape != (n, n, n) or factors.dim() != 3 or len(factors) != n:
        raise ValueError(
            f"algebra has shape {tuple(algebra.shape)} and factors {tuple(factors.shape)}; "
            "wanted (n, n, n) and (n, k, d)"
        )
    return torch.einsum("iab,ikd->akbd", algebra, factors).flatten(0, 1).flatten(1)


def quaternion_algebra(dtype: torch.dtype | None = None) -> Tensor:
    r"""Matrices of the left products by 1, i, j, k, with which ``n = 4`` is the Hamilton product.

    Returns
    -------
    Tensor
        ``(4, 4, 4)``: :math:`A_i q` is the product of the ``i``-th unit and the quaternion :math:`q`.

    Examples
    --------
    >>> i, j, k = quaternion_algebra()[1:]
    >>> torch.equal(i @ j, k) and torch.equal(i @ i, -torch.eye(4))
    True
    """
    one = torch.eye(4)
    i = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
    j = torch.tensor([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
    return torch.stack([one, i, j, i @ j]).to(dtype or torch.get_default_dtype())
