"""The modern Hopfield layer."""

from torch import Tensor, nn

from colu.checks import check_int, check_number
from colu.functional import hopfield_update

from .registry import register

__all__ = ["Hopfield"]


class Hopfield(nn.Module):
    r"""Hopfield layer: states look up patterns, :func:`colu.functional.hopfield_update`, between linear maps.

    .. math:: & f(Y, X) \\
              & \quad = \mathrm{update}^T(Y W_q^\top, X W_k^\top)\, W_v^\top

    Parameters
    ----------
    num_channels : int
        Features of states, patterns and output, in the last dimension of ``(N, L, C)``.
    pattern_dim : int, optional
        ``d``, where the lookup happens; ``num_channels`` if not given.
    beta : float, optional
        Inverse temperature; :math:`1 / \sqrt d` if not given.
    steps : int
        Updates a call; one is attention.

    Notes
    -----
    :math:`W_q` and :math:`W_k` can be turned by the same orthogonal matrix (and :math:`W_v` back): the symmetry O(d) of
    attention.

    References
    ----------
    Ramsauer et al., Hopfield Networks is All You Need, ICLR 2021, arXiv 2008.02217.
    Without its normalisations and heads.

    Examples
    --------
    >>> import torch
    >>> Hopfield(8)(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, num_channels: int, pattern_dim: int | None = None, beta: float | None = None, steps: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        steps = check_int("steps", steps, 1)
        pattern_dim = num_channels if pattern_dim is None else pattern_dim
        pattern_dim = check_int("pattern_dim", pattern_dim, 1)
        if beta is not None:
            beta = check_number("beta", beta, "use a positive number", gt=0)
        self.beta, self.steps = beta, steps
        self.query = nn.Linear(num_channels, pattern_dim, bias=False)
        self.key = nn.Linear(num_channels, pattern_dim, bias=False)
        self.value = nn.Linear(pattern_dim, num_channels, bias=False)

    def forward(self, state: Tensor, stored: Tensor | None = None) -> Tensor:
        """``(N, L, C)`` states and ``(N, M, C)`` patterns, by default the states themselves, to ``(N, L, C)``."""
        stored = state if stored is None else stored
        return self.value(hopfield_update(self.query(state), self.key(stored), self.beta, self.steps))

    def extra_repr(self) -> str:
        return f"beta={self.beta}, steps={self.steps}"


register(
    "hopfield",
    Hopfield,
    r"X \mathrm{softmax}(\beta X^\top \xi)",
    citation="ramsauer2021hopfield",
    parameters=lambda channels: 3 * channels**2,
    parameter_formula="3C^2",
    needs_channels=True,
    kind="layer",
    mixes_positions=True,
    notes="O(d) may turn queries and keys together, between the linear maps; wants (N, L, C).",
)
