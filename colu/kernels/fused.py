"""The fused path on the CPU: one pass over memory forward, one backward, only the input saved."""

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from ._build import PLAN, outcome

_MAPS = {"colu": 0, "rcolu": 1, "mpu": 2}


class Spec(NamedTuple):
    """A function of the family with checked options: what a path needs besides the tensor."""

    name: str
    channel: int
    groups: int
    size: int
    scaling: str = "hard"
    share_axis: bool = False
    layout: str = "blocks"
    angle: float | None = None
    eps: float = 0.0
    axis: str = "homogeneous"
    leak: float = 0.0


@functools.lru_cache(maxsize=1024)
def packed(spec: Spec, outer: int, inner: int, threads: int) -> bytes:
    """The arguments of the C function as it lays them out."""
    groups, size = spec.groups, spec.size
    if spec.share_axis and spec.name != "colu":
        raise ValueError(
            f"share_axis=True with {spec.name!r} is not defined in the C library; use backend=None or 'reference'"
        )
    if spec.share_axis:
        step, section, section_step = 0, 1, size - 1
    elif spec.layout == "axes_first":
        step, section, section_step = 1, groups, size - 1
    else:
        step, section, section_step = size, 1, size
    angle = math.pi / 4 if spec.angle is None else spec.angle
    tangent = 1.0 if spec.angle is None else math.tan(angle)
    cosine, sine = (math.sqrt(0.5), math.sqrt(0.5)) if spec.angle is None else (math.cos(angle), math.sin(angle))
    numbers = (outer, groups, size, inner, step, section, section_step, _MAPS[spec.name], spec.scaling == "soft")
    flags = (spec.share_axis, spec.axis == "homogeneous", threads)
    return PLAN.pack(*map(int, numbers + flags), tangent, spec.eps, cosine, sine, spec.leak)


def fit(x: Tensor, channel: int) -> tuple[Tensor, bool]:
    """``x`` in one of the two memory orders of the kernels, and whether channels are innermost in memory."""
    if x.is_contiguous():
        return x, channel == x.dim() - 1
    if x.stride(channel) == 1 and x.movedim(channel, -1).is_contiguous():
        return x, True
    return x.contiguous(), channel == x.dim() - 1


def widened(x: Tensor) -> Tensor:
    """Half types in float32."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


# Less work than this is not worth waking a thread for.
_GRAIN = 32768


def run(x: Tensor, spec: Spec, grad: Tensor | None = None) -> Tensor:
    """Call the kernel; ``x`` and ``grad`` in the same memory order."""
    x, last = fit(x, spec.channel)
    y = torch.empty_like(x)
    numel = x.numel()
    if numel == 0:
        return y
    channels = x.shape[spec.channel]
    inner = 1 if last else math.prod(x.shape[spec.channel + 1 :])
    pointer = None
    if grad is not None:
        if grad.stride() != x.stride():
            grad = torch.empty_like(x).copy_(grad)
        pointer = grad.data_ptr()
    threads = 1 if numel < 2 * _GRAIN else min(torch.get_num_threads(), numel // _GRAIN)
    plan = packed(spec, numel // (channels * inner), inner, threads)
    outcome(x.dtype)[0](plan, x.data_ptr(), pointer, y.data_ptr())
    return y


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, spec):
        ctx.save_for_backward(x)
        ctx.spec = spec
        return run(x, spec)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return backward(x, ctx.spec, grad), None


def backward(x: Tensor, spec: Spec, grad: Tensor) -> Tensor:
    """The gradient; by torch operations where it is to be differentiated or transformed again."""
    if needs_operations(grad):
        return composite_backward(x, spec, grad)
    return run(x, spec, grad)


def needs_operations(grad: Tensor) -> bool:
    """Whether the gradient is differentiated again, or is a batch in disguise."""
    functorch = torch._C._functorch
    return (
        torch.is_grad_enabled()
        or torch._C._are_functorch_transforms_active()
        or functorch.is_legacy_batchedtensor(grad)
        or functorch.is_functorch_wrapped_tensor(grad)
    )


def composite_backward(x: Tensor, spec: Spec, grad: Tensor) -> Tensor:
    """The gradient through the reference; a graph is made where gradients are enabled."""
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        if not x.requires_grad:
            x = x.detach().requires_grad_()
        (result,) = torch.autograd.grad(reference(x, spec), x, grad, create_graph=graph)
    return result


def reference(x: Tensor, spec: Spec) -> Tensor:
    """The function of :mod:`colu.functional` that ``spec`` describes, by torch operations."""
    from colu import functional

    same = dict(
        num_groups=spec.groups, channel_dim=spec.channel, layout=spec.layout, angle=spec.angle, backend="reference"
    )
    if spec.name == "mpu":
        return functional.soc_projection(x, axis=spec.axis, leak=spec.leak, **same)
    function = functional.colu if spec.name == "colu" else functional.rcolu
    return function(x, scaling=spec.scaling, share_axis=spec.share_axis, eps=spec.eps, **same)


def apply(x: Tensor, spec: Spec) -> Tensor:
    """Differentiable in eager mode; without a gradient, no graph is made."""
    if x.requires_grad and torch.is_grad_enabled():
        return _Fused.apply(x, spec)
    return run(x, spec)
