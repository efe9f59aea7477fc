"""Maps onto the simplex as modules: softmax and sparsemax over the channels."""

from torch import Tensor, fx, nn

from colu.checks import check_axis
from colu.functional import sparsemax

from ._facts import permutations, shown
from .registry import register

__all__ = ["Softmax", "Sparsemax"]

fx.wrap("sparsemax")


class Softmax(nn.Softmax):
    r"""Softmax over the channels: torch's, under the name that the channels have here.

    .. math:: f(x)_c = \frac{e^{x_c}}{\sum_k e^{x_k}}

    Parameters
    ----------
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Examples
    --------
    >>> import torch
    >>> Softmax()(torch.zeros(1, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(self, channel_dim: int = 1):
        super().__init__(check_axis(channel_dim))

    @property
    def channel_dim(self) -> int:
        """Position of the channels."""
        return self.dim

    @channel_dim.setter
    def channel_dim(self, place: int) -> None:
        self.dim = place

    def extra_repr(self) -> str:
        return shown(self.channel_dim).removeprefix(", ")


class Sparsemax(nn.Module):
    r"""Sparsemax over the channels, :func:`colu.functional.sparsemax`.

    .. math:: f(x) &= \max(x - \tau(x), 0), \\
              \sum_c f(x)_c &= 1

    Parameters
    ----------
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    References
    ----------
    Martins and Astudillo, ICML 2016, arXiv 1602.02068.

    Examples
    --------
    >>> import torch
    >>> Sparsemax()(torch.tensor([[2.0, 0.0, 0.0]]))
    tensor([[1., 0., 0.]])
    """

    def __init__(self, channel_dim: int = 1):
        super().__init__()
        self.channel_dim = check_axis(channel_dim)

    def forward(self, x: Tensor) -> Tensor:
        return sparsemax(x, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return shown(self.channel_dim).removeprefix(", ")


register(
    "softmax",
    Softmax,
    r"e^{x_c} / \textstyle\sum_k e^{x_k}",
    symmetry=permutations(),
    lipschitz=0.5,
    notes="Outputs sum to 1.",
)
register(
    "sparsemax",
    Sparsemax,
    r"\max(x_c - \tau(x), 0)",
    citation="martins2016sparsemax",
    symmetry=permutations(),
    lipschitz=1.0,
    notes="Outputs sum to 1: the nearest point of the simplex.",
)
