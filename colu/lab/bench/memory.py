"""Bytes that a contender keeps for its backward pass, and its peak."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["peak_bytes", "saved_bytes"]


def saved_bytes(function, x: Tensor) -> int:
    """Bytes saved for backward, each piece of memory counted once.

    The input counts if it is saved, although somebody else may hold it as well.

    Examples
    --------
    >>> x = torch.zeros(8, 4, requires_grad=True)
    >>> saved_bytes(torch.relu, x) / x.nbytes
    1.0
    """
    kept = {}

    def pack(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        # Held until the count is done, so that no address is given out twice.
        y = function(x)
        total = sum(kept.values())
    del y
    return total


def peak_bytes(step, device: str = "cpu") -> int:
    """The most memory that ``step`` holds at a time, on top of what is there before it."""
    step()
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return torch.cuda.max_memory_allocated() - before
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step()
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak
