"""The optimiser of a plan."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from .plan import Plan

__all__ = ["MatrixMuon", "make_optimiser"]


def _polar(matrix: torch.Tensor) -> torch.Tensor:
    """The part of ``U V^T`` whose singular values are not 0 to rounding: what is 0 has no direction."""
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    kept = values > values.max() * torch.finfo(matrix.dtype).eps ** 0.5
    return u * kept @ v


def _near_polar(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Near ``U V^T``: singular values go to about 1, by the polynomial of Muon, in the precision of the matrix."""
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    near = wide / wide.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = near @ near.T
        near = 3.4445 * near + (-4.7750 * gram + 2.0315 * gram @ gram) @ near
    return near.T if matrix.shape[0] > matrix.shape[1] else near


class _Polar(torch.optim.Optimizer):
    """Muon for filters, and without its approximations; see :class:`MatrixMuon`."""

    def __init__(self, params, lr: float, momentum: float, weight_decay: float, *, exact: bool = True) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._direction = _polar if exact else _near_polar

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(mean, group["momentum"])  # Nesterov
                ahead = ahead.flatten(1)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                rate = group["lr"] * max(1, ahead.shape[0] / ahead.shape[1]) ** 0.5
                p.sub_(self._direction(ahead).reshape(p.shape), alpha=rate)


class MatrixMuon(torch.optim.Optimizer):
    r"""Muon for parameters that are matrices and for filters, SGD with Nesterov momentum for all others.

    A matrix moves against the polar factor :math:`P` of its momentum :math:`M = U \Sigma V^\top`, scaled by its shape,

    .. math:: W &\leftarrow (1 - \eta\lambda) W - \eta c\, P(M), \\
              c &= \sqrt{\max(1, m/n)}, \\
              P(M) &= U V^\top,

    where torch takes five steps of an iteration in bfloat16 in place of :math:`P`.  The filters of a convolution are a
    matrix with a row for each of them; the same steps are taken in the precision of the weights.

    Parameters
    ----------
    params : iterable of Tensor
        Those with two dimensions are matrices of shape :math:`(m, n)`, those with more are filters.
    lr : float
        Of all, as are the two others.
    momentum, weight_decay : float
        Decay is decoupled for matrices and filters, and L2 for the others.
    exact : bool
        Whether :math:`P` is computed as it is written, by a singular value decomposition in the precision of the
        weights: slow, and the same in every frame to rounding, which torch's is to bfloat16 only.

    Raises
    ------
    ValueError
        If there are no matrices or filters.

    References
    ----------
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.

    Examples
    --------
    >>> model = nn.Linear(3, 2)
    >>> optimiser = MatrixMuon(model.parameters(), lr=0.1)
    >>> [len(group["params"]) for group in optimiser.param_groups]
    [1, 1]
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        exact: bool = False,
    ) -> None:
        params = list(params)
        matrices, filters = [p for p in params if p.ndim == 2], [p for p in params if p.ndim > 2]
        rest = [p for p in params if p.ndim < 2]
        if not matrices + filters:
            raise ValueError("Muon moves matrices and this model has none: take another optimiser")
        both = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self._parts: list[torch.optim.Optimizer] = []
        if matrices:
            self._parts.append((_Polar if exact else torch.optim.Muon)(matrices, **both))
        if filters:
            self._parts.append(_Polar(filters, **both, exact=exact))
        if rest:
            self._parts.append(torch.optim.SGD(rest, nesterov=momentum > 0, foreach=True, **both))
        groups = [group for part in self._parts for group in part.param_groups]
        super().__init__([{"params": group["params"]} for group in groups], both)

    @torch.no_grad()
    def step(self, closure=None):
        """One step of each; the rate is that of this optimiser's groups, so that a schedule can set it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part, mine in zip(self._parts, self.param_groups, strict=True):
            part.param_groups[0]["lr"] = mine["lr"]
            part.step()
            self.state.update(part.state)
        return loss

    def load_state_dict(self, state_dict: dict) -> None:
        """As of every optimiser; each part goes on from its own share of the state."""
        super().load_state_dict(state_dict)
        for part, mine in zip(self._parts, self.param_groups, strict=True):
            part.state.clear()
            part.state.update({p: self.state[p] for p in mine["params"] if p in self.state})


def make_optimiser(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """The optimiser that a plan asks for, of all parameters that are trained."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    both = {"lr": plan.learning_rate, "weight_decay": plan.weight_decay}
    if plan.optimiser == "muon":
        return MatrixMuon(parameters, momentum=plan.momentum, **both)
    # All tensors in one call: the same bits, in two thirds of the time for a deep network on a CPU.
    if plan.optimiser == "sgd":
        return torch.optim.SGD(parameters, momentum=plan.momentum, nesterov=plan.momentum > 0, foreach=True, **both)
    cls = torch.optim.Adam if plan.optimiser == "adam" else torch.optim.AdamW
    return cls(parameters, betas=plan.betas, foreach=True, **both)
