"""Conic Linear Units: the skew projection onto cones, block by block."""

__all__ = ["colu", "rcolu"]

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from colu.blocks import LAYOUTS, channels_are_innermost, count_groups, join, split, working
from colu.checks import check_channel_dim, check_choice, check_floating
from colu.kernels.saving import from_output, plain, refuse

from ._backend import accelerated

SCALINGS = ("hard", "soft", "firm", "sqrt", "log")
AXIS_MODES = ("pass", "rectify")

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


def colu(
    x: Tensor,
    *,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
    scaling: str = "hard",
    axis_mode: str = "pass",
    share_axis: bool = False,
    layout: str = "blocks",
    p: float = 2,
    angle: float | Tensor | None = None,
    double: bool = False,
    s2: str = "cone",
    eps: float = 0.0,
    save: str = "input",
    backend: str | None = None,
) -> Tensor:
    r"""Conic Linear Unit: slide each block of channels towards its axis until it is in the cone.

    For a cone with axis coordinate :math:`a` and section :math:`s \in \mathbb R^{S-1}`,

    .. math:: y_a = a, \qquad y_s = \varphi(r)\, s, \qquad
        r = \frac{a \tan\alpha}{\lVert s\rVert_p + \varepsilon},

    with :math:`\varphi(r) = \min(\max(r, 0), 1)` (``hard``), :math:`\sigma(r - \tfrac12)` (``soft``),
    :math:`\sigma(4r - 2)` (``firm``), :math:`\sqrt{r_+}` (``sqrt``), :math:`\log(1 + r_+)` (``log``).

    Parameters
    ----------
    x : Tensor
        Shape ``(..., C, ...)``, real floating; ``C = G S``, or ``C = 1 + G (S - 1)`` with a shared axis.
    dim : int, optional
        Channels of a cone, ``S >= 1``; 4 if neither ``dim`` nor ``num_groups`` is given.
    num_groups : int, optional
        Number of cones ``G >= 0``; 0 is the identity.
    channel_dim : int
        Position of the channels; negative counts from the end.
    scaling : {"hard", "soft", "firm", "sqrt", "log"}
        The weight above.
        ``sqrt`` and ``log`` stand in the author's code only; both may lengthen a section,
        and ``sqrt`` may leave the cone.
    axis_mode : {"pass", "rectify"}
        ``pass`` (the papers) leaves the axis alone, also where it is negative.
        ``rectify`` (jax-colu) replaces :math:`a` by ReLU(a), or by SiLU(a) for ``soft`` and ``firm``,
        in the output and in the ratio: a different function (jax-colu has no ``firm``; that pair is ours).
    share_axis : bool
        All cones use channel 0 as their axis.
    layout : {"blocks", "axes_first"}
        Each cone contiguous with its axis first, or all axes and then all sections (the author's code).
        With a shared axis the two are the same.
    p : float
        Order of the norm of the section, from 1 to ``math.inf``.
    angle : float or Tensor, optional
        Half-apex angle :math:`\alpha` in radians, in (0, pi/2); None is pi/4.
        A tensor (scalar, or ``(G,)`` for one a cone) may be learnt; its range is the caller's.
    double : bool
        Use the odd weight :math:`\varphi(r) - \varphi(-r)`: past cone as well as future cone.
        Its fixed set is not convex; the papers name a double cone without a formula, this one is ours.
    s2 : {"cone", "pointwise"}
        What ``S = 2`` means: the formula, or by the papers' convention ReLU (``hard``) or SiLU (``soft``)
        on all channels. No effect for other ``S``.
    eps : float
        Added to the norm. The papers use 1e-7; 0 keeps homogeneity and idempotence exact.
    save : {"input", "output"}
        What is kept for the backward pass. ``output`` keeps the output, which a layer that follows keeps anyway,
        and one norm a cone (in float32 for half types); for ``hard``, ``axis_mode="pass"``, ``p=2``.
        It takes more time, and cannot be differentiated twice.
        Compilers and ``torch.func`` decide for themselves what they keep.
    backend : {"reference", "fused", "blocked", "triton"}, optional
        Force a way to compute; None chooses one, and :func:`colu.kernels.explain` says which.

    Returns
    -------
    Tensor
        Shape, dtype and memory format of ``x``.

    Raises
    ------
    ValueError
        Channels that do not fit (with the nearest sizes that do), options out of range or without a joint
        meaning.

    Notes
    -----
    O(C) operations and no parameters.
    Norms are scaled by the largest entry, so nothing over- or underflows; half types are computed in float32.
    Where ``s = 0`` the section of the output is 0 and the gradient finite; for ``sqrt`` and ``log``,
    whose slope there is infinite, the ratio is held at 1e8.
    ``hard`` is idempotent, positively homogeneous and Lipschitz with constant :math:`\sqrt 2`
    (p=2, 45 degrees), so it is no nearest-point projection; :func:`soc_projection` is.

    References
    ----------
    Fu and Cohen, "Conic Activation Functions", UniReps 2024, PMLR 285, equations 1 to 3.

    Examples
    --------
    >>> import torch
    >>> colu(torch.tensor([[1.0, 3.0, 4.0]]), dim=3)
    tensor([[1.0000, 0.6000, 0.8000]])
    >>> colu(torch.tensor([[-1.0, 3.0, 4.0]]), dim=3)
    tensor([[-1.,  0.,  0.]])
    """
    check_floating(x, "colu")
    check_options(scaling, axis_mode, layout, p, angle, double, s2, eps)
    refuse(save, scaling, axis_mode, p, angle, double)
    c = check_channel_dim(x, channel_dim)
    groups, size = count_groups(x.shape[c], dim, num_groups, share_axis)
    if groups == 0 or (size == 1 and axis_mode == "pass"):
        return x
    if size == 2 and s2 == "pointwise":
        return _pointwise(x, scaling, angle, double)
    if save == "output" and not plain(x):
        options = dict(dim=dim, num_groups=num_groups, channel_dim=c, share_axis=share_axis, layout=layout)
        function = functools.partial(colu, **options, angle=angle, eps=eps, backend=backend)
        return from_output(x, function, c, groups, size, share_axis, layout, angle, eps)
    y = accelerated(
        x, backend, "colu", c, groups, size, _lacking(size, scaling, axis_mode, p, angle, double),
        scaling=scaling, share_axis=share_axis, layout=layout, angle=angle, eps=eps,
    )  # fmt: skip
    if y is not None:
        return y
    options = (scaling, axis_mode, share_axis, layout, p, angle, double, eps)
    if channels_are_innermost(x, c):
        return _colu_blocks(x.movedim(c, -1), x.dim() - 1, groups, size, *options).movedim(-1, c)
    return _colu_blocks(x, c, groups, size, *options)


def _lacking(size, scaling, axis_mode, p, angle, double) -> str | None:
    """The option that only the reference has, for the message; None if all are common."""
    if size == 1:
        return "cones without a section"
    if scaling not in ("hard", "soft"):
        return f"scaling={scaling!r}"
    if axis_mode != "pass":
        return f"axis_mode={axis_mode!r}"
    if p != 2:
        return f"p={p!r}"
    if isinstance(angle, Tensor):
        return "an angle that is a tensor"
    return "double=True" if double else None


def _colu_blocks(x, c, groups, size, scaling, axis_mode, share_axis, layout, p, angle, double, eps):
    wide = working(x)
    axis, section = split(wide, c, groups, size, share_axis, layout)
    if axis_mode == "rectify":
        axis = rectified(axis, scaling)
    if size > 1:
        section = section * cone_weight(axis, section, c + 1, scaling, p, _tangent(angle, axis, c, groups), double, eps)
    return join(axis, section, c, share_axis, layout).to(x.dtype)


def rectified(axis: Tensor, scaling: str) -> Tensor:
    """The axis in ``axis_mode="rectify"``: SiLU for the sigmoid weights, ReLU for the others."""
    return F.silu(axis) if scaling in ("soft", "firm") else F.relu(axis)


def check_options(scaling, axis_mode, layout, p, angle, double, s2, eps) -> None:
    """Refuse options out of range or without a joint meaning; shared with :mod:`colu.nn`."""
    check_choice("scaling", scaling, SCALINGS)
    check_choice("axis_mode", axis_mode, AXIS_MODES)
    check_choice("layout", layout, LAYOUTS)
    check_choice("s2", s2, ("cone", "pointwise"))
    check_angle(angle)
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not p >= 1:
        raise ValueError(f"p={p!r} is no norm; use a number >= 1 or math.inf")
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps={eps!r} is out of range; use a number >= 0")
    if double and axis_mode == "rectify":
        raise ValueError(
            "double=True with axis_mode='rectify' has no meaning: "
            "the rectified axis never points into the past cone; use axis_mode='pass'"
        )


def check_angle(angle) -> None:
    """Refuse a fixed angle outside (0, pi/2); tensors are the caller's."""
    if angle is None or isinstance(angle, Tensor):
        return
    if isinstance(angle, bool) or not isinstance(angle, (int, float)) or not 0 < angle < math.pi / 2:
        raise ValueError(f"angle={angle!r} is out of range; use a half-apex angle in radians between 0 and pi/2")


def _pointwise(x, scaling, angle, double):
    check_choice("scaling", scaling, ("hard", "soft")) if scaling in SCALINGS else None
    if angle is not None or double:
        option = "angle" if angle is not None else "double"
        raise ValueError(f"s2='pointwise' with dim=2 has no cone, so {option} has no meaning; use s2='cone'")
    return F.relu(x) if scaling == "hard" else F.silu(x)


def _tangent(angle, like, c, groups):
    if angle is None:
        return None
    if not isinstance(angle, Tensor):
        return math.tan(angle)
    return per_cone(angle, like, c, groups).tan()


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


def rcolu(
    x: Tensor,
    *,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
    scaling: str = "hard",
    axis_mode: str = "pass",
    share_axis: bool = False,
    layout: str = "blocks",
    p: float = 2,
    angle: float | Tensor | None = None,
    double: bool = False,
    eps: float = 0.0,
    backend: str | None = None,
) -> Tensor:
    r"""Rotated Conic Linear Unit: the axis is the homogeneous direction of each block.

    With :math:`e = \mathbf 1/\sqrt S`, :math:`x_e = (x \cdot e)\,e` and :math:`x_r = x - x_e`,

    .. math:: y = x_e + \varphi\!\left(\frac{(x\cdot e)\tan\alpha}{\lVert x_r\rVert + \varepsilon}\right) x_r
                = H\,\mathrm{CoLU}(H x),

    where :math:`H` is the Householder reflection that swaps :math:`e_1` and :math:`e`.

    Parameters
    ----------
    x : Tensor
        Shape ``(..., C, ...)``, real floating, as for :func:`colu`.
    dim, num_groups, channel_dim, scaling, axis_mode, layout, angle, double, eps, backend
        As for :func:`colu`.
    share_axis : bool
        One axis :math:`\mathbf 1/\sqrt C` for all cones; :math:`H` then acts on all channels.
    p : float
        Order of the norm of the section in the reflected coordinates :math:`Hx`.

    Returns
    -------
    Tensor
        Shape, dtype and memory format of ``x``.

    Raises
    ------
    ValueError
        As for :func:`colu`.

    Notes
    -----
    Printed equation 5 clips the wrong way and takes the norm of the axis part;
    taken literally it is the identity.
    For ``S = 2`` this is not ReLU: it keeps the sum of the block, (2, -1) goes to (1, 0).

    References
    ----------
    Fu and Cohen, "Conic Activation Functions", UniReps 2024, PMLR 285, equation 5 (as intended).

    Examples
    --------
    >>> import torch
    >>> rcolu(torch.tensor([[2.0, -1.0]]), dim=2).round(decimals=6) + 0.0
    tensor([[1., 0.]])
    """
    check_floating(x, "rcolu")
    check_options(scaling, axis_mode, layout, p, angle, double, "cone", eps)
    c = check_channel_dim(x, channel_dim)
    groups, size = count_groups(x.shape[c], dim, num_groups, share_axis)
    if groups == 0 or (size == 1 and axis_mode == "pass"):
        return x
    y = accelerated(
        x, backend, "rcolu", c, groups, size, _lacking(size, scaling, axis_mode, p, angle, double),
        scaling=scaling, share_axis=share_axis, layout=layout, angle=angle, eps=eps,
    )  # fmt: skip
    if y is not None:
        return y
    if not share_axis and layout == "blocks" and p == 2 and axis_mode == "pass":
        if channels_are_innermost(x, c):
            y = _rcolu_blocks(x.movedim(c, -1), x.dim() - 1, groups, size, scaling, angle, double, eps)
            return y.movedim(-1, c)
        return _rcolu_blocks(x, c, groups, size, scaling, angle, double, eps)
    reflected = _reflect(working(x).movedim(c, -1), groups, size, share_axis, layout)
    options = (scaling, axis_mode, share_axis, layout, p, angle, double, eps)
    y = _colu_blocks(reflected, x.dim() - 1, groups, size, *options)
    y = _reflect(y, groups, size, share_axis, layout)
    y = y.movedim(-1, c).to(x.dtype)
    return y if channels_are_innermost(x, c) or c == x.dim() - 1 else y.contiguous()


def _rcolu_blocks(x, c, groups, size, scaling, angle, double, eps):
    blocks = working(x).unflatten(c, (groups, size))
    mean = blocks.mean(c + 1, keepdim=True)
    # The explicit difference keeps its digits when the mean is large; sum of squares minus square does not.
    rest = blocks - mean
    axis = mean * math.sqrt(size)
    weight = cone_weight(axis, rest, c + 1, scaling, 2, _tangent(angle, axis, c, groups), double, eps)
    return (mean + weight * rest).flatten(c, c + 1).to(x.dtype)


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
