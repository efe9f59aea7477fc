"""The threshold activation with a straight-through gradient."""

__all__ = ["threshold"]

from torch import Tensor

from colu.channels import per_channel
from colu.checks import check_floating, check_number


def threshold(x: Tensor, amplitude: Tensor | float = 1.0, window: float = 1.0, *, channel_dim: int = 1) -> Tensor:
    r"""Threshold activation with a trainable amplitude.

    .. math:: f(x) = s\,\mathbf 1\{x \ge 0\}

    Its derivative in ``x`` is 0 almost everywhere.
    Backward uses that of a ramp instead, :math:`s / (2 w)` for :math:`|x| < w` (straight-through estimator).

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)`` where there is an amplitude a channel, else any shape; floating.
    amplitude : Tensor or float
        ``s``, a number or ``(C,)``.
    window : float
        ``w``; 0 gives the true derivative, 0.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        A negative window.

    References
    ----------
    Ergen et al., Globally Optimal Training of Neural Networks with Threshold Activation Functions, ICLR 2023,
    arXiv 2303.03382.
    The ramp is ours.

    Examples
    --------
    >>> import torch
    >>> threshold(torch.tensor([-1.0, 0.0, 2.0]), 3.0)
    tensor([0., 3., 3.])
    """
    check_floating(x, "threshold")
    window = check_number("window", window, "use a number >= 0", ge=0)
    step = (x >= 0).to(x.dtype)
    if window:
        ramp = x.clamp(-window, window) / (2 * window)
        # Adds exactly 0 to the value, and the slope of the ramp to the derivative.
        step = step + (ramp - ramp.detach())
    return per_channel(amplitude, x, "amplitude", channel_dim) * step
