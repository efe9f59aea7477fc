"""Under what a run is computed: what may move its last bits on this machine, and its times."""

from __future__ import annotations

import os

__all__ = ["conditions", "shared"]


def conditions(device: str = "cpu") -> dict:
    """What may move the last bits of a run on this machine, or its times, as a record says it.

    Examples
    --------
    >>> list(conditions())
    ['kernel', 'onednn', 'matmul_precision', 'cores', 'load', 'shared', 'cpu_seconds']
    """
    import torch

    from colu.kernels import explain

    return {
        "kernel": explain(torch.zeros(64, 256, device=device), dim=4).path,
        "onednn": torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "shared": shared(device),
        "cpu_seconds": 0.0,
    }


def shared(device: str = "cpu") -> bool | None:
    """Whether others compute here too: more than a core each, or memory of the GPU that is not ours.

    None where that cannot be seen.
    """
    import torch

    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        # A context takes some hundred MB besides what PyTorch counts.
        return total - free - torch.cuda.memory_reserved() > 2**30
    if device != "cpu" or not hasattr(os, "getloadavg"):
        return None
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 0.5
