"""The fused path on the CPU: one pass over memory forward, one backward."""

import functools
import math

import torch
from torch import Tensor

from . import _build, reference
from .call import ConicCall
from .memory import alike, fit, held

_MAPS = {"colu": 0, "rcolu": 1, "mpu": 2}


def missing(x: Tensor, call: ConicCall) -> str | None:
    """Why this path cannot compute ``call`` on ``x``; None if it can."""
    if not x.is_cpu:
        return f"the tensor is on {x.device.type}, not on the CPU"
    return unfused(x.dtype, call.kind, call.size, call.share_axis)


def unfused(dtype: torch.dtype, kind: str, size: int, share_axis: bool) -> str | None:
    """Why the C library does not have the function, or cannot be had; None if all is well."""
    if size != 2 and kind == "mpu":
        return f"the projection is fused for dim=2 only, not dim={size}"
    if share_axis and kind == "rcolu":
        return "RCoLU with a shared axis is not fused"
    if dtype not in _build.KINDS:
        return f"{dtype} has no kernel"
    library, message = _build.outcome(dtype)
    return None if library else message


@functools.lru_cache(maxsize=1024)
def packed(call: ConicCall, shape: torch.Size, last: bool, threads: int) -> bytes:
    """The arguments of the C function as it lays them out."""
    groups, size = call.groups, call.size
    inner = 1 if last else math.prod(shape[call.channel + 1 :])
    outer = math.prod(shape) // (shape[call.channel] * inner)
    if call.share_axis and call.kind != "colu":
        raise ValueError(
            f"share_axis=True with {call.kind!r} is not defined in the C library; use backend=None or 'reference'"
        )
    if call.share_axis:
        step, section, section_step = 0, 1, size - 1
    elif call.layout == "axes_first":
        step, section, section_step = 1, groups, size - 1
    else:
        step, section, section_step = size, 1, size
    angle = math.pi / 4 if call.angle is None else call.angle
    tangent = 1.0 if call.angle is None else math.tan(angle)
    cosine, sine = (math.sqrt(0.5), math.sqrt(0.5)) if call.angle is None else (math.cos(angle), math.sin(angle))
    numbers = (outer, groups, size, inner, step, section, section_step, _MAPS[call.kind], call.scaling == "soft")
    flags = (call.share_axis, call.axis == "homogeneous", threads)
    return _build.PLAN.pack(*map(int, numbers + flags), tangent, call.eps, cosine, sine, call.leak)


# Less work than this is not worth waking a thread for.
_GRAIN = 32768


def run(x: Tensor, call: ConicCall, grad: Tensor | None = None) -> Tensor:
    """Call the kernel: the value, or with ``grad`` the gradient."""
    # The usual order of memory without a look into the others.
    x, last = (x, call.channel == x.dim() - 1) if x.is_contiguous() else fit(x, call.channel)
    y = torch.empty_like(x)
    numel = x.numel()
    if numel == 0:
        return y
    threads = 1 if numel < 2 * _GRAIN else min(torch.get_num_threads(), numel // _GRAIN)
    plan = packed(call, x.shape, last, threads)
    kernel = _build.outcome(x.dtype)[0]
    source = x.data_ptr()
    if grad is None:
        if source:
            kernel(plan, source, None, y.data_ptr())
            return y
    else:
        grad = alike(grad, x)
        if source and (slope := grad.data_ptr()):
            kernel(plan, source, slope, y.data_ptr())
            return y
    # Asked here, where it costs nothing: zeros without memory look like any other tensor.
    return reference.run(held(x), call, None if grad is None else held(grad))
