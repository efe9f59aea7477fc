"""ACON: activations as smooth maxima of two functions."""

__all__ = ["acon", "acon_a", "acon_b", "acon_c"]

import torch
from torch import Tensor

from colu.channels import per_channel


def acon(first: Tensor, second: Tensor, beta: float | Tensor = 1.0, *, channel_dim: int = 1) -> Tensor:
    r"""The smooth maximum of two tensors.

    .. math:: & S_\beta(\eta_a, \eta_b) \\
              & \quad = (\eta_a - \eta_b)\,\sigma(\beta(\eta_a - \eta_b)) + \eta_b

    Parameters
    ----------
    first, second : Tensor
        :math:`\eta_a` and :math:`\eta_b`, shapes that broadcast.
    beta : float or Tensor
        A number, ``(C,)``, or what broadcasts.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor

    References
    ----------
    Ma, Zhang, Liu and Sun, Activate or Not, CVPR 2021, arXiv 2009.04759 (abstract); a code audit of
    github.com/nmaac/acon.

    Examples
    --------
    >>> acon(torch.tensor([2.0]), torch.tensor([1.0]), 100.0)
    tensor([2.])
    """
    gap = first - second
    return gap * torch.sigmoid(per_channel(beta, gap, "beta", channel_dim) * gap) + second


def acon_a(x: Tensor, beta: float | Tensor = 1.0, *, channel_dim: int = 1) -> Tensor:
    r"""ACON-A, the smooth form of ReLU; the same map as Swish.

    .. math:: f(x) = x\,\sigma(\beta x)

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``.
    beta : float or Tensor
        A number, ``(C,)``, or what broadcasts with ``x``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Ma et al., 2021, arXiv 2009.04759; see :func:`acon`.

    Examples
    --------
    >>> acon_a(torch.tensor([[0.0, 1.0]]), torch.tensor([1.0, 0.0]))
    tensor([[0.0000, 0.5000]])
    """
    return x * torch.sigmoid(per_channel(beta, x, "beta", channel_dim) * x)


def acon_b(x: Tensor, p: float | Tensor = 0.25, beta: float | Tensor = 1.0, *, channel_dim: int = 1) -> Tensor:
    r"""ACON-B, the smooth form of PReLU (which it becomes for :math:`\beta \to \infty` only).

    .. math:: f(x) = (1 - p)\,x\,\sigma(\beta(1 - p)x) + p x

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``.
    p, beta : float or Tensor
        A number, ``(C,)``, or what broadcasts with ``x``; ``p < 1`` for the slope on the negative side to be ``p``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Ma et al., 2021, arXiv 2009.04759; see :func:`acon`.

    Examples
    --------
    >>> acon_b(torch.tensor([[-4.0, 4.0]]), 0.25, 100.0)
    tensor([[-1.,  4.]])
    """
    return acon_c(x, 1.0, p, beta, channel_dim=channel_dim)


def acon_c(
    x: Tensor, p1: float | Tensor, p2: float | Tensor, beta: float | Tensor = 1.0, *, channel_dim: int = 1
) -> Tensor:
    r"""ACON-C, the smooth form of the maximum of two lines through the origin.

    .. math:: f(x) &= d\,\sigma(\beta d) + p_2 x, \\
              d &= (p_1 - p_2)\,x

    For :math:`\beta > 0` and :math:`p_1 > p_2` the slope tends to :math:`p_1` and :math:`p_2`, is their mean at 0,
    and overshoots: its maximum is :math:`\kappa p_1 - (\kappa - 1) p_2` with :math:`\kappa = 1.0998393` the maximum
    slope of SiLU, its minimum :math:`\kappa p_2 - (\kappa - 1) p_1`.
    The function is symmetric in :math:`p_1, p_2`, and :math:`\beta` sets only how fast the slope changes.

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``.
    p1, p2, beta : float or Tensor
        A number, ``(C,)``, or what broadcasts with ``x``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Notes
    -----
    The package torch_activation has one number of each for all channels, ``ACONC(beta, p2, p1)`` and
    ``ACONB(beta, p)``, whose ``p`` starts in [0, 1].

    References
    ----------
    Ma et al., 2021, arXiv 2009.04759; see :func:`acon`.

    Examples
    --------
    >>> acon_c(torch.tensor([[-4.0, 4.0]]), 2.0, -1.0, 100.0)
    tensor([[4., 8.]])
    """
    named = ((p1, "p1"), (p2, "p2"), (beta, "beta"))
    p1, p2, beta = (per_channel(p, x, name, channel_dim) for p, name in named)
    gap = (p1 - p2) * x
    return gap * torch.sigmoid(beta * gap) + p2 * x
