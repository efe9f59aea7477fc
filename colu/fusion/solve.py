"""The two problems that a matching comes down to: the nearest orthogonal matrix, and the best assignment."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["assign", "polar"]


def polar(matrices: Tensor, rank_tol: float = 1e-12) -> Tensor:
    r"""Orthogonal polar factors: the maximisers of :math:`\langle R, M\rangle` over :math:`O(n)`.

    .. math:: M = U \Sigma V^\top \Rightarrow R = U V^\top

    A reflection is returned where it is the best.
    For a singular M the maximiser is not unique: the one nearest to the identity is returned.

    Parameters
    ----------
    matrices : Tensor
        Shape ``(..., n, n)``, float64.
    rank_tol : float
        Singular values below this share of the largest count as zero.

    Returns
    -------
    Tensor
        Shape ``(..., n, n)``, orthogonal.

    Examples
    --------
    >>> polar(torch.diag(torch.tensor([2.0, -3.0, 0.0], dtype=torch.float64))).diagonal()
    tensor([ 1., -1.,  1.], dtype=torch.float64)
    """
    if matrices.shape[-1] == 0:
        return matrices
    u, values, vh = torch.linalg.svd(matrices)
    result = u @ vh
    singular = values[..., -1] <= rank_tol * values[..., 0]
    for index in singular.nonzero():
        i = tuple(index.tolist())
        rank = int((values[i] > rank_tol * values[i][0]).sum()) if values[i][0] > 0 else 0
        u0, v0 = u[i][:, rank:], vh[i][rank:].mT
        left, _, right = torch.linalg.svd(u0.mT @ v0)
        result[i] = u[i][:, :rank] @ vh[i][:rank] + u0 @ left @ right @ v0.mT
    return result


def assign(gain: Tensor, blocks: int = 1) -> Tensor:
    r"""The permutation :math:`\pi` that maximises :math:`\sum_i \mathrm{gain}_{i\pi(i)}`, by SciPy.

    Parameters
    ----------
    gain : Tensor
        Shape ``(..., G, G)``, a problem each; finite.
    blocks : int
        Move only inside each of this many equal blocks.

    Returns
    -------
    Tensor
        Shape ``(..., G)``, integers. Among ties, units that stay are preferred.

    Raises
    ------
    ValueError
        For gains that are not finite.

    Examples
    --------
    >>> assign(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    tensor([1, 0])
    """
    from scipy.optimize import linear_sum_assignment

    if not torch.isfinite(gain).all():
        raise ValueError("gains hold NaN or infinity; check the weights and the samples")
    # Costs in one copy of the gains: SciPy makes another where it is to maximise.
    table = gain.detach().to("cpu", torch.float64, copy=True, memory_format=torch.contiguous_format)
    count = table.shape[-1]
    if not table.numel():
        return torch.zeros(table.shape[:-1], dtype=torch.long)
    # Far below any meaningful difference: it only decides between equal gains, such as those of dead units.
    scale = torch.maximum(table.amax((-2, -1)), -table.amin((-2, -1))).clamp_min(1e-300)
    table.diagonal(dim1=-2, dim2=-1).add_(1e-13 * scale[..., None])
    table.neg_()
    step = count // blocks
    found = torch.empty(table.shape[:-1], dtype=torch.long).view(-1, count)
    for order, costs in zip(found.numpy(), table.view(-1, count, count).numpy(), strict=True):
        for k in range(0, count, step):
            order[k : k + step] = linear_sum_assignment(costs[k : k + step, k : k + step])[1] + k
    return found.view(table.shape[:-1])
