"""EvoNorm: normalisation and activation in one formula."""

__all__ = ["evonorm_b0", "evonorm_s0"]

from torch import Tensor, maximum, sigmoid

from colu.channels import check_multiple, check_samples, per_channel, positions
from colu.checks import check_floating, check_int


def instance_variance(x: Tensor, place: int = 1) -> Tensor:
    """Variance over positions, biased: ``(N, C, ...)`` to ``(N, C, 1, ...)``; 0 where there is one position."""
    over = positions(x, place)
    return x.var(over, correction=0, keepdim=True) if over else x * 0


def group_variance(x: Tensor, num_groups: int, channel_dim: int = 1) -> Tensor:
    """Variance over groups of neighbouring channels and positions, biased, in a shape that broadcasts with ``x``.

    Raises
    ------
    ValueError
        Groups that do not divide the channels.
    """
    num_groups = check_int("num_groups", num_groups, 1)
    place = check_multiple(x, num_groups, "num_groups", channel_dim)
    groups = x.unflatten(place, (num_groups, x.shape[place] // num_groups))
    variance = groups.var(positions(groups, place), correction=0, keepdim=True)
    return variance.expand_as(groups).flatten(place, place + 1)


def evonorm_b0(
    x: Tensor, batch_variance: Tensor, v: Tensor | float = 1.0, eps: float = 1e-5, *, channel_dim: int = 1
) -> Tensor:
    r"""EvoNorm-B0 without its affine map.

    .. math:: f(x) &= x / \max(d_b, d_i), \\
              d_b &= \sqrt{s^2_b + \epsilon}, \\
              d_i &= v_1 x + \sqrt{s^2_i + \epsilon}

    with :math:`s^2_b` the variance of a channel over the batch and positions, :math:`s^2_i` that over the positions of
    one sample.
    No activation is written, yet it is not linear: where the second term wins it saturates.

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``, floating.
    batch_variance : Tensor
        ``(C,)``.
    v : Tensor or float
        :math:`v_1`, ``(C,)`` or a number.
    eps : float
        :math:`\epsilon`.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``, and for ``(N, T, C)``, whose positions are the tokens.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Liu, Brock, Simonyan and Le, Evolving Normalization-Activation Layers, NeurIPS 2020, arXiv 2004.02967 (abstract and
    public reviews); the form is a code audit of the package timm and of github.com/digantamisra98/EvoNorm.
    Both variances are biased, as in the package timm; some third-party code takes the unbiased one of an instance.

    Examples
    --------
    >>> import torch
    >>> evonorm_b0(torch.tensor([[2.0], [-2.0]]), torch.tensor([4.0]), eps=0.0)
    tensor([[ 1.],
            [-1.]])
    """
    check_floating(x, "evonorm_b0")
    place = check_samples(x, len(batch_variance), "evonorm_b0", channel_dim)
    batch = (per_channel(batch_variance, x, "batch_variance", place) + eps).sqrt()
    return x / maximum(batch, per_channel(v, x, "v", place) * x + (instance_variance(x, place) + eps).sqrt())


def evonorm_s0(
    x: Tensor, num_groups: int, v: Tensor | float = 1.0, eps: float = 1e-5, *, channel_dim: int = 1
) -> Tensor:
    r"""EvoNorm-S0 without its affine map: swish over the standard deviation of a group of channels.

    .. math:: f(x) = \frac{x\,\sigma(v_1 x)}{\sqrt{s^2_g + \epsilon}}

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``, floating.
    num_groups : int
        Groups of neighbouring channels; must divide ``C``.
    v : Tensor or float
        :math:`v_1`, ``(C,)`` or a number.
    eps : float
        :math:`\epsilon`.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``, and for ``(N, T, C)``, whose positions are the tokens.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Liu, Brock, Simonyan and Le, Evolving Normalization-Activation Layers, NeurIPS 2020, arXiv 2004.02967 (abstract and
    public reviews); the form is a code audit of the package timm and of github.com/digantamisra98/EvoNorm.
    The variance is biased, as in the package timm; some third-party code takes the unbiased one.
    Timm computes it in float32 always.

    Examples
    --------
    >>> import torch
    >>> evonorm_s0(torch.tensor([[1.0, -1.0]]), 1, eps=0.0)
    tensor([[ 0.7311, -0.2689]])
    """
    check_floating(x, "evonorm_s0")
    swished = x * sigmoid(per_channel(v, x, "v", channel_dim) * x)
    return swished / (group_variance(x, num_groups, channel_dim) + eps).sqrt()
