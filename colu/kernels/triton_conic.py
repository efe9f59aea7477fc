"""One Triton kernel for forward and backward of CoLU and RCoLU on the GPU.

A program takes a tile of cones times entries.
With channels last the entries are contiguous, with channels second the cones are;
the same addresses serve both, and the compiler chooses the order of the threads.
Values follow the reference: entries are divided by the largest one, and comparisons let NaN through.
"""

import importlib.util
import math
import os

import torch
from torch import Tensor

from ._fused import Spec, composite_backward, fit, needs_operations

_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
# A tile holds a whole cone in registers.
WIDEST = 1024


def interpreted() -> bool:
    """Whether Triton runs its kernels in Python, on tensors of the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def missing(x: Tensor, spec: Spec) -> str | None:
    """Why this path cannot compute ``spec`` on ``x``; None if it can."""
    if x.device.type != "cuda" and not (interpreted() and x.device.type == "cpu"):
        return f"the tensor is on {x.device.type}, not on a CUDA device"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    if spec.name == "mpu":
        return "the projection has no Triton kernel"
    if spec.share_axis:
        return "a shared axis has no Triton kernel"
    if spec.size > WIDEST:
        return f"cones of {spec.size} entries do not fit a tile of {WIDEST}"
    return None if x.dtype in _DTYPES else f"{x.dtype} has no kernel"


def apply(x: Tensor, spec: Spec) -> Tensor:
    """Differentiable; saves only the input."""
    if x.requires_grad and torch.is_grad_enabled():
        return _Triton.apply(x, spec)
    return run(x, spec)


class _Triton(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, spec):
        ctx.save_for_backward(x)
        ctx.spec = spec
        return run(x, spec)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        if needs_operations(grad):
            return composite_backward(x, ctx.spec, grad), None
        return run(x, ctx.spec, grad), None


def run(x: Tensor, spec: Spec, grad: Tensor | None = None) -> Tensor:
    """Launch the kernel: the value, or with ``grad`` the gradient."""
    from ._triton_kernel import conic_kernel

    x, last = fit(x.detach(), spec.channel)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    if grad is not None and grad.stride() != x.stride():
        grad = torch.empty_like(x).copy_(grad)
    inner = 1 if last else math.prod(x.shape[spec.channel + 1 :])
    cones = x.numel() // spec.size
    width = 1 << (spec.size - 1).bit_length()
    rows = max(1, 2048 // width)
    first = spec.layout == "axes_first"
    info = torch.finfo(torch.float64 if x.dtype == torch.float64 else torch.float32)
    conic_kernel[(-(-cones // rows),)](
        x, x if grad is None else grad, y, cones, spec.groups, inner,
        1.0 if spec.angle is None else math.tan(spec.angle), spec.eps, max(info.tiny, spec.eps), info.max,
        SIZE=spec.size, WIDTH=width, ROWS=rows, AXES_FIRST=first, ROTATED=spec.name == "rcolu",
        SOFT=spec.scaling == "soft", BACK=grad is not None, DOUBLE=x.dtype == torch.float64,
        LARGE=x.numel() >= 2**31 - 4096,  # divisions of 64 bits are slow
    )  # fmt: skip
    return y
