"""Triton kernels for forward and backward of CoLU, RCoLU and the two-dimensional projection on the GPU.

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

from .call import ConicCall
from .memory import alike, fit, held

_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
# A tile holds a whole cone in registers.
WIDEST = 1024
# Entries of a tile, and the warps that share it.
TILE, WARPS = 1024, 4
# With channels second: entries that a thread holds, and the warps of a tile.
HELD, SECOND_WARPS = 128, 2
# Fewer neighbouring positions than this do not fill a load; cones are then gathered entry by entry.
NARROWEST = 16
# From this size on a cone with channels second is walked along and not held in registers.
WALKED = 256
# Sizes whose tile with channels last would be padded much; a thread walks along each of their cones.
RAGGED, RAGGED_PLACES = (3, 5, 6, 7), 256


def interpreted() -> bool:
    """Whether Triton runs its kernels in Python, on tensors of the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def missing(x: Tensor, call: ConicCall) -> str | None:
    """Why this path cannot compute ``call`` on ``x``; None if it can."""
    if x.device.type != "cuda" and not (interpreted() and x.device.type == "cpu"):
        return f"the tensor is on {x.device.type}, not on a CUDA device"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    if call.kind == "mpu" and call.size != 2:
        return f"the projection has a Triton kernel for dim=2 only, not dim={call.size}"
    if call.kind == "rcolu" and call.share_axis:
        return "RCoLU with a shared axis has no Triton kernel"
    if call.size > WIDEST:
        return f"cones of {call.size} entries do not fit a tile of {WIDEST}"
    return None if x.dtype in _DTYPES else f"{x.dtype} has no kernel"


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _places(x: Tensor, inner: int, size: int, warps: int) -> tuple[int, int]:
    """Positions of a tile with channels second, and its warps.

    A thread loads 16 bytes of each row, and the warps lie side by side in it: sums along a cone then stay in a thread.
    Where it would hold more than ``HELD`` entries so, threads of one warp share the cones instead.
    """
    vector = 16 // x.element_size()
    wanted = _power_of_two(inner)
    if (shared := size * vector // HELD) > 1:
        return max(1, min(vector * 32 // shared, wanted)), 1
    while warps > 1 and vector * 32 * warps > wanted:
        warps //= 2
    return min(vector * 32 * warps, wanted), warps


def _grid(cones: int, inner: int, rows: int, second: bool) -> tuple[int, ...]:
    return (cones // inner, -(-inner // rows)) if second else (-(-cones // rows),)


def run(x: Tensor, call: ConicCall, grad: Tensor | None = None) -> Tensor:
    """Launch the kernel: the value, or with ``grad`` the gradient."""
    from ._triton_kernel import conic_kernel, projection_kernel, wide_kernel

    x, last = fit(x.detach(), call.channel)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    if grad is not None:
        grad = held(alike(grad, x))
    inner = 1 if last else math.prod(x.shape[call.channel + 1 :])
    channels = x.shape[call.channel]
    cones = x.numel() // channels * call.groups
    double = x.dtype == torch.float64
    info = torch.finfo(torch.float64 if double else torch.float32)
    angle = math.pi / 4 if call.angle is None else call.angle
    # Divisions of 64 bits are slow.
    common = dict(BACK=grad is not None, DOUBLE=double, LARGE=x.numel() >= 2**31 - 4096)
    common["AXES_FIRST"] = call.layout == "axes_first"
    # With channels second a row of positions is contiguous: it becomes the fast axis of the tile.
    common["SECOND"] = inner >= NARROWEST
    run_of_memory = inner == 1 and call.layout == "blocks" and not call.share_axis
    if call.kind == "mpu":
        rows = min(TILE, _power_of_two(inner)) if common["SECOND"] else TILE
        projection_kernel[_grid(cones, inner, rows, common["SECOND"])](
            x, x if grad is None else grad, y, cones, call.groups, inner, math.cos(angle), math.sin(angle), call.leak,
            info.tiny, info.max, ROWS=rows, HOMOGENEOUS=call.axis == "homogeneous", LEAKY=call.leak != 0,
            RUN=run_of_memory, num_warps=WARPS, **common,
        )  # fmt: skip
        return y
    extra = None
    if call.share_axis and grad is not None:
        extra = x.new_empty(cones, dtype=torch.float64 if double else torch.float32)
    scalars = (1.0 if call.angle is None else math.tan(angle), call.eps, max(info.tiny, call.eps), info.max)
    pointers = (x, x if grad is None else grad, y, x if extra is None else extra)
    kind = dict(SIZE=call.size, ROTATED=call.kind == "rcolu", SOFT=call.scaling == "soft", SHARED=call.share_axis)
    width, second = _power_of_two(call.size), common["SECOND"]
    if (second and call.size >= WALKED) or (run_of_memory and call.size in RAGGED):
        places, warps = (RAGGED_PLACES, WARPS) if run_of_memory else _places(x, inner, 1, 2)
        grid = (-(-cones // places),) if run_of_memory else _grid(cones, inner, places, True)
        wide_kernel[grid](
            *pointers, cones, call.groups, inner, *scalars, PLACES=places, RUN=run_of_memory, num_warps=warps, **kind,
            **{name: value for name, value in common.items() if name != "SECOND"},
        )  # fmt: skip
    else:
        # Small cones leave more for a thread to do at once: 16 entries each and not 8.
        rows, warps = (max(1, TILE // width), WARPS if width > 4 else WARPS // 2)
        if second:
            rows, warps = _places(x, inner, width, SECOND_WARPS)
        conic_kernel[_grid(cones, inner, rows, second)](
            *pointers, cones, call.groups, inner, *scalars, WIDTH=width, ROWS=rows,
            RUN=run_of_memory, num_warps=warps, **kind, **common,
        )  # fmt: skip
    if extra is not None:
        # The order of the cones is that of the axis' entries in memory, with the groups before the inner positions.
        axis = y.select(call.channel, 0)
        total = extra.view(-1, call.groups, inner).sum(1).view(axis.shape)
        axis.copy_(total + grad.select(call.channel, 0))
    return y
