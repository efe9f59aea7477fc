"""Equivariant activations that scale whole vectors: norm-ReLU and gates."""

__all__ = ["gated", "norm_relu"]

import torch
from torch import Tensor

from colu.blocks import groups_of
from colu.channels import safe_norm, taken
from colu.checks import check_channel_dim, check_floating


def norm_relu(
    x: Tensor,
    bias: float | Tensor = 1.0,
    *,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
) -> Tensor:
    r"""Norm-ReLU: shorten every vector by ``bias``, down to 0.

    .. math:: f(v) = \max(\|v\| - b, 0)\, \frac{v}{\|v\|}

    It commutes with O(S) in each group; the ball of radius ``b`` goes to 0.

    Parameters
    ----------
    x : Tensor
        ``(..., C, ...)`` of ``G`` vectors of ``S`` neighbouring channels, floating.
    bias : float or Tensor
        ``b``; a number or ``(G,)``.
    dim, num_groups : int, optional
        ``S`` or ``G``; ``dim=4`` if neither is given.
    channel_dim : int
        Position of the channels.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        Channels or biases that do not fit.

    References
    ----------
    Worrall et al., Harmonic Networks, CVPR 2017, arXiv 1612.04642; form after the package escnn.

    Examples
    --------
    >>> norm_relu(torch.tensor([[3.0, 4.0, 0.3, 0.4]]), dim=2)
    tensor([[2.4000, 3.2000, 0.0000, 0.0000]])
    """
    check_floating(x, "norm_relu")
    c = check_channel_dim(x, channel_dim)
    groups, size = groups_of(x.shape, c, dim, num_groups)
    if groups == 0:
        return x
    v = x.unflatten(c, (groups, size))
    bias = _per_group(bias, groups, x, c, "bias")
    norm = safe_norm(v, c + 1)
    # Without the floor a vector of 0 would give 0 / 0.
    return (v * (torch.relu(norm - bias) / norm.clamp(min=torch.finfo(norm.dtype).tiny))).flatten(c, c + 1)


def gated(
    x: Tensor,
    bias: float | Tensor = 0.0,
    *,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
) -> Tensor:
    r"""Gated nonlinearity: every vector times the sigmoid of its own scalar, which is used up.

    .. math:: f(g, v) = \sigma(g - b)\, v

    It commutes with O(S) on each vector.
    Soft CoLU is such a gate with :math:`x_1 / \|v\| - 1/2` in place of :math:`g - b`, and keeps the scalar.

    Parameters
    ----------
    x : Tensor
        ``G`` gates, then ``G`` vectors of ``S`` channels: ``(..., G (1 + S), ...)``, floating.
    bias : float or Tensor
        ``b``; a number or ``(G,)``.
    dim, num_groups : int, optional
        ``S`` or ``G``; ``dim=4`` if neither is given.
    channel_dim : int
        Position of the channels.

    Returns
    -------
    Tensor
        ``G S`` channels.

    Raises
    ------
    ValueError
        Channels or biases that do not fit.

    References
    ----------
    Weiler et al., 3D Steerable CNNs, NeurIPS 2018, arXiv 1807.02547; form after the package escnn.

    Examples
    --------
    >>> gated(torch.tensor([[0.0, 3.0, 4.0]]), dim=2)
    tensor([[1.5000, 2.0000]])
    """
    check_floating(x, "gated")
    c = check_channel_dim(x, channel_dim)
    dim = 4 if dim is None and num_groups is None else dim
    groups, size = groups_of(x.shape, c, None if dim is None else dim + 1, num_groups)
    if groups == 0:
        return x
    gates, vectors = x.split((groups, groups * (size - 1)), c)
    gates = torch.sigmoid(gates.unsqueeze(c + 1) - _per_group(bias, groups, x, c, "bias"))
    return (gates * vectors.unflatten(c, (groups, size - 1))).flatten(c, c + 1)


def _per_group(value: float | Tensor, groups: int, x: Tensor, c: int, name: str) -> float | Tensor:
    """Shape ``(G,)`` for broadcasting with ``x`` split into groups at ``c``."""
    if not isinstance(value, Tensor) or value.dim() == 0:
        return value
    if value.shape != (groups,):
        raise ValueError(f"{name} has shape {tuple(value.shape)}, the {groups} groups want one each{taken(x.shape, c)}")
    return value.view(-1, *[1] * (x.dim() - c))
