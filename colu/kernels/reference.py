"""The reference: every conic map by its formula, in plain torch operations that torch differentiates."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from colu.blocks import channels_are_innermost, join, split, working

from .call import ConicCall

# Bounds of the ratio r outside of which the weight is constant to the last bit
# (soft, firm: the sigmoid is saturated) or is held constant so that the gradient
# at a vanishing section stays finite (sqrt, log: they grow without bound).
_BOUNDS = {
    "hard": (0.0, 1.0),
    "soft": (-1e3, 1e3),
    "firm": (-1e3, 1e3),
    "sqrt": (0.0, 1e8),
    "log": (0.0, 1e8),
}


def missing(x: Tensor, call: ConicCall) -> None:
    """The reference computes everything."""
    return None


def run(x: Tensor, call: ConicCall, grad: Tensor | None = None) -> Tensor:
    """The value, which torch differentiates, or with ``grad`` the gradient: a graph is made where they are enabled."""
    if grad is not None:
        graph = torch.is_grad_enabled()
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_()
            (result,) = torch.autograd.grad(run(x, call), x, grad, create_graph=graph)
        return result
    if call.special == "pointwise":
        return F.relu(x) if call.scaling == "hard" else F.silu(x)
    if call.kind == "rcolu" and (call.share_axis or call.layout != "blocks" or call.p != 2 or call.axis_mode != "pass"):
        return _reflected(x, call)
    formula = {"colu": _colu, "rcolu": _rcolu, "mpu": _project}[call.kind]
    if channels_are_innermost(x, call.channel):
        return formula(x.movedim(call.channel, -1), x.dim() - 1, call).movedim(-1, call.channel)
    return formula(x, call.channel, call)


def _colu(x: Tensor, c: int, call: ConicCall) -> Tensor:
    axis, section = split(working(x), c, call.groups, call.size, call.share_axis, call.layout)
    if call.axis_mode == "rectify":
        axis = rectified(axis, call.scaling)
    if call.size > 1:
        section = section * _weight(axis, section, c, call, call.p)
    return join(axis, section, c, call.share_axis, call.layout).to(x.dtype)


def _rcolu(x: Tensor, c: int, call: ConicCall) -> Tensor:
    blocks = working(x).unflatten(c, (call.groups, call.size))
    mean = blocks.mean(c + 1, keepdim=True)
    # The explicit difference keeps its digits when the mean is large; sum of squares minus square does not.
    rest = blocks - mean
    weight = _weight(mean * math.sqrt(call.size), rest, c, call, 2)
    return (mean + weight * rest).flatten(c, c + 1).to(x.dtype)


def _reflected(x: Tensor, call: ConicCall) -> Tensor:
    """RCoLU as CoLU between two reflections, for the options without a shorter form."""
    c, cones = call.channel, (call.groups, call.size, call.share_axis, call.layout)
    y = _colu(_reflect(working(x).movedim(c, -1), *cones), x.dim() - 1, call)
    y = _reflect(y, *cones).movedim(-1, c).to(x.dtype)
    return y if channels_are_innermost(x, c) or c == x.dim() - 1 else y.contiguous()


def _reflect(x, groups, size, share_axis, layout):
    """The Householder reflection e1 <-> e of every cone, or of all channels if the axis is shared."""
    if share_axis:
        groups, size = 1, x.shape[-1]
    axis, section = split(x, x.dim() - 1, groups, size, False, layout)
    if size == 1:
        return x
    # H = I - 2 u u' with u along e1 - e; written out, with k = 1 / sqrt(S).
    k = 1 / math.sqrt(size)
    total = section.sum(-1, keepdim=True)
    new_axis = k * (axis + total)
    new_section = section + (k * axis - total * k / (math.sqrt(size) - 1))
    return join(new_axis, new_section, x.dim() - 1, False, layout)


def rectified(axis: Tensor, scaling: str) -> Tensor:
    """The axis in ``axis_mode="rectify"``: SiLU for the sigmoid weights, ReLU for the others."""
    return F.silu(axis) if scaling in ("soft", "firm") else F.relu(axis)


def _weight(axis: Tensor, section: Tensor, c: int, call: ConicCall, p: float) -> Tensor:
    if isinstance(call.angle, Tensor):
        tangent = per_cone(call.angle, axis, c, call.groups).tan()
    else:
        tangent = None if call.angle is None else math.tan(call.angle)
    return cone_weight(axis, section, c + 1, call.scaling, p, tangent, call.double, call.eps)


def per_cone(angle: Tensor, like: Tensor, c: int, groups: int) -> Tensor:
    """Shape a scalar or ``(G,)`` tensor so that it broadcasts along the cones at ``c``."""
    if angle.dim() > 1 or (angle.dim() == 1 and angle.shape[0] != groups):
        raise ValueError(
            f"angle of shape {tuple(angle.shape)} does not fit {groups} cones; use a scalar, or one a cone"
        )
    angle = angle.to(device=like.device, dtype=like.dtype)
    return angle.reshape(-1, *[1] * (like.dim() - c - 1)) if angle.dim() else angle


def cone_weight(axis, section, d, scaling="hard", p=2, tangent=None, double=False, eps=0.0) -> Tensor:
    """The weight phi(r) of the section, shape of ``section`` with dimension ``d`` reduced to 1."""
    low, high = _BOUNDS[scaling]
    if double:
        low = -high
    r = _clipped_ratio(axis if tangent is None else axis * tangent, section, d, p, low, high, eps)
    return _phi(r, scaling) - _phi(-r, scaling) if double and scaling != "hard" else _phi(r, scaling)


def _clipped_ratio(axis, section, d, p, low, high, eps):
    # Divide by the largest entry first: no square over- or underflows, and the norm is at least 1.
    # The scale needs no gradient because the ratio does not depend on it.
    # It is clamped to normal numbers, so 0 and inf need no case of their own.
    info = torch.finfo(section.dtype)
    scale = section.detach().abs().amax(d, keepdim=True).clamp(max(info.tiny, eps), info.max)
    norm = torch.linalg.vector_norm(section / scale, p, d, keepdim=True)
    if eps:
        norm = norm + eps / scale
    # The inner bounds keep the quotient finite where the section vanishes: 0 times inf would make the gradient NaN.
    # All of these clamps let NaN through and have gradient 0 where they act.
    level = (axis / scale).clamp(-1e18, 1e18)
    return (level / norm.clamp(min=1e-8)).clamp(low, high)


def _phi(r, scaling):
    if scaling == "hard":
        return r
    if scaling == "soft":
        return torch.sigmoid(r - 0.5)
    if scaling == "firm":
        return torch.sigmoid(4 * r - 2)
    # Not r.clamp: a square root has an infinite slope at 0, which 0 times it would make NaN.
    positive = torch.where(r <= 0, 1.0, r)
    value = positive.sqrt() if scaling == "sqrt" else positive.log1p()
    return torch.where(r <= 0, 0.0, value)


def _project(x: Tensor, c: int, call: ConicCall) -> Tensor:
    groups, size, axis, angle, leak, layout = call.groups, call.size, call.axis, call.angle, call.leak, call.layout
    first, rest = split(working(x), c, groups, size, False, layout)
    d = c + 1
    block = torch.cat([first, rest], d)
    info = torch.finfo(block.dtype)
    # The projection is positively homogeneous: divide by the largest entry, so that no square overflows.
    scale = block.detach().abs().amax(d, keepdim=True).clamp(info.tiny, info.max)
    block = block / scale
    if axis == "homogeneous":
        mean = block.mean(d, keepdim=True)
        level, radial = mean * math.sqrt(size), block - mean
    else:
        level = block.narrow(d, 0, 1)
        radial = torch.cat([torch.zeros_like(level), block.narrow(d, 1, size - 1)], d)
    norm = torch.linalg.vector_norm(radial, 2, d, keepdim=True)
    cos, sin = _cos_sin(angle, level, c, groups)
    inside, polar = norm * cos <= level * sin, level * cos <= -norm * sin
    # NaN compares false and so takes the last case, where it goes through.
    between = ~(inside | polar)
    depth = level * cos + norm * sin
    direction = radial / torch.where(between, norm, 1.0)
    if axis == "homogeneous":
        on_cone = depth * (cos / math.sqrt(size) + sin * direction)
    else:
        on_cone = torch.cat([depth * cos * torch.ones_like(level), (depth * sin * direction).narrow(d, 1, size - 1)], d)
    y = torch.where(inside, block, torch.where(polar, 0.0, on_cone))
    if leak:
        y = (1 - leak) * y + leak * block
    y = y * scale
    return join(y.narrow(d, 0, 1), y.narrow(d, 1, size - 1), c, False, layout).to(x.dtype)


def _cos_sin(angle, level, c, groups):
    if angle is None:
        return math.sqrt(0.5), math.sqrt(0.5)
    if isinstance(angle, Tensor):
        angle = per_cone(angle, level, c, groups)
        return angle.cos(), angle.sin()
    return math.cos(angle), math.sin(angle)
