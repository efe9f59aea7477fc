"""GReLU: a piecewise linear activation on the nodes of a graph, with slopes from the graph."""

import torch
from torch import Tensor, nn

from colu.checks import check_int
from colu.functional import dynamic_relu

from ._facts import READS, permutations
from .registry import register

__all__ = ["GReLU"]


class GReLU(nn.Module):
    r"""Graph-adaptive ReLU: the maximum of K lines, whose slopes have a factor a node and a factor a channel.

    .. math:: y_{ij} &= \max_k (\alpha^k_{ij} x_{ij} + \beta^k_{ij}), \\
              \alpha^k_{ij} &= \alpha^k_0 + \tanh(u^k_i)\,c^k_j, \\
              \beta^k_{ij} &= \tanh(w^k_i)\,d^k_j

    where :math:`(u, w) = W \hat A x` come from the mean over each node's neighbours and itself.

    Parameters
    ----------
    num_channels : int
        ``C`` of the node features ``(n, C)``.
    pieces : int
        ``K``.

    Notes
    -----
    The first slope starts from 1, all else from 0: ReLU, as :math:`c` and :math:`d` start from 0.
    Form after Zhang et al., 2022; the function of the graph is ours, since of theirs no more than the abstract and the
    introduction could be read.

    References
    ----------
    Zhang et al., Graph-adaptive Rectified Linear Unit for Graph Neural Networks, WWW 2022, arXiv 2202.06281.

    Examples
    --------
    >>> x = torch.tensor([[-1.0, 2.0], [3.0, -4.0]])
    >>> GReLU(2)(x, torch.ones(2, 2)).detach() + 0.0
    tensor([[0., 2.],
            [3., 0.]])
    """

    def __init__(self, num_channels: int, pieces: int = 2):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        pieces = check_int("pieces", pieces, 1)
        self.num_channels, self.pieces = num_channels, pieces
        self.node = nn.Linear(num_channels, 2 * pieces)
        self.slope = nn.Parameter(torch.zeros(pieces, num_channels))
        self.offset = nn.Parameter(torch.zeros(pieces, num_channels))
        self.register_buffer("first", torch.eye(pieces, 1), persistent=False)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """``(n, C)`` features and an ``(n, n)`` adjacency, dense or sparse, to ``(n, C)``."""
        n = len(x)
        if x.dim() != 2 or x.shape[1] != self.num_channels or adjacency.shape != (n, n):
            raise ValueError(
                f"GReLU wants features (n, {self.num_channels}) and adjacency (n, n), "
                f"got {tuple(x.shape)} and {tuple(adjacency.shape)}"
            )
        ones = torch.ones(n, 1, dtype=x.dtype, device=x.device)
        mean = (adjacency @ x + x) / (adjacency @ ones + 1)
        u, w = torch.tanh(self.node(mean)).unflatten(1, (2, self.pieces, 1)).unbind(1)
        return dynamic_relu(x, self.first + u * self.slope, w * self.offset)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, pieces={self.pieces}"


register(
    "grelu",
    GReLU,
    r"\max_k (\alpha^k_{ij} x_{ij} + \beta^k_{ij})",
    citation="zhang2022grelu",
    parameters=lambda channels: 4 * (channels + 1) + 4 * channels,
    parameter_formula="8C + 4",
    symmetry=permutations(carries={"slope": 1, "offset": 1, "node.weight": READS}),
    needs_channels=True,
    notes="On graphs, and commutes with permutations of the nodes; the function of the graph is ours.",
    mixes_positions=True,
    unfit="needs a graph beside its input",
)
