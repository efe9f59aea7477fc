"""Conic Linear Units: the skew projection onto cones, block by block."""

__all__ = ["colu", "rcolu"]

from torch import Tensor

from colu.checks import check_floating
from colu.kernels.call import conic_call
from colu.kernels.dispatch import dispatch


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

    .. math:: y_a &= a, \quad y_s = \varphi(r)\, s, \\
              r &= \frac{a \tan\alpha}{\lVert s\rVert_p + \varepsilon},

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
        It takes more time, can be differentiated once only, and takes one gradient at a time (no
        ``is_grads_batched``).
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

    The map of the author's package jax-colu is ``axis_mode="rectify", layout="axes_first", eps=1e-7`` on the last
    dimension; the code of 2024, di-f-fu-sion, has ``axis_mode="pass", s2="pointwise"`` with the other two.
    For ``sqrt`` jax-colu's gradient is NaN where the axis is negative; in di-f-fu-sion ``sqrt`` itself is NaN there,
    and ``log`` takes a maximum over the batch.
    ``CoLU`` in the package torch_activation is the *Collapsing* Linear Unit, another function.

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
    call = conic_call(
        x.shape, "colu", dim, num_groups, channel_dim, scaling, axis_mode, share_axis, layout, p, angle, double, s2,
        eps, save,
    )  # fmt: skip
    return dispatch(x, call, backend)


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

    .. math:: y &= x_e + \varphi\!\left(\frac{(x\cdot e)\tan\alpha}{\lVert x_r\rVert + \varepsilon}\right) x_r \\
              &= H\,\mathrm{CoLU}(H x),

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
    The map of jax-colu is ``axis_mode="rectify", eps=1e-7`` on the last dimension.
    The author's code of 2024, di-f-fu-sion, lets the axis pass, and for ``soft`` holds a negative ratio at 0 before the
    sigmoid: where the axis is negative it is another function than its own soft ``colu`` and ours.

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
    call = conic_call(
        x.shape, "rcolu", dim, num_groups, channel_dim, scaling, axis_mode, share_axis, layout, p, angle, double,
        "cone", eps,
    )  # fmt: skip
    return dispatch(x, call, backend)
