"""Checks of arguments: each error names the value, what was wanted, and the fix."""

from torch import Tensor


def check_choice(name: str, value, choices: tuple) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        wanted = ", ".join(map(repr, choices))
        raise ValueError(f"{name}={value!r} is unknown; use one of {wanted}")


def check_floating(x: Tensor, name: str) -> None:
    """Raise ``ValueError`` unless ``x`` is a real floating tensor."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} wants a torch.Tensor, got {type(x).__name__}; convert with torch.as_tensor")
    if not x.is_floating_point():
        raise ValueError(f"{name} wants a real floating dtype, got {x.dtype}; convert with x.float()")


def check_int(name: str, value, minimum: int) -> None:
    """Raise ``ValueError`` unless ``value`` is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{name}={value!r} is out of range; use an integer >= {minimum}")


def check_channel_dim(x: Tensor, channel_dim: int) -> int:
    """Return ``channel_dim`` counted from the front."""
    return channel_index(x.shape, channel_dim)


def channel_index(shape: tuple, channel_dim: int) -> int:
    """Return ``channel_dim`` counted from the front, for a tensor of ``shape``."""
    rank = len(shape)
    if isinstance(channel_dim, bool) or not isinstance(channel_dim, int) or not -rank <= channel_dim < rank:
        raise ValueError(
            f"channel_dim={channel_dim!r} does not exist in a tensor of shape {tuple(shape)}; "
            f"use an integer from {-rank} to {rank - 1}"
        )
    return channel_dim % rank
