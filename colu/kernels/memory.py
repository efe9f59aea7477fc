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
