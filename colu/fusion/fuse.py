"""Fuse two networks and say what was done, with everything that speaks against trusting it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .groups import Conic, Vectors
from .invariance import invariance_error
from .matching import match_weights
from .measure import BarrierCurve, FusionMetrics, barrier, compare, evaluate, lerp
from .repair import recalibrate_batch_norm, repair_statistics
from .spec import Spec
from .states import check_tensors, plain_state, unwrapped
from .trace import trace_spec

__all__ = ["REPAIRS", "Fused", "fuse", "spec_for"]

#: Ways to reset the statistics of a mean on training images.
REPAIRS = ("none", "cone", "channel", "batchnorm")


@dataclass(frozen=True, eq=False)
class Fused:
    """A fused network and its evidence.

    Attributes
    ----------
    state : dict of str to Tensor
    report : dict
        Plain values: ``aligned``, ``invariance_error``, ``metrics``, ``curves``, ``distrust``.
    curves : dict of str to BarrierCurve
        ``naive``, the mode, and the mode with its repair; empty without data.
    """

    state: dict[str, Tensor]
    report: dict
    curves: dict[str, BarrierCurve]


def spec_for(model: nn.Module, mode: str, name: str = "the model") -> Spec:
    """The symmetry of a model, or why a mode does not suit it.

    Raises
    ------
    ValueError
        ``conic`` for a network without cones, or whose norms mix with rotations.

    Examples
    --------
    >>> spec_for(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), "permutation").groups
    {'0': Permutation(n=3, blocks=1)}
    """
    try:
        spec = trace_spec(model, rotate=mode == "conic")
    except ValueError as error:
        if mode != "conic":
            raise
        raise ValueError(f"mode 'conic' does not suit {name}: {error}; use --mode permutation") from error
    turning = [isinstance(group, Conic | Vectors) and group.rotate and group.rows > 0 for group in spec.groups.values()]
    if mode == "conic" and not any(turning):
        raise ValueError(f"mode 'conic' does not suit {name}: no layer has cones to rotate; use --mode permutation")
    return spec


def _doubts(
    error: float, metrics: FusionMetrics | None, curves: dict, repair: str, mode: str, converged: bool
) -> list[str]:
    found = []
    if not error < 1e-9:
        found.append(f"The alignment changes the function by {error:.2g}; the specification is wrong for this model.")
    if not converged:
        found.append("The matching stopped at its limit of sweeps; another limit or seed gives another alignment.")
    found.append("The matching ends in a local optimum that depends on the seed of its order.")
    if metrics is None:
        return [*found, "Nothing was measured on data: give --data before using the fused network."]
    if not metrics.keeps_the_parent:
        found.append("The aligned parent alone no longer answers as it did, so that fused accuracy shows little.")
    better = max((metrics.parent_a, metrics.parent_b), key=lambda m: m.accuracy)
    if metrics.fused.accuracy < better.accuracy:
        found.append(
            f"The fused network answers {100 * metrics.fused.accuracy:.2f} % rightly and its better parent "
            f"{100 * better.accuracy:.2f} %: keep the parent unless one frame for both is what you need."
        )
    plain = curves[mode]
    if plain.loss_barrier > 0.02:
        found.append(
            f"The loss rises {plain.loss_barrier:.3g} nats above the chord between the parents: "
            "they do not lie in one basin after alignment."
        )
    if plain.loss_barrier >= curves["naive"].loss_barrier and mode != "naive":
        found.append("The alignment did not lower the barrier of the plain mean.")
    if repair != "none":
        found.append("The repair took statistics from training images; with others the network is another.")
    found.append(f"One pair of networks, {metrics.fused.samples} samples of the {metrics.split} set: no interval.")
    return found


def fuse(
    model: nn.Module,
    a: dict[str, Tensor],
    b: dict[str, Tensor],
    x: Tensor,
    *,
    mode: str = "conic",
    data: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    split: str = "test",
    repair: str = "none",
    share: float = 0.5,
    seed: int = 0,
    lambdas: int = 25,
    name: str = "the model",
) -> Fused:
    r"""Align ``b`` with ``a``, take the mean, repair it, and measure both parents, the aligned one and the mean.

    .. math:: \theta = (1 - t)\,\theta_A + t\, Q\theta_B

    Parameters
    ----------
    model : Module
        Whose architecture it is; not changed.
    a, b : dict of str to Tensor
        States that fit it; not changed.
    x : Tensor
        Inputs on which the aligned and the unaligned network are compared.
    mode : {"conic", "permutation"}
        The whole symmetry of the activation, or permutations of channels or cones.
    data : pair of pairs of Tensor, optional
        Inputs and labels to take statistics from, and to measure on; without, only what the weights say is reported.
    split : str
        What the second pair is, for the report.
    repair : {"none", "cone", "channel", "batchnorm"}
        Reset of the statistics on training images.
    share : float
        Of the second network, t.
    seed : int
        Of the matching.
    lambdas : int
        Points of the curves.
    name : str
        Of the architecture, for the report and messages.

    Returns
    -------
    Fused

    Raises
    ------
    ValueError
        A mode that does not suit the architecture, states that differ, NaN, a share outside [0, 1],
        a repair without data.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> state, x = model.state_dict(), torch.randn(20, 5)
    >>> made = fuse(model, state, state, x, mode="permutation")
    >>> made.report["invariance_error"] < 1e-12, torch.equal(made.state["0.weight"], state["0.weight"])
    (True, True)
    """
    if mode not in ("conic", "permutation"):
        raise ValueError(f"mode is {mode!r}; choose 'conic' or 'permutation'")
    if repair not in REPAIRS:
        raise ValueError(f"repair is {repair!r}, choose one of {REPAIRS}")
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}, wanted from 0 (the first network) to 1 (the second, aligned)")
    if repair != "none" and data is None:
        raise ValueError(f"repair {repair!r} takes statistics from images; name a set with --data")
    model = unwrapped(model)
    weights = [entry for entry, _ in model.named_parameters()]
    a = plain_state(a, model.state_dict(), "the first network")
    b = plain_state(b, model.state_dict(), "the second network")
    for state, label in ((a, "the first network"), (b, "the second network")):
        check_tensors(state, label, weights)
    spec = spec_for(model, mode, name)
    found = match_weights(spec, a, b, mode=mode, seed=seed)
    moved = found.apply(spec, b)
    model = copy.deepcopy(model)
    model.load_state_dict(b)
    error = invariance_error(model, spec, x, found.elements)
    metrics, curves, state = None, {}, lerp(a, moved, share)
    if data is not None:
        train, test = data
        adjust = None
        if repair in ("cone", "channel"):
            adjust = lambda mean, t: repair_statistics(  # noqa: E731
                spec, model, mean, (a, moved), train[0], t=t, kind=repair
            )
        elif repair == "batchnorm":
            adjust = lambda mean, t: recalibrate_batch_norm(model, mean, train[0].split(500))  # noqa: E731
        settings = {"split": split, "lambdas": lambdas}
        curves["naive"] = barrier(model, a, b, test, **settings)
        curves[mode] = barrier(model, a, moved, test, **settings)
        if adjust is not None:
            curves[f"{mode}, repaired"] = barrier(model, a, moved, test, adjust=adjust, **settings)
            state = adjust(state, share) if 0 < share < 1 else state
        metrics = compare(model, spec, a, b, found, test, split=split, t=share)
        if adjust is not None:
            metrics = replace(metrics, fused=evaluate(model, state, test))
    report = {
        "architecture": name,
        "share": share,
        "repair": repair,
        "aligned": found.describe(),
        "invariance_error": error,
        "metrics": metrics and metrics.to_dict(),
        "curves": {name: curve.to_dict() for name, curve in curves.items()},
        "distrust": _doubts(error, metrics, curves, repair, mode, found.converged),
    }
    if not all(torch.isfinite(t).all() for t in state.values() if t.is_floating_point()):
        raise ValueError("the fused network holds NaN or infinity; nothing is written")
    return Fused(state, report, curves)
