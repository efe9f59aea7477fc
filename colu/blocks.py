"""Cones as blocks of channels: checks, layouts, splitting and joining.

A tensor with ``C`` channels holds ``G`` cones of dimension ``S``.
Each cone has one axis channel and ``S - 1`` section channels.
"""

import torch
from torch import Tensor

from .channels import taken
from .checks import check_channel_dim, check_int

LAYOUTS = ("blocks", "axes_first")


def count_groups(
    channels: int, dim: int | None, num_groups: int | None, share_axis: bool = False, default_dim: int = 4
) -> tuple[int, int]:
    """Return ``(G, S)`` for ``channels`` from ``dim`` or ``num_groups``, or raise.

    With a shared axis ``C = 1 + G (S - 1)``, otherwise ``C = G S``.
    ``num_groups=0`` gives ``(0, 1)``: the identity.
    """
    if num_groups is not None:
        num_groups = check_int("num_groups", num_groups, 0)
    if dim is not None:
        dim = check_int("dim", dim, 2 if share_axis else 1)
    if num_groups == 0:
        return 0, 1
    if num_groups is None:
        dim = default_dim if dim is None else dim
        dim = check_int("dim", dim, 2 if share_axis else 1)
        step, rest = (dim - 1, channels - 1) if share_axis else (dim, channels)
        if rest % step or rest < 0:
            raise ValueError(_size_message(channels, step, share_axis, f"dim={dim}"))
        return rest // step, dim
    rest = channels - 1 if share_axis else channels
    if rest < 0 or rest % num_groups or (share_axis and rest == 0):
        raise ValueError(_size_message(channels, num_groups, share_axis, f"num_groups={num_groups}"))
    size = rest // num_groups + share_axis
    if dim is not None and dim != size:
        raise ValueError(
            f"dim={dim} and num_groups={num_groups} do not fit {channels} channels; "
            f"give only one of them, or dim={size}"
        )
    return num_groups, size


def groups_of(
    shape: tuple, place: int, dim: int | None, num_groups: int | None, share_axis: bool = False, default_dim: int = 4
) -> tuple[int, int]:
    """:func:`count_groups` of a tensor's channels, whose error says which dimension was taken for them."""
    try:
        return count_groups(shape[place], dim, num_groups, share_axis, default_dim)
    except ValueError as error:
        raise ValueError(f"{error}{taken(shape, place)}") from None


def _size_message(channels: int, step: int, share_axis: bool, given: str) -> str:
    offset = int(share_axis)
    below = offset + (channels - offset) // step * step
    near = [size for size in (below, below + step) if size > offset]
    rule = "1 + G (S - 1) with a shared axis" if share_axis else "a multiple"
    return (
        f"{channels} channels do not fit {given}: wanted {rule}; "
        f"nearest sizes that work: {' and '.join(map(str, near))}"
    )


def split(x: Tensor, c: int, groups: int, size: int, share_axis: bool, layout: str) -> tuple[Tensor, Tensor]:
    """Split channels at ``c`` into axis ``(.., G or 1, 1, ..)`` and section ``(.., G, S-1, ..)``."""
    if share_axis:
        axis = x.narrow(c, 0, 1).unsqueeze(c + 1)
        return axis, x.narrow(c, 1, groups * (size - 1)).unflatten(c, (groups, size - 1))
    if layout == "axes_first":
        axis = x.narrow(c, 0, groups).unsqueeze(c + 1)
        return axis, x.narrow(c, groups, groups * (size - 1)).unflatten(c, (groups, size - 1))
    blocks = x.unflatten(c, (groups, size))
    return blocks.narrow(c + 1, 0, 1), blocks.narrow(c + 1, 1, size - 1)


def join(axis: Tensor, section: Tensor, c: int, share_axis: bool, layout: str) -> Tensor:
    """Undo :func:`split`."""
    if share_axis or layout == "axes_first":
        return torch.cat([axis.squeeze(c + 1), section.flatten(c, c + 1)], c)
    return torch.cat([axis, section], c + 1).flatten(c, c + 1)


def channels_are_innermost(x: Tensor, c: int) -> bool:
    """Whether memory is channels-last, so that working on the last dimension keeps it so."""
    return c != x.dim() - 1 and x.stride(c) == 1 and not x.is_contiguous()


def blocks_to_axes_first(x: Tensor, *, dim: int | None = None, num_groups: int | None = None, channel_dim: int = 1):
    r"""Reorder channels from contiguous cones to all axes first, then all sections.

    .. math:: & (a_1, s_1, a_2, s_2, \dots) \\
              & \quad \mapsto (a_1, a_2, \dots, s_1, s_2, \dots)

    Parameters
    ----------
    x : Tensor
        Shape ``(..., C, ...)`` with ``C = G S``; any dtype.
    dim, num_groups : int, optional
        Channels of a cone ``S``, or number of cones ``G``; ``dim=4`` if neither is given.
    channel_dim : int
        Position of the channels; negative counts from the end.

    Returns
    -------
    Tensor
        Same shape, channels permuted.

    Raises
    ------
    ValueError
        Channels that do not fit; the message names the nearest sizes.

    Examples
    --------
    >>> import torch
    >>> blocks_to_axes_first(torch.arange(6)[None], dim=3)
    tensor([[0, 3, 1, 2, 4, 5]])
    """
    return _relayout(x, dim, num_groups, channel_dim, "blocks", "axes_first")


def axes_first_to_blocks(x: Tensor, *, dim: int | None = None, num_groups: int | None = None, channel_dim: int = 1):
    """Reorder channels from all axes first to contiguous cones.

    The inverse of :func:`blocks_to_axes_first`, with the same parameters.

    Examples
    --------
    >>> import torch
    >>> axes_first_to_blocks(torch.tensor([[0, 3, 1, 2, 4, 5]]), dim=3)
    tensor([[0, 1, 2, 3, 4, 5]])
    """
    return _relayout(x, dim, num_groups, channel_dim, "axes_first", "blocks")


def _relayout(x, dim, num_groups, channel_dim, source, target):
    c = check_channel_dim(x, channel_dim)
    groups, size = groups_of(x.shape, c, dim, num_groups)
    if groups == 0:
        return x
    return join(*split(x, c, groups, size, False, source), c, False, target)


def working(x: Tensor) -> Tensor:
    """Half types in float32, everything else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
