"""Where the channels are: parameters with one number for each, checks, and means over all else."""

import torch
from torch import Tensor

from colu.checks import channel_index


def per_channel(parameter: float | Tensor, x: Tensor, name: str, channel_dim: int = 1) -> float | Tensor:
    """Shape a parameter for broadcasting with ``x``, whose channels are on ``channel_dim``.

    Numbers and 0-d tensors stay, ``(C,)`` becomes ``(C, 1, ...)``, tensors of more dimensions stay.

    Raises
    ------
    ValueError
        ``(C,)`` where ``x`` has no dimension ``channel_dim`` of length ``C``.

    Examples
    --------
    >>> import torch
    >>> per_channel(torch.ones(3), torch.ones(2, 3, 4, 4), "p").shape
    torch.Size([3, 1, 1])
    >>> per_channel(torch.ones(3), torch.ones(2, 5, 3), "p", channel_dim=-1).shape
    torch.Size([3])
    """
    if not isinstance(parameter, Tensor) or parameter.dim() != 1:
        return parameter
    place = check_channels(x, len(parameter), name, channel_dim)
    return parameter.view(-1, *[1] * (x.dim() - 1 - place))


def check_channels(x: Tensor, num_channels: int, name: str, channel_dim: int = 1) -> int:
    """Return ``channel_dim`` counted from the front; raise ``ValueError`` unless ``x`` has ``num_channels`` there."""
    rank = x.dim()
    if not -rank <= channel_dim < rank or x.shape[channel_dim] != num_channels:
        raise ValueError(
            f"{name} is for {num_channels} channels in dimension {channel_dim}, the input has shape {tuple(x.shape)}; "
            f"{_way_out(x.shape, num_channels, channel_dim)}"
        )
    return channel_dim % rank


def check_multiple(x: Tensor, divisor: int, name: str, channel_dim: int = 1) -> int:
    """Return ``channel_dim`` counted from the front; raise ``ValueError`` unless ``divisor`` divides the channels.

    Examples
    --------
    >>> check_multiple(torch.ones(2, 5, 8), 4, "num_groups", -1)
    2
    """
    place = channel_index(x.shape, channel_dim)
    if x.shape[place] % divisor:
        raise ValueError(
            f"{name}={divisor} does not divide the {x.shape[place]} channels; use a divisor{taken(x.shape, place)}"
        )
    return place


def _way_out(shape: torch.Size, num_channels: int, channel_dim: int) -> str:
    if len(shape) > 1 and channel_dim != -1 and shape[-1] == num_channels:
        return "channel_dim=-1 takes the last dimension, which has as many"
    return "give num_channels of the input, or channel_dim=-1 where the channels come last, as in (N, T, C)"


def taken(shape: torch.Size, place: int) -> str:
    """What an error about the channels adds: which dimension was taken for them, and how to take the last.

    Examples
    --------
    >>> taken((2, 197, 192), 1).partition(";")[0]
    '. Dimension 1 of (2, 197, 192) was taken for the channels'
    >>> taken((2, 7), 1)
    ''
    """
    if len(shape) < 3 or place == len(shape) - 1:
        return ""
    return (
        f". Dimension {place} of {tuple(shape)} was taken for the channels; "
        "where they come last, as in (N, T, C), give channel_dim=-1"
    )


def check_samples(x: Tensor, num_channels: int, name: str, channel_dim: int = 1) -> int:
    """As :func:`check_channels`, for what pools over the positions of each sample, so that dimension 0 is theirs."""
    place = check_channels(x, num_channels, name, channel_dim)
    if place == 0:
        raise ValueError(f"channel_dim={channel_dim} is that of the samples; {name} wants (N, C, ...) or (N, ..., C)")
    return place


def check_image(x: Tensor, num_channels: int, name: str, channel_dim: int = 1) -> int:
    """As :func:`check_channels`, and ``x`` must be ``(N, C, H, W)`` or ``(N, H, W, C)``."""
    if x.dim() != 4:
        raise ValueError(
            f"{name} is for {num_channels} channels of an image, (N, C, H, W), or (N, H, W, C) with channel_dim=-1: "
            f"it mixes neighbouring pixels; the input has shape {tuple(x.shape)}"
        )
    return check_samples(x, num_channels, name, channel_dim)


def positions(x: Tensor, place: int) -> list[int]:
    """The dimensions that are neither the samples, 0, nor the channels.

    Examples
    --------
    >>> positions(torch.ones(2, 3, 4, 5), 1), positions(torch.ones(2, 5, 3), 2), positions(torch.ones(2, 3), 1)
    ([2, 3], [1], [])
    """
    return [d for d in range(1, x.dim()) if d != place]


def channel_mean(x: Tensor, channel_dim: int = 1) -> Tensor:
    """Mean over positions: ``(N, C, ...)`` to ``(N, C)``."""
    over = positions(x, channel_index(x.shape, channel_dim))
    return x.mean(over) if over else x


def along_channels(values: Tensor, x: Tensor, channel_dim: int = 1) -> Tensor:
    """Shape ``(N, C)`` or ``(N, 1)`` for broadcasting with ``x``, whose channels are on ``channel_dim``."""
    place, (samples, channels) = channel_index(x.shape, channel_dim), values.shape
    return values.reshape(samples, *[1] * (place - 1), channels, *[1] * (x.dim() - 1 - place))


def channels_second(x: Tensor, channel_dim: int) -> Tensor:
    """A view with the channels on dimension 1, where torch's own layers want them."""
    return x if channel_dim == 1 else x.movedim(channel_dim, 1)


def channels_back(x: Tensor, channel_dim: int) -> Tensor:
    """Undo :func:`channels_second`."""
    return x if channel_dim == 1 else x.movedim(1, channel_dim)


def safe_norm(x: Tensor, dim: int) -> Tensor:
    """Euclidean norm over ``dim``, kept, whose squares neither over- nor underflow."""
    # The scale cancels, so its gradient would too.
    scale = x.detach().abs().amax(dim, keepdim=True).clamp(torch.finfo(x.dtype).tiny, torch.finfo(x.dtype).max)
    return torch.linalg.vector_norm(x / scale, dim=dim, keepdim=True) * scale
