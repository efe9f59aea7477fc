"""The two orders of memory that the kernels know: channels innermost, or a run of positions behind each channel."""

import torch
from torch import Tensor


def fit(x: Tensor, channel: int) -> tuple[Tensor, bool]:
    """``x`` in one of the two memory orders of the kernels, and whether channels are innermost in memory."""
    if x.is_contiguous():
        return x, channel == x.dim() - 1
    if x.stride(channel) == 1 and x.movedim(channel, -1).is_contiguous():
        return x, True
    return x.contiguous(), channel == x.dim() - 1


def alike(grad: Tensor, x: Tensor) -> Tensor:
    """``grad`` in the memory order of ``x``."""
    if grad.stride() == x.stride():
        return grad
    return torch.empty_like(x).copy_(grad)


def lacking(x: Tensor) -> str | None:
    """Why a tensor that looks plain has no numbers in memory: zeros that are known, or a wrapper; None if it has.

    Raises
    ------
    ValueError
        If its storage was freed: torch itself would read what is not there.
    """
    if x.is_meta or not x.numel() or x.data_ptr():
        return None
    if x._is_zerotensor() or torch._is_functional_tensor(x):
        return "the tensor has no memory"
    raise ValueError(f"the storage of a tensor of shape {tuple(x.shape)} was freed; use it before that")


def held(x: Tensor) -> Tensor:
    """``x`` with its numbers in memory."""
    return x.clone() if lacking(x) else x
