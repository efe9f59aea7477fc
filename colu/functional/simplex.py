"""Maps onto the simplex of probabilities: sparsemax; softmax is torch's."""

__all__ = ["sparsemax"]

import torch
from torch import Tensor

from colu.blocks import working
from colu.checks import check_channel_dim, check_floating


def sparsemax(x: Tensor, *, channel_dim: int = 1) -> Tensor:
    r"""Sparsemax: the nearest point of the simplex, which may have zeros.

    .. math:: f(x) &= \arg\min_{p \ge 0,\ \sum_c p_c = 1} \lVert p - x\rVert_2 \\
              &= \max(x - \tau(x), 0)

    Parameters
    ----------
    x : Tensor
        ``(..., C, ...)``, floating.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``, entries along the channels from 0 to 1 with sum 1.

    Notes
    -----
    A sort of the channels, O(C log C); half types are computed in float32.
    The Jacobian is the centring of the entries that are not 0, so the map is a nearest-point projection with Lipschitz
    constant 1, where softmax has 1/2.

    References
    ----------
    Martins and Astudillo, From Softmax to Sparsemax, ICML 2016, arXiv 1602.02068, algorithm 1.

    Examples
    --------
    >>> sparsemax(torch.tensor([[0.5, 0.25, -3.0]]))
    tensor([[0.6250, 0.3750, 0.0000]])
    """
    check_floating(x, "sparsemax")
    place = check_channel_dim(x, channel_dim)
    if not x.numel():
        return x
    # Moved to a maximum of 0, which changes nothing: sums of large entries would lose the 1.
    wide = working(x)
    wide = wide - wide.detach().amax(place, keepdim=True)
    ordered = wide.sort(place, descending=True).values
    total = ordered.cumsum(place) - 1
    count = torch.arange(1, x.shape[place] + 1, dtype=wide.dtype, device=x.device)
    count = count.view(-1, *[1] * (x.dim() - 1 - place))
    last = (count * ordered > total).sum(place, keepdim=True) - 1
    threshold = total.gather(place, last) / (last + 1)
    return torch.relu(wide - threshold).to(x.dtype)
