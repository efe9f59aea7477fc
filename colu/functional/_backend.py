"""The one place where the mathematics asks for a faster way to compute itself."""

import functools
import importlib

import torch
from torch import Tensor

from colu.checks import check_choice

BACKENDS = ("reference", "fused", "blocked", "triton")


@functools.cache
def _kernels():
    # By name and at first use: this layer stands below the kernels and works without them.
    return importlib.import_module("colu.kernels.dispatch")


def accelerated(
    x: Tensor,
    backend,
    name: str,
    channel: int,
    groups: int,
    size: int,
    lacking: str | None,
    scaling: str = "hard",
    share_axis: bool = False,
    layout: str = "blocks",
    angle: float | None = None,
    eps: float = 0.0,
    axis: str = "homogeneous",
    leak: float = 0.0,
):
    """Return the result of a faster path, or None where the reference is to be computed.

    ``lacking`` says which option only the reference has.
    A callable ``backend`` gets the request instead; :func:`colu.kernels.explain` uses this.
    """
    if backend == "reference":
        return None
    if isinstance(backend, str):
        check_choice("backend", backend, BACKENDS)
    if torch.compiler.is_compiling():
        if backend is None and (lacking or x.device.type != "cpu" or torch.compiler.is_exporting()):
            return None
        last = channel == x.dim() - 1 or (x.stride(channel) == 1 and not x.is_contiguous())
        if not _opaque(backend, x.dtype, name, size, share_axis, last, lacking):
            return None
        return torch.ops.colu.conic(x, name, channel, groups, size, scaling, share_axis, layout, angle, eps, axis, leak)
    options = (scaling, share_axis, layout, angle, eps, axis, leak)
    if backend is not None and not isinstance(backend, str):
        return backend(x, lacking, name, channel, groups, size, *options)
    return _kernels().dispatch(x, backend, lacking, name, channel, groups, size, *options)


def _opaque(backend, *case) -> bool:
    """Whether a compiled graph calls the C kernel as an operator; asked once, while tracing."""
    return _kernels().opaque(backend, *case)


# What torch.compiler.assume_constant_result sets; that function itself would import the compiler here.
_opaque._dynamo_marked_constant = True
