"""How long and how to train: a plan is data, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Plan", "learning_rate"]

OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "steps")


@dataclass(frozen=True)
class Plan:
    """Optimiser, schedule and budget of one run.

    Attributes
    ----------
    steps : int
        Updates of the weights.
    batch_size : int
        Examples an update, over all processes together.
    learning_rate : float
        Largest learning rate.
    optimiser : {"adam", "adamw", "sgd"}
        ``sgd`` is with Nesterov momentum.
    weight_decay, momentum : float
        Decay is L2 for ``adam`` and ``sgd``, decoupled for ``adamw``.
    betas : tuple of float
        Of Adam.
    schedule : {"constant", "cosine", "steps"}
        After the warm-up; ``steps`` divides by ten at each of ``milestones`` (shares of the budget).
    warmup : int
        Steps of linear warm-up.
    clip_norm : float or None
        Largest norm of the gradient.
    ema_decay : float or None
        Decay of the average of weights that is evaluated instead of the weights.
    log_every, evaluate_every, checkpoint_every : int
        In steps; 0 for only at the end.
    compile : bool
        Whether ``torch.compile`` is used.

    Raises
    ------
    ValueError
        For a value outside its range; the message names it.

    Examples
    --------
    >>> Plan(steps=100, batch_size=32, learning_rate=1e-3).optimiser
    'adam'
    """

    steps: int
    batch_size: int
    learning_rate: float
    optimiser: str = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: str = "constant"
    milestones: tuple[float, ...] = (0.5, 0.75)
    warmup: int = 0
    clip_norm: float | None = None
    ema_decay: float | None = None
    log_every: int = 50
    evaluate_every: int = 0
    checkpoint_every: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for name in ("steps", "batch_size", "log_every"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}, wanted a whole number of at least 1")
        for name in ("warmup", "evaluate_every", "checkpoint_every"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} is {value!r}, wanted a whole number of at least 0")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate is {self.learning_rate!r}, wanted a positive number")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}, wanted at least 0")
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"optimiser is {self.optimiser!r}, choose one of {OPTIMISERS}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}, choose one of {SCHEDULES}")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"clip_norm is {self.clip_norm}, wanted a positive number or None")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}, wanted a number between 0 and 1, or None")


def learning_rate(plan: Plan, step: int) -> float:
    r"""Learning rate of update ``step`` (from 0).

    With peak :math:`\eta`, :math:`w` steps of warm-up and :math:`T` steps it is :math:`\eta\,(t+1)/w` for :math:`t<w`,
    and after that :math:`\eta`, or :math:`\tfrac12\eta(1+\cos\pi\tfrac{t-w}{T-w})`,
    or :math:`\eta\,10^{-k}` past :math:`k` milestones.

    Examples
    --------
    >>> plan = Plan(steps=10, batch_size=1, learning_rate=1.0, schedule="cosine", warmup=2)
    >>> [round(learning_rate(plan, t), 3) for t in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.038]
    """
    if step < plan.warmup:
        return plan.learning_rate * (step + 1) / plan.warmup
    if plan.schedule == "constant":
        return plan.learning_rate
    if plan.schedule == "steps":
        passed = sum(step >= share * plan.steps for share in plan.milestones)
        return plan.learning_rate * 0.1**passed
    done = (step - plan.warmup) / max(plan.steps - plan.warmup, 1)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
