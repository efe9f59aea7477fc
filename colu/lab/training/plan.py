"""How long and how to train: a plan is data, checked when it is made."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import StrictBool
from pydantic.dataclasses import dataclass

from colu.lab.fields import CLOSED, Count, Whole, number

__all__ = ["Plan", "learning_rate"]

Positive = number(gt=0)
Share = number(gt=0, lt=1)
Decay = number(ge=0, lt=1)


@dataclass(frozen=True, kw_only=True, config=CLOSED)
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
    optimiser : {"adam", "adamw", "muon", "sgd"}
        ``sgd`` is with Nesterov momentum; ``muon`` is :class:`colu.lab.training.MatrixMuon`.
    weight_decay, momentum : float
        Decay is L2 for ``adam`` and ``sgd``, decoupled for ``adamw`` and the matrices and filters of ``muon``.
    betas : tuple of float
        Of Adam.
    schedule : {"constant", "cosine", "linear", "steps"}
        After the warm-up; ``cosine`` and ``linear`` fall to 0, and ``steps`` divides by ten at each of
        ``milestones`` (shares of the budget).
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
        For a value outside its range, of pydantic; it names field, value and what was wanted.

    Examples
    --------
    >>> Plan(steps=100, batch_size=32, learning_rate=1e-3).optimiser
    'adam'
    """

    steps: Count
    batch_size: Count
    learning_rate: Positive
    optimiser: Literal["adam", "adamw", "muon", "sgd"] = "adam"
    weight_decay: number(ge=0) = 0.0
    momentum: Decay = 0.9
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    schedule: Literal["constant", "cosine", "linear", "steps"] = "constant"
    milestones: tuple[Share, ...] = (0.5, 0.75)
    warmup: Whole = 0
    clip_norm: Positive | None = None
    ema_decay: Share | None = None
    log_every: Count = 50
    evaluate_every: Whole = 0
    checkpoint_every: Whole = 0
    compile: StrictBool = False


def learning_rate(plan: Plan, step: int) -> float:
    r"""Learning rate of update ``step`` (from 0).

    With peak :math:`\eta`, :math:`w` steps of warm-up and :math:`T` steps it is :math:`\eta\,(t+1)/w` for :math:`t<w`,
    and after that :math:`\eta`, or :math:`\tfrac12\eta(1+\cos\pi\tfrac{t-w}{T-w})`,
    or :math:`\eta(1-\tfrac{t-w}{T-w})`, or :math:`\eta\,10^{-k}` past :math:`k` milestones.

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
    if plan.schedule == "linear":
        return plan.learning_rate * (1 - done)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
