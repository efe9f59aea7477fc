"""Torch operations on pieces that stay in cache: the path where no C library can be had.

The reference reads and writes the whole tensor about ten times.
Here a megabyte at a time goes through all of the steps, so that only the first read and the last write reach memory.
Channels-last pieces are transposed first: torch is slow where the innermost dimension is a short cone.
"""

import dataclasses
import math

import torch
from torch import Tensor

from colu.blocks import split, working

from . import reference
from .call import ConicCall
from .memory import alike, fit

PIECE = 1 << 20
# Squares in this range neither over- nor underflow; other pieces are left to the reference.
_SAFE = {torch.float32: (1e-30, 1e30), torch.float64: (1e-280, 1e280)}


def missing(x: Tensor, call: ConicCall) -> str | None:
    """Why this path cannot compute ``call`` on ``x``; None if it can."""
    if not x.is_cpu:
        return f"the tensor is on {x.device.type}, not on the CPU"
    if call.kind == "mpu":
        return "the projection has no blocked form"
    if call.kind == "rcolu" and (call.share_axis or call.layout != "blocks"):
        return "RCoLU is blocked for layout='blocks' without a shared axis only"
    if call.size < 2:
        return "there is no section"
    if x.dtype not in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        return f"{x.dtype} is not handled"
    return None


def run(x: Tensor, call: ConicCall, grad: Tensor | None = None) -> Tensor:
    """The value, or with ``grad`` the gradient, piece by piece over the leading dimensions."""
    with torch.no_grad():
        x, last = fit(x.detach(), call.channel)
        y = torch.empty_like(x)
        if x.numel() == 0:
            return y
        given = (x, y) if grad is None else (x, y, alike(grad, x))
        tensors = [_flat(t, call.channel, last) for t in given]
        rows = max(1, PIECE // (tensors[0][0].numel() * x.element_size()))
        for start in range(0, tensors[0].shape[0], rows):
            _piece(*(t[start : start + rows] for t in tensors), call=call, last=last)
        return y


def _flat(t: Tensor, channel: int, last: bool) -> Tensor:
    """``(outer, channels, inner)``, or ``(outer, channels)`` with channels innermost."""
    if last:
        return t.movedim(channel, -1).view(-1, t.shape[channel])
    return t.view(math.prod(t.shape[:channel]), t.shape[channel], math.prod(t.shape[channel + 1 :]))


def _load(t: Tensor, last: bool) -> Tensor:
    """In float32 at least, with channels in the second place."""
    if last:
        t = torch.empty(t.shape[::-1], dtype=t.dtype).copy_(t.t())[None]
    return working(t)


def _piece(x: Tensor, y: Tensor, grad: Tensor | None = None, *, call: ConicCall, last: bool) -> None:
    wide = _load(x, last)
    direct = not last and wide.dtype == y.dtype
    out = y if direct else torch.empty_like(wide)
    h = None if grad is None else _load(grad, last)
    if not (_colu if call.kind == "colu" else _rcolu)(wide, out, h, call):
        out.copy_(reference.run(wide, dataclasses.replace(call, channel=1), h))
    if last:
        y.copy_(out[0].to(y.dtype).t())
    elif not direct:
        y.copy_(out)


def _parts(t: Tensor, call: ConicCall):
    return split(t, 1, call.groups, call.size, call.share_axis, call.layout)


def _dot(s: Tensor, t: Tensor) -> Tensor:
    """Sum over a cone of ``s t``; slices are the fastest form for short cones."""
    if s.shape[2] > 8:
        return (s * t).sum(2, keepdim=True)
    total = s.narrow(2, 0, 1) * t.narrow(2, 0, 1)
    for j in range(1, s.shape[2]):
        total.addcmul_(s.narrow(2, j, 1), t.narrow(2, j, 1))
    return total


def _weights(axis: Tensor, square: Tensor, call: ConicCall, dot: Tensor | None):
    """Weight, and the two coefficients of the gradient; None where squares are not safe."""
    low, high = _SAFE[axis.dtype]
    least, most = square.aminmax()
    left, right = axis.aminmax()
    # Written so that NaN fails.
    if not (least > low and most < high and right * right < high and left * left < high):
        return None
    tangent = 1.0 if call.angle is None else math.tan(call.angle)
    norm = square.sqrt_()
    distance = norm + call.eps if call.eps else norm
    ratio = axis * tangent if tangent != 1 else axis
    ratio = ratio / distance
    if call.scaling == "hard":
        weight = ratio.clamp(0, 1)
        slope = None if dot is None else torch.ops.aten.hardtanh_backward(dot, ratio, 0, 1)
    else:
        weight = ratio.sub_(0.5).sigmoid_()
        slope = None if dot is None else torch.ops.aten.sigmoid_backward(dot, weight)
    if dot is None:
        return weight, None, None
    extra = slope.div_(distance)
    if tangent != 1:
        extra.mul_(tangent)
    return weight, extra, (extra * axis).div_(distance).div_(norm).neg_()


def _colu(x: Tensor, out: Tensor, grad: Tensor | None, call: ConicCall) -> bool:
    axis, section = _parts(x, call)
    out_axis, out_section = _parts(out, call)
    grad_axis, grad_section = _parts(grad, call) if grad is not None else (None, None)
    dot = None if grad is None else _dot(section, grad_section)
    found = _weights(axis, _dot(section, section), call, dot)
    if found is None:
        return False
    weight, extra, coefficient = found
    if grad is None:
        out_axis.copy_(axis)
        torch.mul(section, weight, out=out_section)
        return True
    if call.share_axis:
        extra = extra.sum(1, keepdim=True)
    torch.add(grad_axis, extra, out=out_axis)
    torch.mul(grad_section, weight, out=out_section)
    out_section.addcmul_(coefficient, section)
    return True


def _rcolu(x: Tensor, out: Tensor, grad: Tensor | None, call: ConicCall) -> bool:
    blocks, out = (t.unflatten(1, (call.groups, call.size)) for t in (x, out))
    mean = blocks.mean(2, keepdim=True)
    rest = blocks - mean
    grad = None if grad is None else grad.unflatten(1, (call.groups, call.size))
    dot = None if grad is None else _dot(rest, grad)
    found = _weights(mean * math.sqrt(call.size), _dot(rest, rest), call, dot)
    if found is None:
        return False
    weight, extra, coefficient = found
    if grad is None:
        torch.addcmul(mean, weight, rest, out=out)
        return True
    # w (g - mean g) + c (x - mean x) + mean g + k / sqrt(S), with what every entry gets in one term.
    common = grad.mean(2, keepdim=True)
    common = common.addcmul_(common, weight, value=-1).add_(extra, alpha=1 / math.sqrt(call.size))
    torch.addcmul(common, weight, grad, out=out)
    out.addcmul_(coefficient, rest)
    return True
