"""One network into the frame of another, by any method, with what there is to say of the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from colu.checks import check_choice, check_int

from .carry import lost, norm_kept
from .lazy import Carried, Moved
from .matching import Alignment, match_activations, match_weights
from .plan import Plan, diffuse, softness
from .spec import Spec, State
from .states import loaded
from .transport import transport_plans

__all__ = ["METHODS", "Aligned", "Way", "align"]

#: Matching of weights or of outputs, optimal transport, and nothing at all.
METHODS = ("weights", "activations", "transport", "naive")


@dataclass(frozen=True)
class Way:
    """How networks are aligned; the fields are the arguments of :func:`colu.fusion.fuse`."""

    method: str = "weights"
    group: str = "whole"
    cost: str = "activations"
    squared: bool = True
    solver: str = "emd"
    eps: float = 0.01
    partners: int = 1
    max_iterations: int = 5000
    seed: int = 0
    seeds: int = 1
    max_sweeps: int = 100

    def __post_init__(self):
        check_choice("method", self.method, METHODS)
        check_choice("group", self.group, ("whole", "permutation"))
        check_int("seeds", self.seeds, 1)

    @property
    def mode(self) -> str:
        """What the solvers call the group."""
        return "conic" if self.group == "whole" else "permutation"

    @property
    def reads(self) -> bool:
        """Whether samples are needed."""
        return self.method == "activations" or (self.method == "transport" and self.cost == "activations")


@dataclass(frozen=True, eq=False)
class Aligned:
    """A network in the frame of the reference.

    Attributes
    ----------
    state : mapping of str to Tensor
        Made entry by entry.
    wide : mapping of str to Tensor
        The same in float64.
    found : Alignment or dict of Plan or None
    report : dict
        Plain values.
    doubts : list of str
    """

    state: Mapping[str, Tensor]
    wide: Mapping[str, Tensor]
    found: Alignment | Mapping[str, Plan] | None
    report: dict
    doubts: list[str] = field(default_factory=list)


def align(
    way: Way,
    spec: Spec,
    reference: State,
    other: State,
    *,
    model: nn.Module,
    spec_other: Spec | None = None,
    model_other: nn.Module | None = None,
    samples: Sequence | Tensor | None = None,
) -> Aligned:
    """Bring a network into the frame, and with transport into the widths, of a reference.

    Parameters
    ----------
    way : Way
    spec : Spec
        Of the reference.
    reference, other : dict of str to Tensor
    model : Module
        Of the reference; not changed.
    spec_other, model_other
        Of the other network where its widths are others.
    samples : Tensor or iterable, optional
        For outputs.
    """
    spec_other, model_other = spec_other or spec, model_other or model
    if way.reads and samples is None:
        raise ValueError(
            f"method {way.method!r} compares outputs on samples; give data, or use method='weights'"
            + (" or cost='weights'" if way.method == "transport" else "")
        )
    if way.method == "transport" or (way.method == "naive" and spec_other != spec):
        return _transported(way, spec, reference, other, model, spec_other, model_other, samples)
    if way.method == "naive":
        return Aligned(other, other, None, {"method": "naive"})
    if way.method == "activations":
        models = loaded(model, reference), loaded(model, other)
        found = match_activations(spec, *models, samples, mode=way.mode)
    else:
        seeds = range(way.seed, way.seed + way.seeds)
        tried = (
            match_weights(spec, reference, other, mode=way.mode, seed=seed, max_sweeps=way.max_sweeps)
            for seed in seeds
        )
        found = max(tried, key=lambda one: one.objective)
    doubts = []
    if not found.converged:
        doubts.append("The matching stopped at its limit of sweeps; another limit or seed gives another alignment.")
    if way.method == "weights" and way.seeds == 1 and spec.groups:
        doubts.append("The matching ends in a local optimum that depends on the seed of its order; try more seeds.")
    states = (Moved(spec, found.elements, other, wide=wide) for wide in (False, True))
    return Aligned(*states, found, {"method": way.method} | found.describe(), doubts)


def _transported(way, spec, reference, other, model, spec_other, model_other, samples) -> Aligned:
    naive = way.method == "naive"
    by_weights = way.cost == "weights" or (naive and samples is None)
    sources = (other, reference) if by_weights else (loaded(model_other, other), loaded(model, reference))
    plans = transport_plans(
        spec_other, spec, *sources, None if by_weights else samples,
        mode=way.mode, solver="naive" if naive else way.solver, cost="weights" if by_weights else "activations",
        squared=way.squared, eps=way.eps, partners=way.partners, max_iterations=way.max_iterations,
    )  # fmt: skip
    state, wide = (Carried(spec_other, plans, other, target=spec, wide=wide) for wide in (False, True))
    kept = norm_kept(spec_other, other, state)
    options = {name: getattr(way, name) for name in ("cost", "squared", "solver", "eps", "partners")}
    report = {"method": way.method} | options | {"softness": softness(plans), "norm_kept": kept}
    doubts = [f"A diffuse plan, {said}." for said in diffuse(plans)]
    if said := lost(kept):
        doubts.append(f"{said[0].upper()}{said[1:]}.")
    return Aligned(state, wide, plans, report, [] if naive else doubts)
