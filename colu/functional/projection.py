"""Euclidean projection onto second-order cones, block by block."""

__all__ = ["soc_projection"]

from torch import Tensor

from colu.checks import check_floating
from colu.kernels.call import conic_call
from colu.kernels.dispatch import dispatch


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

    .. math:: P(x) &= \begin{cases} x & n \cos\alpha \le t \sin\alpha \\ 0 & t \cos\alpha \le -n \sin\alpha \\
              w g & \text{otherwise,} \end{cases} \\
              w &= t\cos\alpha + n\sin\alpha, \\
              g &= \cos\alpha\; e + \sin\alpha\; v/n

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
    arXiv 2309.17194, of which the opening could be read: the form follows from Moreau's decomposition.

    Examples
    --------
    >>> import torch
    >>> soc_projection(torch.tensor([[0.0, 3.0, 4.0]]), dim=3, axis="coordinate")
    tensor([[2.5000, 1.5000, 2.0000]])
    """
    check_floating(x, "soc_projection")
    call = conic_call(x.shape, "mpu", dim, num_groups, channel_dim, layout=layout, angle=angle, axis=axis, leak=leak)
    return dispatch(x, call, backend)
