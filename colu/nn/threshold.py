"""The threshold activation as a module."""

import torch
from torch import Tensor, nn

from colu.channels import check_channels
from colu.checks import check_axis, check_int, check_number
from colu.functional import threshold

from ._facts import permutations, shown
from .registry import register

__all__ = ["Threshold"]


class Threshold(nn.Module):
    r"""Threshold activation, :func:`colu.functional.threshold`, with an amplitude a channel that is learnt.

    .. math:: f(x_c) = s_c\,\mathbf 1\{x_c \ge 0\}

    :mod:`colu.lab.models` trains two layers of it exactly, as a Lasso.

    Parameters
    ----------
    num_channels : int
        Channels.
    window : float
        Half the width of the ramp whose slope stands in for the derivative.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    References
    ----------
    Ergen et al., ICLR 2023, arXiv 2303.03382; the ramp is ours.

    Examples
    --------
    >>> Threshold(2)(torch.tensor([[-1.0, 2.0]])).detach()
    tensor([[0., 1.]])
    """

    def __init__(self, num_channels: int, window: float = 1.0, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        window = check_number("window", window, "use a number >= 0", ge=0)
        self.window, self.channel_dim = window, check_axis(channel_dim)
        self.amplitude = nn.Parameter(torch.ones(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, len(self.amplitude), "Threshold", self.channel_dim)
        return threshold(x, self.amplitude, self.window, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{len(self.amplitude)}, window={self.window}{shown(self.channel_dim)}"


register(
    "threshold",
    Threshold,
    r"s_c\,\mathbf 1\{x \ge 0\}",
    citation="ergen2023threshold",
    parameters=lambda channels: channels,
    parameter_formula="C",
    symmetry=permutations(carries={"amplitude": 0}),
    homogeneity="of degree 0",
    pointwise=True,
    needs_channels=True,
    notes="Straight-through gradient.",
)
