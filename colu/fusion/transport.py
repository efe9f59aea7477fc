"""Soft alignment and different widths: optimal transport over units, or over cones and their rotations."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from colu.checks import check_choice, check_int, check_number

from .carry import carry_tensor
from .evidence import Moments, check_correspond, output_moments, row_moments
from .invariance import double_model
from .plan import MARGINAL_TOL, PARTNERS, DiffusePlanWarning, Plan, check_coupling, diffuse
from .spec import Spec, State
from .states import plain_state

__all__ = ["COSTS", "SOLVERS", "transport_plans"]

#: Exact transport; entropic transport; the mean of k disjoint assignments; the first units as they stand.
SOLVERS = ("emd", "sinkhorn", "partners", "naive")
#: What units are compared by: their outputs on samples, or the weights that make them.
COSTS = ("activations", "weights")


def _couple(
    cost: Tensor, gain: Tensor, solver: str, eps: float, partners: int, max_iterations: int
) -> Tensor:
    """The coupling ``(G_A, G_B)`` for a cost of the same shape."""
    import ot

    rows, columns = cost.shape
    if solver == "naive":
        return torch.eye(rows, columns, dtype=torch.float64) / max(rows, columns)
    if not torch.isfinite(cost).all():
        raise ValueError("costs hold NaN or infinity; check the weights and the samples")
    scaled = (cost / cost.abs().max().clamp_min(1e-300)).numpy()
    a, b = (
        torch.full((rows,), 1 / rows).double().numpy(),
        torch.full((columns,), 1 / columns).double().numpy(),
    )
    if solver == "emd":
        return torch.as_tensor(ot.emd(a, b, scaled, numItermax=max(max_iterations, 10**6)))
    if solver == "sinkhorn":
        # On tensors POT sums exponentials with PyTorch, ten times as fast as with SciPy.
        tensors = (torch.as_tensor(x) for x in (a, b, scaled))
        # The last digits of the marginals cost most of the steps, and operators do without them: see MARGINAL_TOL.
        return ot.sinkhorn(
            *tensors, eps, method="sinkhorn_log", numItermax=max_iterations, stopThr=1e-7, warn=False
        )
    from scipy.optimize import linear_sum_assignment

    if rows != columns or partners > rows:
        raise ValueError(
            f"partners={partners} for {rows} and {columns} units; wanted equal widths of at least that"
        )
    left, coupling = gain.T.clone(), torch.zeros(rows, columns, dtype=torch.float64)
    # Taken pairs cost more than any set of free ones could gain.
    penalty = 4 * rows * left.abs().max().clamp_min(1e-300)
    for _ in range(partners):
        pairs = linear_sum_assignment(left.numpy(), maximize=True)
        coupling[pairs] += 1 / (partners * rows)
        left[pairs] -= penalty
    return coupling


def _coupled(moments: Moments, cost: Tensor, gain: Tensor, *how) -> Tensor:
    """The coupling of all units: that of each block where they are exchanged inside blocks, none where they stay."""
    if not moments.source.exchange:
        return torch.eye(len(cost), dtype=torch.float64) / len(cost)
    blocks = moments.source.blocks
    if blocks == 1:
        return _couple(cost, gain, *how)
    costs, gains = ([pair.chunk(blocks, 1)[k] for k, pair in enumerate(one.chunk(blocks))] for one in (cost, gain))
    return torch.block_diag(*(_couple(*pair, *how) for pair in zip(costs, gains, strict=True))) / blocks


def transport_plans(
    spec_a: Spec,
    spec_b: Spec,
    model_a: nn.Module | State,
    model_b: nn.Module | State,
    batches: Iterable | Tensor | None = None,
    *,
    mode: str = "conic",
    solver: str = "emd",
    cost: str = "activations",
    squared: bool = True,
    eps: float = 0.01,
    partners: int = 1,
    max_iterations: int = 5000,
    tol: float = MARGINAL_TOL,
) -> dict[str, Plan]:
    r"""Plans from each hidden layer of A to that of B, from what both put out on given samples, or from their weights.

    .. math:: & \mathrm{cost}(g,h) = \min_R \mathbb E\lVert u_g - R^\top v_h\rVert^2 \\
              & \quad = \lVert u_g\rVert^2 + \lVert v_h\rVert^2 - 2\,\mathrm{gain}(h,g)

    With ``cost="weights"``, u and v are the weights and biases that make a unit, layer after layer: those of A read
    their inputs through the plans that are there already.
    With ``squared=False`` the cost is the root of it, the Euclidean distance.
    Exact transport of weights, not squared, is the published protocol of OTFusion (there without biases).

    Parameters
    ----------
    spec_a, spec_b : Spec
        With the same group names; the numbers of units may differ.
    model_a, model_b : Module
        Copied in float64 and evaluation mode; not changed. State dicts will do for ``cost="weights"``.
    batches : Tensor or iterable
        Inputs, or tuples that start with them; streamed. Not for ``cost="weights"``.
    mode : {"conic", "permutation"}
        With the best rotation for each pair of cones, or with none.
    solver : {"emd", "sinkhorn", "partners", "naive"}
        Exact transport (POT); entropic transport in the log domain (POT);
        the mean of ``partners`` disjoint assignments (SciPy), to compare at one softness;
        the first units as they stand, padded with zeros or cut off, as a baseline.
    cost : {"activations", "weights"}
    squared : bool
        Whether the cost is the square of the distance.
    eps : float
        Entropy relative to the largest cost.
    max_iterations : int
    tol : float
        Largest relative error of the marginals; 1 % moves no partner's share by more, see
        :func:`colu.fusion.check_coupling`.

    Returns
    -------
    dict of str to Plan

    Raises
    ------
    ValueError
        Specifications that do not correspond; too few samples; a plan that did not converge.

    Warns
    -----
    DiffusePlanWarning
        Where a unit is the mean of more than two on average: a layer between two such plans keeps less than half of its
        norm, unless the units are alike.

    Notes
    -----
    Where residual connections tie layers, the first weights that make their channels decide, and once all layers have
    a plan, each such group is solved again with all its weights.

    References
    ----------
    Singh and Jaggi, "Model Fusion via Optimal Transport", NeurIPS 2020, arXiv 1910.05653
    (``singh2020otfusion``), section 4.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> small = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> large = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> specs = from_sequential(small), from_sequential(large)
    >>> plans = transport_plans(*specs, small, large, torch.randn(50, 5))
    >>> plans["0"].coupling.shape, round(plans["0"].perplexity, 6)
    (torch.Size([4, 8]), 1.0)
    """
    check_choice("mode", mode, ("conic", "permutation"))
    check_choice("solver", solver, SOLVERS)
    check_choice("cost", cost, COSTS)
    partners = check_int("partners", partners, 1)
    if solver == "sinkhorn":
        eps = check_number("eps", eps, "use a number above 0, such as 0.01, or solver='emd'", gt=0, lt=math.inf)
    spec_a, spec_b = spec_a.plain(), spec_b.plain()
    check_correspond(spec_a, spec_b)

    def planned(name: str, moments: Moments) -> Plan:
        gain = moments.gain()
        far = moments.distances(gain)
        far = far if squared else far.clamp_min(0).sqrt()
        coupling = _coupled(moments, far, gain, solver, eps, partners, max_iterations)
        if solver != "naive":
            _check_converged(name, coupling, tol, solver, eps, max_iterations)
        turns = {} if solver == "naive" else moments.turns(coupling.T > 0)
        return Plan(spec_a.groups[name], spec_b.groups[name], coupling, turns, solver,
                    eps if solver == "sinkhorn" else 0.0, mode)  # fmt: skip

    if cost == "weights":
        if batches is not None:
            raise ValueError("cost='weights' reads no samples; leave them out, or use cost='activations'")
        plans = _by_weights(spec_a, spec_b, _state_of(model_a, spec_a), _state_of(model_b, spec_b), planned, mode)
    else:
        if batches is None:
            raise ValueError("cost='activations' compares outputs on samples; give some, or use cost='weights'")
        moments = output_moments(spec_a, spec_b, double_model(model_a), double_model(model_b), batches, mode)
        for name, seen in moments.items():
            for place, count in seen.counts.items():
                inner = seen.source.inner[place]
                if inner.turns and count < (needed := inner.rows):
                    raise ValueError(
                        f"{count} samples do not determine rotations of {needed} dimensions for {name!r}; give more"
                    )
        plans = {name: planned(name, moments[name]) for name in spec_a.groups}
    if said := diffuse(plans):
        warnings.warn(
            f"diffuse plans: {'; '.join(said)} (more than {PARTNERS:g}); averages so wide lose the norm of what they "
            "average: measure the carried network alone, and take solver='emd' or less eps",
            DiffusePlanWarning,
            stacklevel=2,
        )
    return plans


def _check_converged(name: str, coupling: Tensor, tol: float, solver: str, eps: float, steps: int) -> None:
    try:
        check_coupling(coupling, tol)
    except ValueError as error:
        if solver != "sinkhorn":
            raise
        raise ValueError(
            f"layer {name!r}, Sinkhorn with eps={eps:g} after {steps} iterations: {error}; "
            f"try max_iterations={10 * steps} or eps={3 * eps:g}"
        ) from None


def _state_of(model: nn.Module | State, spec: Spec) -> State:
    return plain_state(model.state_dict() if isinstance(model, nn.Module) else model, spec.axes)


def _by_weights(spec_a: Spec, spec_b: Spec, a: State, b: State, planned, mode: str) -> dict[str, Plan]:
    for spec, state, label in ((spec_a, a, "A"), (spec_b, b, "B")):
        spec.check(state, label)
    plans: dict[str, Plan] = {}

    def carried(parameter: str, tensor: Tensor) -> Tensor:
        return carry_tensor(spec_a, plans, parameter, tensor, only="in", target=spec_b)

    def solve(name: str, known: set) -> bool | None:
        """Whether weights were left out; None where there was nothing to solve with."""
        moments = row_moments(spec_a, spec_b, name, a, b, carried, known, mode)
        if moments is None:
            return None
        plans[name] = planned(name, moments)
        return moments.left

    waiting, again = list(spec_a.groups), []
    while waiting:
        for name in waiting:
            left = solve(name, set(plans))
            if left is not None:
                waiting.remove(name)
                again += [name] * left
                break
        else:
            raise ValueError(f"no weights make the channels of {waiting} from channels that are known; use activations")
    for name in again:
        solve(name, set(plans))
    return {name: plans[name] for name in spec_a.groups}
