"""Equivariant activations that scale whole vectors: norm-ReLU, modReLU and gates."""

__all__ = ["gated", "modrelu", "norm_relu"]

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
    Worrall et al., Harmonic Networks, CVPR 2017, arXiv 1612.04642; form after the package escnn, which keeps
    :math:`\log b` and takes norms of at most 1e-10 for 0.

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


def modrelu(x: Tensor, bias: float | Tensor, *, channel_dim: int = 1) -> Tensor:
    r"""ModReLU: move the modulus of every complex number by ``bias``, and keep its phase.

    .. math:: f(z) = \max(|z| + b, 0)\, \frac{z}{|z|}, \ f(0) = 0

    For :math:`b \le 0` it is :func:`norm_relu` of two dimensions with the radius :math:`-b`; for :math:`b > 0` it jumps
    at 0.

    Parameters
    ----------
    x : Tensor
        ``(..., 2 K, ...)``: ``K`` complex numbers, real and imaginary parts side by side as in
        ``torch.view_as_real``; floating.
    bias : float or Tensor
        ``b``; a number or ``(K,)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, 2 K)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        An odd number of channels, or biases of another number.

    References
    ----------
    Arjovsky, Shah and Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016, arXiv 1511.06464.

    Examples
    --------
    >>> modrelu(torch.tensor([[3.0, 4.0, 0.0, 0.5]]), -1.0)
    tensor([[2.4000, 3.2000, 0.0000, 0.0000]])
    """
    check_floating(x, "modrelu")
    c = check_channel_dim(x, channel_dim)
    groups, _ = groups_of(x.shape, c, 2, None)
    z = x.unflatten(c, (groups, 2))
    modulus = safe_norm(z, c + 1)
    # Phase first: a modulus over one that is nearly 0 would overflow where the bias is positive.
    phase = z / torch.where(modulus > 0, modulus, 1)
    return (phase * torch.relu(modulus + _per_group(bias, groups, x, c, "bias"))).flatten(c, c + 1)


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
    Weiler et al., 3D Steerable CNNs, NeurIPS 2018, arXiv 1807.02547; form after the package escnn, whose gates may
    stand anywhere and need not be used up, and whose layer returns float32 whatever it gets.

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
