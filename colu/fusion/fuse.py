"""Fuse networks and say what was done, with everything that speaks against trusting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from colu.checks import check_choice

from .align import Aligned, Way, align
from .folded import folded_specs
from .lazy import Moved
from .many import universe_match
from .measure import BarrierCurve, Loss
from .merge import MERGES, merged
from .paged import emptied, run_paged
from .part import FIXED
from .partial import joined, split_states, trunk_of
from .repair import fitting_repair, repairer
from .samples import first, is_pair, outputs_of
from .spec import Spec, State
from .states import check_tensors, copied, plain_state, unwrapped
from .subgroups import written
from .trace import trace_spec
from .verdict import averaged_buffers, differences, doubts, measure, measured

__all__ = ["REPAIRS", "Fused", "fuse"]

#: Ways to reset the statistics of a mean on training samples; "auto" takes what fits the network.
REPAIRS = ("auto", "none", "cone", "channel", "batchnorm")


@dataclass(frozen=True, eq=False)
class Fused:
    """A fused network and its evidence.

    Attributes
    ----------
    state : mapping of str to Tensor
        A dict; made entry by entry where the parents are read from a disk and nothing was measured.
    aligned : list of mapping of str to Tensor
        The parents in one frame, for any other recipe of merging.
    report : dict
        Plain values: what was aligned and what is fixed, each parent aligned and alone, norm ratios, softness,
        the random control, the ensemble, what to distrust.
    curves : dict of str to BarrierCurve
        ``naive``, ``aligned`` and ``repaired`` where there are two parents and data; else empty.
    """

    state: Mapping[str, Tensor]
    aligned: list[Mapping[str, Tensor]]
    report: dict
    curves: dict[str, BarrierCurve]


def fuse(
    model: nn.Module,
    a: State,
    b: State,
    *others: State,
    method: str = "weights",
    merge: str = "average",
    shares: float | Sequence[float] | None = None,
    base: State | None = None,
    scale: float = 1.0,
    density: float = 0.2,
    until: str | None = None,
    repair: str = "auto",
    folding: bool | str = False,
    data: tuple | None = None,
    loss: Loss | None = None,
    example_input: Tensor | Mapping | None = None,
    models: Sequence[nn.Module] | None = None,
    split: str = "test",
    lambdas: int = 25,
    name: str = "the model",
    scratch: bool = False,
    **way,
) -> Fused:
    r"""Align networks with the first one, merge them, repair the merge, and measure what speaks for it and against.

    Parameters
    ----------
    model : Module
        The architecture of the first network, and of the fused one.
    a, b, *others : dict of str to Tensor
        Two states or more; not changed. Mappings such as :class:`colu.fusion.StoredState` are read as needed.
    method : {"weights", "activations", "transport", "naive"}
        Matching of weights, or of outputs on ``data``; optimal transport, which alone takes other widths; nothing.
    merge : {"average", "task", "ties", "universe", "partial"}
        See :func:`colu.fusion.merged`; ``universe`` is the mean in one frame for all that favours none, by weights;
        ``partial`` the mean of the first layers alone, with the rest of each network behind it and the mean of their
        outputs: ``state`` is then that of a :class:`colu.fusion.PartialNetwork`.
    until : str
        For ``partial``: the last layer that is merged, by name, or ``"start"`` (none: the ensemble) or ``"end"``.
    shares : float or sequence of float, optional
        The share of the second of two networks, or one share for each; equal by default.
    base : dict of str to Tensor, optional
        What all were fine-tuned from, for ``task`` and ``ties``: the parents are then aligned with it.
    scale, density : float
        Of task arithmetic and TIES.
    repair : {"auto", "none", "cone", "channel", "batchnorm"}
        Reset of the statistics on the first samples of ``data``. ``auto``: BatchNorm's own where there is any, none
        beside other norms, else one that commutes with cones, or that of channels; and none where it would raise the
        loss on these samples.
    folding : bool or "auto"
        Fold the gains of norms into the layers that read them (:func:`colu.fusion.norm_folding`) before anything is
        aligned: the same functions, with gains of one, whose residual streams may turn as a whole. The merge is
        folded too and fits the same model. ``auto``: only where more channels may turn for it.
    data : pair, optional
        Samples to take outputs and statistics from, and samples to measure on: each a pair (inputs, labels), or an
        iterable of such batches that can be read again. Without, nothing is measured.
    loss : callable, optional
        ``loss(outputs, labels)``; by default cross-entropy of classes, which has an accuracy too.
    example_input : Tensor or mapping, optional
        On which the aligned and the unaligned network are compared; the first samples of ``data`` by default.
    models : sequence of Module, optional
        The architectures of ``b`` and ``others`` where widths differ, one each.
    split : str
        What the samples to measure on are, for the report.
    lambdas : int
        Points of the curves between two networks.
    name : str
        Of the architecture, for the report and messages.
    scratch : bool
        Whether ``model`` may be emptied, which saves a copy.
    **way
        ``group`` ("whole", which follows from the model, or "permutation"), ``seed``, ``seeds`` (how many orders are
        tried, the best kept), ``max_sweeps``; for transport ``cost``, ``squared``, ``solver``, ``eps``, ``partners``,
        ``max_iterations`` as :func:`colu.fusion.transport_plans` has them.

    Returns
    -------
    Fused

    Raises
    ------
    ValueError
        States that differ in architecture or dtype, NaN in weights or samples, options that do not go together.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> state = model.state_dict()
    >>> made = fuse(model, state, state, example_input=torch.randn(20, 5))
    >>> made.report["aligned"][1]["invariance_error"] < 1e-12
    True
    >>> torch.equal(made.state["0.weight"], state["0.weight"])
    True
    """
    check_choice("merge", merge, (*MERGES, "universe", "partial"))
    if (until is not None) != (merge == "partial"):
        raise ValueError(f"merge={merge!r} with until={until!r}; 'partial' merges up to a layer, and no other does")
    check_choice("repair", repair, REPAIRS)
    way = Way(method=method, **way)
    model = unwrapped(model)
    parents = [a, b, *others]
    weights = _shares(shares, len(parents))
    nets = [model, *(map(unwrapped, models) if models else [model] * (len(parents) - 1))]
    if len(nets) != len(parents):
        raise ValueError(f"{len(nets) - 1} models for {len(parents) - 1} further networks; give one each")
    if repair not in ("auto", "none") and data is None:
        raise ValueError(f"repair={repair!r} takes statistics from samples; give data")
    parents = [_checked(state, nets[place], place, parents[0]) for place, state in enumerate(parents)]
    base = None if base is None else _checked(base, model, "base", parents[0])
    _check_widths(parents, way, base)
    fit, test = data or (None, None)
    # Batches are read for their inputs; a pair is its inputs.
    samples = fit[0] if is_pair(fit) else fit
    x = example_input if example_input is not None else _first(fit)
    own, specs, folded = parents, [], None
    if folding:
        specs, folded = folded_specs(nets, parents, x, folding, way)
    if folded is not None:
        parents = [fold.apply(_wider(state)) for fold, state in zip(folded.foldings, parents, strict=True)]
        base = None if base is None else folded.foldings[0].apply(_wider(base))
    specs = specs or _specs(nets, way, x, scratch)
    trunk = None if until is None else trunk_of(model, until, None if x is None else first(x, 8))
    if scratch and data is None and not way.reads:
        nets = [emptied(net) for net in nets]

    if merge == "universe":
        aligned = _in_universe(way, specs[0], parents)
    else:
        reference = parents[0] if base is None else base
        settings = {"model": model, "samples": samples}
        aligned = [
            Aligned(state, state, None, {"method": "reference"})
            if base is None and not place
            else align(way, specs[0], reference, state, spec_other=spec, model_other=net, **settings)
            for place, (state, spec, net) in enumerate(zip(parents, specs, nets, strict=True))
        ]
    for place, one in enumerate(aligned):
        if one.report["method"] != "reference" or folded is not None:
            error = None if x is None else _moved_by(nets[place], model, own[place], one, x, scratch)
            one.report["invariance_error"] = error
    states = [one.state for one in aligned]
    if folded is not None:
        # What was folded is rounded once, when it is in its frame.
        states = [{name: state[name].to(own[0][name].dtype) for name in state} for state in states]
    kind = "average" if merge in ("universe", "partial") else merge
    held = data is not None or trunk is not None or all(isinstance(state, dict) for state in parents)
    if held:
        states = [dict(state) for state in states]

    def mix(some: Sequence[State]):
        """A merge; where only a trunk is merged, one state for each network."""
        whole = merged(some, kind, shares=weights, base=base, scale=scale, density=density)
        return whole if trunk is None else split_states(whole, some, trunk)

    made = mix(states)
    made = dict(made) if held and trunk is None else made

    kept, why = fitting_repair(specs[0], model, repair, len(parents)) if data is not None else ("none", "no samples")
    metrics, curves, plain = None, {}, made
    control = Moved(specs[0], specs[0].random(way.seed + 1), states[-1])
    controls = {"random": [*states[:-1], control]}
    if all(p.keys() == parents[0].keys() for p in parents) and _same_widths(parents):
        controls["naive"] = own
    mixed = {label: mix(some) for label, some in controls.items()}
    if data is not None:
        adjust = repairer(kept, specs[0], model, states, fit)
        if adjust is not None and (kind != "average" or 1.0 in weights or (trunk is not None and kept != "batchnorm")):
            adjust, kept, why = None, "none", "only a mean of several whole networks is repaired"
        if adjust is not None:
            try:
                mended = [adjust(one, weights[-1]) for one in made] if trunk is not None else adjust(made, weights[-1])
                if repair == "auto" and (worse := _raised(model, made, mended, fit, loss)):
                    adjust, kept, why = None, "none", f"{kept} {worse}"
                else:
                    made = mended
            except ValueError as error:
                if repair != "auto":
                    raise
                adjust, kept, why = None, "none", str(error)
        metrics, curves = measured(
            nets, own, states, made, plain, {k: v if trunk is not None else dict(v) for k, v in mixed.items()}, test,
            split=split, loss=loss, lambdas=lambdas, adjust=adjust, chord=kind == "average" and trunk is None,
            shares=weights,
        )  # fmt: skip
    report = {
        "name": name,
        "parents": len(parents),
        "method": method,
        "group": way.group,
        "merge": {"kind": merge, "shares": weights}
        | ({"scale": scale} if base is not None else {})
        | ({"density": density} if merge == "ties" else {})
        | ({"until": until, "trunk": trunk} if trunk is not None else {}),
        "repair": {"asked": repair, "taken": kept, "why": why},
        "folding": {"asked": folding} | (folded.report if folded is not None else {"taken": False}),
        "aligned": [one.report for one in aligned],
        "groups": _groups(specs[0]),
        "fixed": _fixed(specs[0]),
        "still": [{"made_by": key, "channels": count, "why": reason} for key, count, reason in specs[0].still],
        "weights": differences(parents, states, *_leading(made, {"aligned": plain} | mixed)),
        "metrics": metrics,
        "curves": {label: curve.to_dict() for label, curve in curves.items()},
    }
    already = [text for one in (*specs, *aligned) for text in one.doubts]
    report["distrust"] = doubts(report, already + averaged_buffers(model, states, specs[0].unmatched), split)
    made = made if trunk is None else joined(made, trunk)
    if not isinstance(made, dict):
        return Fused(made, states, report, curves)
    bad = [key for key, t in made.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if bad:
        raise ValueError(f"the fused network holds NaN or infinity in {bad[:3]}; nothing is given back")
    return Fused(made, states, report, curves)


def _raised(model: nn.Module, plain: State, mended: State, fit, loss: Loss | None) -> str | None:
    """Why a repair is not kept: it raises the loss on the samples that it took its statistics from."""
    before, after = (measure(model, state, fit, loss=loss).loss for state in (plain, mended))
    return f"would raise the loss on the samples to fit on from {before:.4g} to {after:.4g}" if after > before else None


def _leading(made, mixed: Mapping) -> tuple:
    """Of merges that keep a state for each network the first, which has the trunk and the first network's rest."""
    made, *others = (one[0] if isinstance(one, list) else one for one in (made, *mixed.values()))
    return made, dict(zip(mixed, others, strict=True))


def _specs(nets: Sequence[nn.Module], way: Way, x, scratch: bool) -> list[Spec]:
    """The specification of each network, one for those that are one."""
    found: dict[int, Spec] = {}
    for net in nets:
        if id(net) not in found:
            # Networks too large for copies are tried once, with the elements that are found.
            seen = None if x is None else first(x, 2 if scratch else 8)
            spec = trace_spec(net, seen, tol=None if scratch else 1e-10)
            found[id(net)] = spec.units() if way.group == "permutation" else spec
    return [found[id(net)] for net in nets]


def _wider(state: State) -> dict[str, Tensor]:
    """Halves as float32, so that folding rounds nothing that is moved afterwards."""
    halves = (torch.bfloat16, torch.float16)
    return {name: tensor.float() if tensor.dtype in halves else tensor for name, tensor in state.items()}


def _shares(shares, number: int) -> list[float]:
    if shares is None:
        return [1 / number] * number
    if isinstance(shares, int | float):
        if number != 2:
            raise ValueError(f"shares={shares} for {number} networks; give one share each")
        shares = [1 - shares, shares]
    found = [float(share) for share in shares]
    if len(found) != number or not min(found) >= 0 or not abs(sum(found) - 1) <= 1e-6:
        raise ValueError(f"shares are {found} for {number} networks; wanted one from 0 to 1 each, that sum to 1")
    return found


def _checked(state: State, net: nn.Module, place: int | str, first: State) -> State:
    """A state by the names of its network, of which every entry is real, finite, and of the right shape and dtype."""
    label = "the base" if place == "base" else f"network {place + 1}"
    wanted = net.state_dict()
    state = plain_state(state, wanted, label)
    check_tensors(state, label, [key for key, _ in net.named_parameters()])
    differ = [f"lacks {key} {tuple(wanted[key].shape)}" for key in wanted if key not in state]
    differ += [f"has {key} beyond it" for key in state if key not in wanted]
    for key in wanted:
        if not differ and state[key].shape != wanted[key].shape:
            differ.append(f"{key} is {tuple(state[key].shape)}, wanted {tuple(wanted[key].shape)}")
    if differ:
        more = f", and {len(differ) - 1} more" if len(differ) > 1 else ""
        raise ValueError(f"{label} is of another architecture than its model: it {differ[0]}{more}")
    for key in wanted:
        tensor = state[key]
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{key} of {label} holds NaN or infinity; take a checkpoint from before it diverged")
        if key in first and tensor.dtype != first[key].dtype:
            raise ValueError(
                f"{key} is {first[key].dtype} in network 1 and {tensor.dtype} in {label}; "
                "convert one of them, so that both are rounded alike"
            )
    return {key: state[key] for key in wanted} if isinstance(state, dict) else state


def _same_widths(states: Sequence[State]) -> bool:
    return all(_shape(s, key) == _shape(states[0], key) for s in states[1:] for key in states[0])


def _shape(state: State, key: str) -> tuple:
    return tuple(state.shapes[key]) if hasattr(state, "shapes") else tuple(state[key].shape)


def _check_widths(parents: Sequence[State], way: Way, base: State | None) -> None:
    for place, state in enumerate(parents[1:], 2):
        for key in parents[0]:
            if key not in state:
                raise ValueError(f"network {place} lacks {key} of network 1: layers have to correspond by name")
            one, other = _shape(parents[0], key), _shape(state, key)
            if one != other and way.method not in ("transport", "naive"):
                raise ValueError(
                    f"{key} is {one} in network 1 and {other} in network {place}; "
                    "method 'transport' alone fuses other widths"
                )


def _in_universe(way: Way, spec: Spec, parents: Sequence[State]) -> list[Aligned]:
    if way.method != "weights":
        raise ValueError(f"merge='universe' finds one frame for all by their weights; it has no method {way.method!r}")
    found = universe_match(spec, [dict(state) for state in parents], mode=way.mode, seed=way.seed)
    doubts = [] if found.converged else ["The common frame was not settled at the limit of sweeps."]
    report = {"method": "universe", "sweeps": found.sweeps, "converged": found.converged}
    return [
        Aligned(*(Moved(spec, own, state, wide=w) for w in (False, True)), own, dict(report), [] if place else doubts)
        for place, (own, state) in enumerate(zip(found.elements, parents, strict=True))
    ]


def _first(fit) -> Tensor | Mapping | None:
    if fit is None:
        return None
    return first(fit[0] if is_pair(fit) else next(iter(fit))[0], 64)


@torch.no_grad()
def _moved_by(net, model, parent: State, one: Aligned, x, scratch: bool) -> float:
    """How far the aligned network's outputs lie from the parent's, as a share of the largest; one copy at a time."""
    # In the precision that the weights bear; of the network one layer at a time, since both are of its size.
    first = next(t for t in parent.values() if t.is_floating_point())
    dtype = torch.float32 if first.dtype in (torch.bfloat16, torch.float16) else torch.float64
    found = []
    for source, state in ((net, parent), (model, one.wide)):
        work = source if scratch else copied(source)
        found.append(run_paged(work, state, lambda work=work: outputs_of(work, x), dtype))
    before, after = found
    return ((after - before).abs().max() / before.abs().max().clamp_min(1e-300)).item()


def _groups(spec: Spec) -> dict:
    found = {}
    for name, group in spec.groups.items():
        made = [key for key, rules in spec.axes.items() if rules and any(part.name == name for part in rules[0])]
        read = [
            key for key, rules in spec.axes.items() if any(part.name == name for parts in rules[1:] for part in parts)
        ]
        said = {"group": written(group), "why": spec.notes.get(name, ""), "channels": group.size}
        found[name] = said | {"made_by": made, "read_by": read}
    return found


def _fixed(spec: Spec) -> list[str]:
    """Entries on which no group acts."""
    return [key for key, rules in spec.axes.items() if all(part.name == FIXED for parts in rules for part in parts)]
