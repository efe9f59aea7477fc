"""Hard CoLU that keeps its output and the norms of its sections for the backward pass, instead of its input.

With output y = w s and norm n, where w = clip(r), r = a t / (n + eps), t = tan(angle), the gradient is

    w g - <g, y> / (a t n) y  for the section,   g_a + <g, y> / a  for the axis,

where 0 < r < 1; elsewhere the terms with <g, y> are absent.
The axis passes unchanged, so a and n decide about the regions exactly as the input would.
"""

import math

import torch
from torch import Tensor
from torch.autograd import forward_ad

from colu.blocks import join, split, working

from .call import ConicCall

#: Bytes that go through all steps at a time, so that intermediate results stay in cache.
PIECE = 1 << 20


def plain(x: Tensor) -> bool:
    """Whether nothing is to be saved, or others decide what is: compilers and transforms of functions."""
    return (
        not (x.requires_grad and torch.is_grad_enabled())
        or torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or type(x) not in (Tensor, torch.nn.Parameter)
    )


class FromOutput(torch.autograd.Function):
    """The value by ``function``, the gradient from the output; ``inplace`` writes over the input."""

    @staticmethod
    def forward(ctx, x, call, function, inplace):
        ctx.call = call
        out = x if inplace else torch.empty_like(x)
        norms = []
        for piece, there in zip(_pieces(x, call), _pieces(out, call), strict=True):
            norms.append(_norm(piece, call))
            there.copy_(function(piece))
        if inplace:
            ctx.mark_dirty(x)
        ctx.save_for_backward(out, torch.cat(norms) if len(norms) > 1 else norms[0])
        return out

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
            raise ValueError("save='output' can be differentiated once only; use save='input' for create_graph=True")
        if torch._C._functorch.is_legacy_batchedtensor(grad) or torch._C._functorch.is_functorch_wrapped_tensor(grad):
            raise ValueError("save='output' takes one gradient at a time; use save='input' for is_grads_batched=True")
        y, norm = ctx.saved_tensors
        result = torch.empty_like(y)
        parts = [_pieces(t, ctx.call) for t in (y, grad, result)]
        # Where there is more than one piece the first dimension is not that of the channels.
        norms = norm.split([len(piece) for piece in parts[0]]) if len(parts[0]) > 1 else [norm]
        for piece, g, there, n in zip(*parts, norms, strict=True):
            there.copy_(_gradient(piece, n, g, ctx.call))
        return result, None, None, None


def _pieces(t: Tensor, call: ConicCall) -> list[Tensor]:
    """Views along the first dimension; the whole, if that is the one of the channels."""
    if call.channel == 0 or t.numel() == 0:
        return [t]
    rows = max(1, PIECE * len(t) // (t.numel() * t.element_size()))
    return list(t.split(rows))


def _norm(x: Tensor, call: ConicCall) -> Tensor:
    """Norms of the sections, shape ``(..., G, 1, ...)``; safe where squares are not."""
    channel = call.channel
    section = split(working(x), channel, call.groups, call.size, call.share_axis, call.layout)[1]
    square = _dot(section, section, channel + 1)
    info = torch.finfo(square.dtype)
    # Written so that NaN fails.
    if square.numel() and not (square.min() > info.tiny * 1e8 and square.max() < info.max / 2):
        scale = section.abs().amax(channel + 1, keepdim=True).clamp(info.tiny, info.max)
        return torch.linalg.vector_norm(section / scale, 2, channel + 1, keepdim=True) * scale
    return square.sqrt_()


def _dot(s: Tensor, t: Tensor, d: int) -> Tensor:
    """Sum of products over ``d``; slices are the fastest form for short cones."""
    if s.shape[d] > 8:
        return (s * t).sum(d, keepdim=True)
    total = s.narrow(d, 0, 1) * t.narrow(d, 0, 1)
    for j in range(1, s.shape[d]):
        total = total.addcmul_(s.narrow(d, j, 1), t.narrow(d, j, 1))
    return total


def _gradient(y: Tensor, norm: Tensor, grad: Tensor, call: ConicCall) -> Tensor:
    channel, share_axis, layout = call.channel, call.share_axis, call.layout
    tangent = 1.0 if call.angle is None else math.tan(call.angle)
    cones = (channel, call.groups, call.size, share_axis, layout)
    (axis, section), (grad_axis, grad_section) = (split(working(t), *cones) for t in (y, grad))
    ratio = axis * tangent / (norm + call.eps).clamp_min(torch.finfo(norm.dtype).tiny)
    weight = ratio.clamp(0, 1)
    # In the active region the axis is positive; elsewhere 1 stands for it, so that nothing is divided by zero.
    active = (ratio > 0) & (ratio < 1)
    share = torch.where(active, _dot(section, grad_section, channel + 1) / torch.where(active, axis, 1), 0)
    coefficient = share / torch.where(active, norm * tangent, 1)
    extra = share.sum(channel, keepdim=True) if share_axis else share
    inner = (weight * grad_section).addcmul_(coefficient, section, value=-1)
    return join(grad_axis + extra, inner, channel, share_axis, layout).to(y.dtype)


def overwrite(x: Tensor, call: ConicCall, function) -> Tensor:
    """``x`` with the value of ``function``, where nothing is saved; eager code goes piece by piece."""
    if torch.is_grad_enabled() and x.requires_grad or torch.compiler.is_compiling() or type(x) is not Tensor:
        return x.copy_(function(x))
    for piece in _pieces(x, call):
        piece.copy_(function(piece))
    return x


def from_output(x: Tensor, call: ConicCall, function, inplace: bool = False) -> Tensor:
    """``function(x)``, with the gradient from the output."""
    return FromOutput.apply(x, call, function, inplace)
