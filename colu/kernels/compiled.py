"""The C kernel as an operator that ``torch.compile`` calls without looking inside."""

import torch
from torch import Tensor

from . import fused, reference
from .call import ConicCall


# An operator takes numbers and words only: the fields of a ConicCall that the C kernel knows, one by one.
@torch.library.custom_op("colu::conic", mutates_args=())
def conic(
    x: Tensor, kind: str, channel: int, groups: int, size: int, scaling: str, share_axis: bool, layout: str,
    angle: float | None, eps: float, axis: str, leak: float,
) -> Tensor:  # fmt: skip
    """The value, in the memory order of ``x``."""
    call = ConicCall(kind, channel, groups, size, scaling, share_axis, layout, angle, eps, axis, leak)
    return _like(x, fused.run(x, call))


@torch.library.custom_op("colu::conic_backward", mutates_args=())
def conic_backward(
    grad: Tensor, x: Tensor, kind: str, channel: int, groups: int, size: int, scaling: str, share_axis: bool,
    layout: str, angle: float | None, eps: float, axis: str, leak: float,
) -> Tensor:  # fmt: skip
    """The gradient, in the memory order of ``x``."""
    call = ConicCall(kind, channel, groups, size, scaling, share_axis, layout, angle, eps, axis, leak)
    return _like(x, fused.run(x, call, grad))


def _like(x: Tensor, y: Tensor) -> Tensor:
    out = torch.empty_like(x)
    return y if y.stride() == out.stride() else out.copy_(y)


@conic.register_fake
def _(x, *options):
    return torch.empty_like(x)


@conic_backward.register_fake
def _(grad, x, *options):
    return torch.empty_like(x)


def _keep(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])
    ctx.options = inputs[1:]


def _backward(ctx, grad):
    (x,) = ctx.saved_tensors
    return conic_backward(grad, x, *ctx.options), *[None] * len(ctx.options)


def _keep_both(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:2])
    ctx.options = inputs[2:]


def _double_backward(ctx, outer):
    grad, x = ctx.saved_tensors
    with torch.enable_grad():
        grad, x = grad.detach().requires_grad_(), x.detach().requires_grad_()
        inner = reference.run(x, ConicCall(*ctx.options), grad)
    return *torch.autograd.grad(inner, (grad, x), outer), *[None] * len(ctx.options)


conic.register_autograd(_backward, setup_context=_keep)
conic_backward.register_autograd(_double_backward, setup_context=_keep_both)
