"""Parameters a channel: one number for each entry of dimension 1."""

import torch
from torch import Tensor


def per_channel(parameter: float | Tensor, x: Tensor, name: str) -> float | Tensor:
    """Shape a parameter for broadcasting with ``x`` of shape ``(N, C, ...)``.

    Numbers and 0-d tensors stay, ``(C,)`` becomes ``(C, 1, ...)``, tensors of more dimensions stay.

    Raises
    ------
    ValueError
        ``(C,)`` where ``x`` has no dimension 1 of length ``C``.

    Examples
    --------
    >>> import torch
    >>> per_channel(torch.ones(3), torch.ones(2, 3, 4, 4), "p").shape
    torch.Size([3, 1, 1])
    """
    if not isinstance(parameter, Tensor) or parameter.dim() != 1:
        return parameter
    check_channels(x, len(parameter), name)
    return parameter.view(-1, *[1] * (x.dim() - 2))


def check_channels(x: Tensor, num_channels: int, name: str) -> None:
    """Raise ``ValueError`` unless ``x`` is ``(N, C, ...)`` with ``C = num_channels``."""
    if x.dim() < 2 or x.shape[1] != num_channels:
        raise ValueError(
            f"{name} is for {num_channels} channels in dimension 1, the input has shape {tuple(x.shape)}; "
            "give num_channels of the input, or move the channels to dimension 1"
        )


def check_image(x: Tensor, num_channels: int, name: str) -> None:
    """Raise ``ValueError`` unless ``x`` is ``(N, C, H, W)`` with ``C = num_channels``."""
    check_channels(x, num_channels, name)
    if x.dim() != 4:
        raise ValueError(f"{name} mixes neighbouring pixels and wants (N, C, H, W), got shape {tuple(x.shape)}")


def channel_mean(x: Tensor) -> Tensor:
    """Mean over positions: ``(N, C, ...)`` to ``(N, C)``."""
    return x.flatten(2).mean(2) if x.dim() > 2 else x


def along_channels(values: Tensor, x: Tensor) -> Tensor:
    """Shape ``(N, C)`` or ``(N, 1)`` for broadcasting with ``x`` of shape ``(N, C, ...)``."""
    return values.reshape(*values.shape, *[1] * (x.dim() - 2))


def safe_norm(x: Tensor, dim: int) -> Tensor:
    """Euclidean norm over ``dim``, kept, whose squares neither over- nor underflow."""
    # The scale cancels, so its gradient would too.
    scale = x.detach().abs().amax(dim, keepdim=True).clamp(torch.finfo(x.dtype).tiny, torch.finfo(x.dtype).max)
    return torch.linalg.vector_norm(x / scale, dim=dim, keepdim=True) * scale
