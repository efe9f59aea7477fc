"""Checks of arguments: each error names the value, what was wanted, and the fix."""

import operator
from numbers import Real

import numpy as np
import torch
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


def as_int(value) -> int | None:
    """A Python integer from an integer of any library, a tensor of one too; None for all else, booleans included."""
    # First, since a compiler looks in here.
    if type(value) is int:
        return value
    if isinstance(value, bool) or (isinstance(value, Tensor) and value.dtype is torch.bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_number(value) -> int | float | None:
    """A Python number from a real number of any library, a constant tensor of no dimension too; None for all else."""
    if type(value) is float:
        return value
    if (whole := as_int(value)) is not None:
        return whole
    if isinstance(value, bool):
        return None
    if isinstance(value, Tensor):
        plain = value.dim() == 0 and value.is_floating_point() and not value.requires_grad
        return value.item() if plain else None
    if isinstance(value, Real) or (isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind == "f"):
        return float(value)
    return None


def check_axis(channel_dim) -> int:
    """Return ``channel_dim`` as a Python integer; raise ``ValueError`` unless it is one."""
    number = as_int(channel_dim)
    if number is None:
        raise ValueError(f"channel_dim={channel_dim!r} is no axis; use an integer, such as 1 or -1")
    return number


def check_int(name: str, value, minimum: int) -> int:
    """Return ``value`` as a Python integer; raise ``ValueError`` unless it is one of at least ``minimum``."""
    number = as_int(value)
    if number is None or number < minimum:
        raise ValueError(f"{name}={value!r} is out of range; use an integer >= {minimum}")
    return number


def settle_ints(instance, **minima: int) -> None:
    """:func:`check_int` for fields of a frozen dataclass, each given with its minimum."""
    for name, minimum in minima.items():
        object.__setattr__(instance, name, check_int(name, getattr(instance, name), minimum))


def check_number(
    name: str,
    value,
    wanted: str,
    *,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
) -> int | float:
    """Return ``value`` as a Python number; raise ``ValueError`` unless it is one within the bounds, and not NaN.

    Parameters
    ----------
    wanted : str
        The end of the message, such as ``"use a number > 0"``.
    gt, ge, lt, le : float, optional
        What it is greater than, at least, less than, at most.
    """
    number = as_number(value)
    if (
        number is None
        or number != number
        or (gt is not None and not number > gt)
        or (ge is not None and not number >= ge)
        or (lt is not None and not number < lt)
        or (le is not None and not number <= le)
    ):
        raise ValueError(f"{name}={value!r} is out of range; {wanted}")
    return number


def check_channel_dim(x: Tensor, channel_dim: int) -> int:
    """Return ``channel_dim`` counted from the front."""
    return channel_index(x.shape, channel_dim)


def channel_index(shape: tuple, channel_dim: int) -> int:
    """Return ``channel_dim`` counted from the front, for a tensor of ``shape``."""
    rank, place = len(shape), as_int(channel_dim)
    if place is None or not -rank <= place < rank:
        raise ValueError(
            f"channel_dim={channel_dim!r} does not exist in a tensor of shape {tuple(shape)}; "
            f"use an integer from {-rank} to {rank - 1}"
        )
    return place % rank
