"""Activations whose shape depends on the input: dynamic ReLU and FReLU."""

__all__ = ["dynamic_relu", "frelu", "spatial_attention"]

import functools

import torch
from torch import Tensor

from colu.channels import along_channels
from colu.checks import channel_index


def dynamic_relu(x: Tensor, slopes: Tensor, offsets: Tensor, *, channel_dim: int = 1) -> Tensor:
    r"""The maximum of K lines that differ between samples.

    .. math:: y_{n,c} = \max_{k} \left( a^k_{n,c} x_{n,c} + b^k_{n,c} \right)

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``.
    slopes, offsets : Tensor
        :math:`a, b`, shape ``(N, K, C)``, or ``(N, K, 1)`` for lines shared by the channels.
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
    Chen et al., Dynamic ReLU, ECCV 2020, arXiv 2003.10027.

    Examples
    --------
    >>> x = torch.tensor([[-2.0, 3.0]])
    >>> dynamic_relu(x, torch.tensor([[[1.0], [0.0]]]), torch.zeros(1, 2, 1))
    tensor([[0., 3.]])
    """
    fits = slopes.dim() == 3 and slopes.shape == offsets.shape and x.dim() >= 2
    channels = x.shape[channel_index(x.shape, channel_dim)] if fits else 0
    if not fits or slopes.shape[0] not in (1, x.shape[0]) or slopes.shape[2] not in (1, channels):
        raise ValueError(
            f"slopes {tuple(slopes.shape)} and offsets {tuple(offsets.shape)} do not match an input of shape "
            f"{tuple(x.shape)} with channel_dim={channel_dim}; use (N, K, C) or (N, K, 1)"
        )
    lines = (
        along_channels(a, x, channel_dim) * x + along_channels(b, x, channel_dim)
        for a, b in zip(slopes.unbind(1), offsets.unbind(1), strict=True)
    )
    return functools.reduce(torch.maximum, lines)


def frelu(x: Tensor, condition: Tensor) -> Tensor:
    r"""FReLU: the maximum of the input and a spatial condition.

    .. math:: f(x) = \max(x, T(x))

    Parameters
    ----------
    x, condition : Tensor
        The same shape.

    Returns
    -------
    Tensor

    References
    ----------
    Ma, Zhang and Sun, Funnel Activation for Visual Recognition, ECCV 2020, arXiv 2007.11824.

    Examples
    --------
    >>> frelu(torch.tensor([-1.0, 2.0]), torch.zeros(2))
    tensor([0., 2.])
    """
    return torch.maximum(x, condition)


def spatial_attention(logits: Tensor, temperature: float = 10.0, share: float = 1 / 3) -> Tensor:
    r"""The attention over pixels of DY-ReLU-C.

    .. math:: \pi &= \min(\gamma\,\mathrm{softmax}(z / \tau), 1), \\
              \gamma &= H W \cdot \text{share}

    Parameters
    ----------
    logits : Tensor
        :math:`z`, shape ``(N, 1, H, W)``.
    temperature : float
        :math:`\tau`.
    share : float
        :math:`\gamma / (H W)`, the weight of every pixel when all logits are equal.

    Returns
    -------
    Tensor
        Shape of ``logits``, in (0, 1].

    References
    ----------
    Chen et al., 2020, arXiv 2003.10027 (abstract); the form is as cited by unofficial code.

    Examples
    --------
    >>> spatial_attention(torch.zeros(1, 1, 1, 2))
    tensor([[[[0.3333, 0.3333]]]])
    """
    pixels = logits.flatten(1)
    weight = pixels.shape[1] * share * torch.softmax(pixels / temperature, 1)
    return weight.clamp(max=1).view_as(logits)
