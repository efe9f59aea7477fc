"""Series activations: LSLU as published and corrected, and the depthwise series of VanillaNet."""

__all__ = ["depthwise", "fold_batch_norm", "lslu", "lslu_chain"]

import torch
from torch import Tensor
from torch.nn import functional

from colu.channels import channels_back, channels_second, check_channels, check_image, per_channel


def lslu(x: Tensor, theta: Tensor, omega: Tensor, *, channel_dim: int = 1) -> Tensor:
    r"""A sum of shifted, scaled ReLUs a channel: the corrected LSLU.

    .. math:: f(x)_c = \sum_{i=1}^{n} \theta_{i,c} \max(x_c + \omega_{i,c}, 0)

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``.
    theta, omega : Tensor
        Amplitudes and offsets, shape ``(n, C)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        Shapes that do not match.

    References
    ----------
    Our correction of the chain in the code of Feng et al., 2024, arXiv 2409.08283, see :func:`lslu_chain`.

    Examples
    --------
    >>> lslu(torch.tensor([[-1.0], [2.0]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([[0.0], [-1.0]]))
    tensor([[0.],
            [1.]])
    """
    if theta.dim() != 2 or theta.shape != omega.shape or not len(theta):
        raise ValueError(f"theta {tuple(theta.shape)} and omega {tuple(omega.shape)} do not match; use (n, C) for both")
    place = check_channels(x, theta.shape[1], "theta", channel_dim)
    return sum(
        per_channel(scale, x, "theta", place) * torch.relu(x + per_channel(offset, x, "omega", place))
        for scale, offset in zip(theta, omega, strict=True)
    )


def lslu_chain(x: Tensor, theta: Tensor, omega: Tensor) -> Tensor:
    r"""The chain that the published LSLU computes in training: nested, not a sum.

    .. math:: x &\leftarrow \theta_i \max(x, 0) + \omega_i, \ i = 1, \dots, n; \\
              f &= \max(x, 0)

    With positive :math:`\theta` it has one kink, so it is one shifted and scaled ReLU.

    Parameters
    ----------
    x : Tensor
        Any shape.
    theta, omega : Tensor
        Shape ``(n,)``: a number a step, the same for every channel.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    A code audit: ``LSLU.py`` of Feng et al., 2024, arXiv 2409.08283, whose text could not be read beyond its abstract.

    Examples
    --------
    >>> lslu_chain(torch.tensor([-1.0, 2.0]), torch.tensor([2.0, 1.0]), torch.tensor([-1.0, 0.5]))
    tensor([0.5000, 3.5000])
    """
    if theta.dim() != 1 or theta.shape != omega.shape:
        raise ValueError(f"theta {tuple(theta.shape)} and omega {tuple(omega.shape)} do not match; use (n,) for both")
    for scale, offset in zip(theta, omega, strict=True):
        x = torch.relu(x) * scale + offset
    return torch.relu(x)


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, channel_dim: int = 1) -> Tensor:
    r"""Depthwise convolution that keeps height and width.

    .. math:: y_{h,w,c} = b_c + \sum_{i,j=-n}^{n} a_{i,j,c}\, x_{h+i, w+j, c}

    Parameters
    ----------
    x : Tensor
        ``(N, C, H, W)``.
    weight : Tensor
        ``(C, 1, 2n + 1, 2n + 1)``.
    bias : Tensor, optional
        ``(C,)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        An input that is not ``(N, C, H, W)``.

    References
    ----------
    Chen, Wang, Guo and Tao, VanillaNet, 2023, arXiv 2305.12972 (abstract); a code audit, ours is the convolution alone.

    Examples
    --------
    >>> depthwise(torch.ones(1, 1, 1, 3), torch.ones(1, 1, 3, 3)).flatten()
    tensor([2., 3., 2.])
    """
    place = check_image(x, len(weight), "weight", channel_dim)
    padding = weight.shape[-1] // 2
    y = functional.conv2d(channels_second(x, place), weight, bias, padding=padding, groups=len(weight))
    return channels_back(y, place)


def fold_batch_norm(
    weight: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    r"""Weight and bias of a bias-free convolution followed by batch normalisation with fixed statistics.

    .. math:: W' = \frac{\gamma}{\sqrt{v + \epsilon}} W, \quad b' = \beta - \frac{\gamma\mu}{\sqrt{v + \epsilon}}

    Parameters
    ----------
    weight : Tensor
        ``(C, ...)``, output channels first.
    mean, var, gamma, beta : Tensor
        ``(C,)``: running statistics, scale and shift.
    eps : float
        Of the normalisation.

    Returns
    -------
    tuple of Tensor
        Weight of the same shape and bias ``(C,)``.

    Examples
    --------
    >>> one, zero = torch.ones(1), torch.zeros(1)
    >>> fold_batch_norm(torch.ones(1, 1), one, 4 * one, one, zero, 0.0)
    (tensor([[0.5000]]), tensor([-0.5000]))
    """
    scale = gamma / (var + eps).sqrt()
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), beta - mean * scale
