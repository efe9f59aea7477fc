"""Bytes that a function keeps for its backward pass."""

from collections.abc import Callable

import torch
from torch import Tensor


def saved_bytes(function: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Bytes saved for backward, each piece of memory counted once.

    The input counts if it is saved, although somebody else may hold it as well.

    Parameters
    ----------
    function : callable
        From a tensor to a tensor.
    x : Tensor
        What it is called with.

    Returns
    -------
    int

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
