"""Activations that keep norms: CReLU, sorting, reflections."""

__all__ = ["crelu", "group_sort", "householder_activation"]

import math

import torch
from torch import Tensor

from colu.channels import taken
from colu.checks import check_channel_dim, check_choice, check_floating, check_int


def crelu(x: Tensor, *, channel_dim: int = 1) -> Tensor:
    r"""CReLU: the positive and the negative part side by side.

    .. math:: f(x) = (\max(x, 0), \max(-x, 0))

    The norm is kept and the first half minus the second gives ``x`` back.

    Parameters
    ----------
    x : Tensor
        ``(..., C, ...)``, floating.
    channel_dim : int
        Position of the channels.

    Returns
    -------
    Tensor
        ``2 C`` channels.

    References
    ----------
    Shang et al., Understanding and Improving Convolutional Neural Networks via Concatenated Rectified Linear Units,
    ICML 2016, arXiv 1603.05201.

    Examples
    --------
    >>> crelu(torch.tensor([[-1.0, 2.0]]))
    tensor([[0., 2., 1., 0.]])
    """
    check_floating(x, "crelu")
    return torch.relu(torch.cat([x, -x], check_channel_dim(x, channel_dim)))


def group_sort(x: Tensor, group_size: int = 2, *, channel_dim: int = 1) -> Tensor:
    r"""GroupSort: every group of neighbouring channels in falling order; MaxMin for groups of two.

    .. math:: f(x_1, \dots, x_k) &= (x_{(1)}, \dots, x_{(k)}), \\
              x_{(1)} &\ge \dots \ge x_{(k)}

    The Jacobian is a permutation almost everywhere: norms are kept, and so are norms of gradients.

    Parameters
    ----------
    x : Tensor
        ``(..., C, ...)``, floating.
    group_size : int
        ``k``; must divide ``C``.
    channel_dim : int
        Position of the channels.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        Channels that are no multiple of ``group_size``.

    References
    ----------
    Anil, Lucas and Grosse, Sorting Out Lipschitz Function Approximation, ICML 2019, arXiv 1811.05381 (rising order).
    In their code, LNets, ``GroupSort(num_units)`` is told the number of groups and sorts upwards, and ``MaxMin`` has
    all maxima before all minima; that of the SOC code makes its pairs from two halves.

    Examples
    --------
    >>> group_sort(torch.tensor([[1.0, 3.0, 5.0, 2.0]]))
    tensor([[3., 1., 5., 2.]])
    """
    check_floating(x, "group_sort")
    group_size = check_int("group_size", group_size, 1)
    c = check_channel_dim(x, channel_dim)
    if x.shape[c] % group_size:
        below = x.shape[c] // group_size * group_size
        near = " and ".join(str(size) for size in (below, below + group_size) if size)
        raise ValueError(
            f"{x.shape[c]} channels are no multiple of group_size={group_size}; nearest: {near}{taken(x.shape, c)}"
        )
    groups = x.unflatten(c, (-1, group_size))
    if group_size == 2:
        first, second = groups.unbind(c + 1)
        return torch.stack([torch.maximum(first, second), torch.minimum(first, second)], c + 1).flatten(c, c + 1)
    return groups.sort(c + 1, descending=True).values.flatten(c, c + 1)


def householder_activation(
    x: Tensor, angle: float | Tensor = math.pi / 2, *, pairing: str = "neighbours", channel_dim: int = 1
) -> Tensor:
    r"""Householder activation: reflect a pair of channels across a line if it lies on its negative side.

    .. math:: f(z) &= \begin{cases} z & z_1 \sin\tfrac\theta2 > z_2 \cos\tfrac\theta2 \\
              R\,z & \text{otherwise,} \end{cases} \\
              R &= \begin{pmatrix} \cos\theta & \sin\theta \\ \sin\theta & -\cos\theta \end{pmatrix}

    At :math:`\theta = \pi/2` this is (max, min).
    The authors' code keeps the *other* side, where :math:`z_1 \sin\tfrac\theta2 - z_2 \cos\tfrac\theta2 \le 0`, and
    at :math:`\pi/2` gives (min, max): its angle :math:`\theta` is :math:`\theta + 2\pi` here.

    Parameters
    ----------
    x : Tensor
        ``(..., C, ...)`` with even ``C``, floating.
    angle : float or Tensor
        :math:`\theta` in radians; a number or ``(C / 2,)``.
    pairing : {"neighbours", "halves"}
        Which channels make a pair; the authors' code takes one from each half.
    channel_dim : int
        Position of the channels.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        An odd number of channels, or angles of another number.

    References
    ----------
    Singla, Singla and Feizi, Improved deterministic l2 robustness on CIFAR-10 and CIFAR-100, ICLR 2022,
    arXiv 2108.04062; the form is a code audit of the SOC repository.

    Examples
    --------
    >>> householder_activation(torch.tensor([[1.0, 3.0, 5.0, 2.0]])).round(decimals=4)
    tensor([[3., 1., 5., 2.]])
    """
    check_floating(x, "householder_activation")
    check_choice("pairing", pairing, ("neighbours", "halves"))
    c = check_channel_dim(x, channel_dim)
    if x.shape[c] % 2:
        raise ValueError(f"{x.shape[c]} channels do not make pairs; use an even number{taken(x.shape, c)}")
    pairs = x.unflatten(c, (-1, 2) if pairing == "neighbours" else (2, -1))
    inner = c + 1 if pairing == "neighbours" else c
    first, second = pairs.unbind(inner)
    angle = torch.as_tensor(angle, dtype=x.dtype, device=x.device)
    if angle.dim() and angle.shape != (x.shape[c] // 2,):
        raise ValueError(
            f"angle has shape {tuple(angle.shape)}, the {x.shape[c] // 2} pairs want one each{taken(x.shape, c)}"
        )
    if angle.dim():
        angle = angle.view(-1, *[1] * (x.dim() - c - 1))
    keep = first * torch.sin(angle / 2) - second * torch.cos(angle / 2) > 0
    cos, sin = torch.cos(angle), torch.sin(angle)
    y = torch.where(keep, first, cos * first + sin * second), torch.where(keep, second, sin * first - cos * second)
    return torch.stack(y, inner).flatten(c, c + 1)
