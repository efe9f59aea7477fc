"""What a call costs beside its arithmetic: CoLU on a tensor so small that only the way to the kernel counts."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from colu.functional import colu
from colu.nn import CoLU

from .measure import interleave, ratio_quartiles

__all__ = ["overhead"]


class Nothing(torch.autograd.Function):
    """The floor: an autograd function in Python that allocates and does nothing."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return torch.empty_like(grad)


def overhead(*, rounds: int = 200, least: float = 1e-3, seed: int = 0) -> dict[str, dict[str, float]]:
    """CPU time of 256 entries on the CPU, as the median ratio to ``F.silu`` in the same round.

    Run it with one thread, as ``OMP_NUM_THREADS=1``: a pool that wakes is counted too.

    Parameters
    ----------
    rounds : int
        Rounds that are kept.
    least : float
        Seconds that a measurement takes at least.
    seed : int
        Of the order within the rounds.

    Returns
    -------
    dict of dict
        For ``forward`` without gradients, ``recorded`` with them and ``both`` with the backward pass:
        the ratios of ``colu``, ``CoLU`` and the floor ``empty``, an autograd function that does nothing.

    Examples
    --------
    >>> found = overhead(rounds=2, least=1e-5)
    >>> {what: sorted(ratios) for what, ratios in found.items()}["both"]
    ['CoLU', 'colu', 'empty', 'silu']
    """
    plain, gradient = torch.randn(2, 4, 64, generator=torch.Generator().manual_seed(seed))
    leaf = plain.clone().requires_grad_()
    arms = {"silu": F.silu, "empty": Nothing.apply, "colu": lambda x: colu(x, dim=4), "CoLU": CoLU(dim=4)}
    ways = {
        "forward": lambda f: lambda: f(plain),
        "recorded": lambda f: lambda: f(leaf),
        "both": lambda f: lambda: torch.autograd.grad(f(leaf), leaf, gradient),
    }
    found = {}
    for what, way in ways.items():
        functions = {name: way(f) for name, f in arms.items()}
        times = interleave(functions, rounds=rounds, least=least, seed=seed, clock=time.process_time)
        found[what] = {name: middle for name, (middle, _, _) in ratio_quartiles(times, "silu").items()}
    return found
