"""Euclidean projection onto second-order cones, block by block."""

__all__ = ["soc_projection"]

import math

import torch
from torch import Tensor

from colu.blocks import LAYOUTS, channels_are_innermost, count_groups, join, split
from colu.checks import check_channel_dim, check_choice, check_floating

from ._backend import accelerated
from .conic import check_angle, per_cone, working

AXES = ("homogeneous", "coordinate")


def soc_projection(
    x: Tensor,
    *,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
    axis: str = "homogeneous",
    angle: float | Tensor | None = None,
    leak: float = 0.0,
    layout: str = "blocks",
    backend: str | None = None,
) -> Tensor:
    r"""Nearest point of the second-order cone, for every block of channels.

    With axis :math:`e`, half-apex angle :math:`\alpha`, :math:`t = x \cdot e`, :math:`v = x - t e` and
    :math:`n = \lVert v\rVert_2`,

    .. math:: P(x) = \begin{cases} x & n \cos\alpha \le t \sin\alpha \\ 0 & t \cos\alpha \le -n \sin\alpha \\
        (t\cos\alpha + n\sin\alpha)\,(\cos\alpha\; e + \sin\alpha\; v/n) & \text{otherwise.} \end{cases}

    Parameters
    ----------
    x : Tensor
        Shape ``(..., C, ...)``, real floating, ``C = G S``.
    dim : int, optional
        Channels of a cone, ``S >= 1``; 2 if neither ``dim`` nor ``num_groups`` is given.
    num_groups : int, optional
        Number of cones ``G >= 0``; 0 is the identity.
    channel_dim : int
        Position of the channels; negative counts from the end.
    axis : {"homogeneous", "coordinate"}
        :math:`e = \mathbf 1/\sqrt S` (the source), or the first channel of the block.
    angle : float or Tensor, optional
        Half-apex angle in radians, in (0, pi/2); None is pi/4.
        A tensor (scalar or ``(G,)``) may be learnt; its range is the caller's.
    leak : float
        In [0, 1]: returns ``(1 - leak) P(x) + leak x``; the source's leaky form has 0.01.
    layout : {"blocks", "axes_first"}
        Where the channels of a cone are; see :func:`colu`.
    backend : {"reference", "fused", "blocked", "triton"}, optional
        Force a way to compute, as for :func:`colu`; only ``dim=2`` has others than the reference.

    Returns
    -------
    Tensor
        Shape, dtype and memory format of ``x``.

    Raises
    ------
    ValueError
        Channels that do not fit (with the nearest sizes that do), or an option out of range.

    Notes
    -----
    O(C) operations. Lipschitz constant 1, firmly nonexpansive for ``leak=0``.
    With ``dim=2``, the homogeneous axis and 45 degrees this is ReLU.
    The source's code also pads channels with zeros to a multiple of ``dim``; here they are refused.

    References
    ----------
    Li, Cheng, Lu, Xia, Mo and Huang, "From ReLU to GeMU", Neural Networks 190 (2025) 107654;
    arXiv 2309.17194.

    Examples
    --------
    >>> import torch
    >>> soc_projection(torch.tensor([[0.0, 3.0, 4.0]]), dim=3, axis="coordinate")
    tensor([[2.5000, 1.5000, 2.0000]])
    """
    check_floating(x, "soc_projection")
    check_choice("axis", axis, AXES)
    check_choice("layout", layout, LAYOUTS)
    check_angle(angle)
    check_leak(leak)
    c = check_channel_dim(x, channel_dim)
    groups, size = count_groups(x.shape[c], dim, num_groups, default_dim=2)
    if groups == 0:
        return x
    lacking = "an angle that is a tensor" if isinstance(angle, Tensor) else None
    if size != 2:
        lacking = f"the projection with dim={size}"
    y = accelerated(
        x, backend, "mpu", c, groups, size, lacking, axis=axis, angle=angle, leak=float(leak), layout=layout
    )
    if y is not None:
        return y
    if channels_are_innermost(x, c):
        return _project(x.movedim(c, -1), x.dim() - 1, groups, size, axis, angle, leak, layout).movedim(-1, c)
    return _project(x, c, groups, size, axis, angle, leak, layout)


def check_leak(leak) -> None:
    """Refuse a leak outside [0, 1]."""
    if isinstance(leak, bool) or not isinstance(leak, (int, float)) or not 0 <= leak <= 1:
        raise ValueError(f"leak={leak!r} is out of range; use a number from 0 to 1, such as 0.01")


def _project(x, c, groups, size, axis, angle, leak, layout):
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
