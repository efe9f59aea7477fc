"""A transport plan: how the units of a layer of one network become those of another, and how soft it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from colu.checks import check_choice

from .units import AXIS, Units

__all__ = ["KEPT", "MARGINAL_TOL", "PARTNERS", "DiffusePlanWarning", "Plan", "check_coupling", "softness"]

#: Largest relative error of a plan's marginals. Operators divide by the marginals that the plan has, so that an
#: error of 1 % moves the share of a partner by 1 % at most; entropic plans with little entropy come nearer slowly.
MARGINAL_TOL = 1e-2
#: Partners of a unit, on average, above which a plan is called diffuse. The mean of k uncorrelated units keeps
#: 1/sqrt(k) of their norm, a layer between two such plans 1/k: with two it keeps half.
PARTNERS = 2.0
#: Share of a layer's norm, of what a hard plan leaves, below which a carried network is doubted: see ``PARTNERS``.
KEPT = 0.5


class DiffusePlanWarning(UserWarning):
    """A plan that averages so many units that the carried network is hardly the parent any more."""


def check_coupling(coupling: Tensor, tol: float = MARGINAL_TOL) -> float:
    r"""The largest relative error of the marginals of a coupling, which should be uniform.

    Parameters
    ----------
    coupling : Tensor
        Shape ``(G_A, G_B)``: mass that unit g of A sends to unit h of B; total 1.
    tol : float
        Largest error that is let pass: 1 % by default, since operators divide by the marginals that are there.

    Raises
    ------
    ValueError
        For NaN, negative or zero mass, or marginals that are off: such a plan must not fuse anything.

    Examples
    --------
    >>> check_coupling(torch.full((2, 4), 0.125))
    0.0
    """
    _check_mass(coupling)
    errors = [(coupling.sum(axis) * coupling.shape[1 - axis] - 1).abs().max().item() for axis in (0, 1)]
    if max(errors) > tol:
        raise ValueError(
            f"the marginals of the plan are off by {max(errors):.2g} of a unit's mass (rows {errors[1]:.2g}, "
            f"columns {errors[0]:.2g}, wanted {tol:g}): it did not converge; raise max_iterations or eps, "
            "or use solver='emd', which needs neither"
        )
    return max(errors)


def _check_mass(coupling: Tensor) -> None:
    if not torch.isfinite(coupling).all():
        raise ValueError("the plan holds NaN or infinity; raise eps, or use solver='emd'")
    if (coupling < 0).any():
        raise ValueError(f"the plan holds the negative mass {coupling.min():.2g}; the solver failed")
    if not coupling.any():
        raise ValueError("the plan holds no mass, and would carry nothing; raise eps, or use solver='emd'")


@dataclass(frozen=True, eq=False)
class Plan:
    r"""How the units of one layer of A become those of the same layer of B.

    Parameters
    ----------
    source, target : Group
        The groups of the layer in A and in B; equal but for the number of units.
    coupling : Tensor
        Shape ``(G_A, G_B)``, total mass 1.
    turns : dict of int to Tensor
        For each set of a unit's channels that something acts on, its place and shape ``(G_B, G_A, k, k)``: what turns
        the set of g into the frame of h. Of a cone the section is set 1, or 0 where the axis is shared.
    solver : str
    eps : float
        Of the entropy, relative to the largest cost; 0 where there is none.
        It is not comparable between layers of different numbers of units.
    mode : {"conic", "permutation"}
    """

    source: object
    target: object
    coupling: Tensor
    turns: Mapping[int, Tensor]
    solver: str
    eps: float = 0.0
    mode: str = "conic"

    def __post_init__(self):
        _check_mass(self.coupling)

    @property
    def perplexities(self) -> Tensor:
        r"""Partners of each unit of B: :math:`\exp(-\sum_g s_g \log s_g)` of its shares, 1 where it has one partner.

        Units of B without any, which the solver ``naive`` leaves where B is wider, are left out.
        """
        coupling = self.coupling[:, self.coupling.sum(0) > 0]
        share = coupling / coupling.sum(0)
        return (-(share * share.clamp_min(1e-300).log()).sum(0)).exp()

    @property
    def perplexity(self) -> float:
        """Partners of a unit of B on geometric average; 1 for a hard plan."""
        return self.perplexities.log().mean().exp().item()

    @property
    def largest_perplexity(self) -> float:
        """Partners of the unit of B that has most."""
        return self.perplexities.max().item()

    def carry(self, x: Tensor, side: str, even: bool = False) -> Tensor:
        r"""What an axis that makes (``out``) or reads (``in``) channels becomes; shape ``(C_A, D)`` to ``(C_B, D)``.

        .. math:: O^{out}_{hg} &= \frac{T_{gh}}{\sum_{g'} T_{g'h}} R_{hg}, \\
                  O^{in}_{hg} &= \frac{T_{gh}}{\sum_{h'} T_{gh'}} R_{hg}

        A unit of B is a mean of units of A; a unit of A shares its outgoing weights among its copies.
        Using one of the two on both sides scales the next layer by :math:`G_B / G_A`.
        An axis that is ``even`` does not see signs.
        """
        check_choice("side", side, ("out", "in"))
        source, target = Units.of(self.source, self.mode), Units.of(self.target, self.mode)
        mass = self.coupling.sum(0 if side == "out" else 1, keepdim=True)
        weight = (self.coupling / mass.clamp_min(1e-300)).T.to(x.device)
        moved = {}
        for place, part in source.take(x.double()).items():
            if place == AXIS:
                moved[place] = part
                continue
            size, turns = part.shape[1], self.turns.get(place)
            if turns is None:
                moved[place] = (weight @ part.flatten(1)).unflatten(1, (size, -1))
                continue
            turns = (turns.abs() if even else turns).to(x.device)
            whole = (weight[..., None, None] * turns).permute(0, 2, 1, 3).reshape(len(weight) * size, -1)
            moved[place] = (whole @ part.flatten(0, 1)).unflatten(0, (-1, size))
        return target.put(moved)

    def operator(self, side: str) -> Tensor:
        """The ``(C_B, C_A)`` matrix of :meth:`carry`."""
        return self.carry(torch.eye(self.source.size, dtype=torch.float64), side)


def softness(plans: Mapping[str, Plan]) -> dict[str, dict[str, float]]:
    """Partners of a unit in each plan, on geometric average and at most.

    Examples
    --------
    >>> from colu.fusion import Permutation
    >>> group = Permutation(2)
    >>> softness({"0": Plan(group, group, torch.full((2, 2), 0.25), {}, "sinkhorn", 1.0)})
    {'0': {'mean': 2.0, 'largest': 2.0}}
    """
    return {name: {"mean": plan.perplexity, "largest": plan.largest_perplexity} for name, plan in plans.items()}


def diffuse(plans: Mapping[str, Plan]) -> list[str]:
    """What is to be said of plans that average more than ``PARTNERS`` units, in the order of the layers."""
    return [
        f"{name!r}: a unit is the mean of {plan.perplexity:.3g} of {len(plan.coupling)} units, one of "
        f"{plan.largest_perplexity:.3g}"
        for name, plan in plans.items()
        if plan.perplexity > PARTNERS * (1 + 1e-6)
    ]
