"""The figures that stand beside a fused network, and what they give reason to doubt."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict

import torch
from torch import Tensor, nn

from .measure import BarrierCurve, Loss, Metrics, barrier, evaluate, evaluate_ensemble
from .samples import pairs as samples
from .spec import State

__all__ = ["averaged_buffers", "differences", "doubts", "measured"]

#: Points of accuracy below what its file says, or below its own confidence, from which a parent is doubted.
BELOW = 0.1


def differences(
    parents: Sequence[State], aligned: Sequence[State], fused: State, merges: Mapping[str, State]
) -> dict:
    """Norms of each matrix and distances of merges from the first network, in one pass over the entries.

    ``norm_ratio`` is the norm of the fused matrix by the mean norm of the aligned ones: means of unlike weights shrink.
    ``norm_aligned`` is the norm of each aligned parent's matrix by that of the parent itself.
    """
    ratio, own = {}, [{} for _ in parents]
    far, total = dict.fromkeys(merges, 0.0), 0.0
    for name in aligned[0]:
        first = aligned[0][name]
        if not first.is_floating_point():
            continue
        first = first.double()
        total += first.square().sum().item()
        if first.dim() > 1:
            norms = [_norm(state[name]) for state in aligned]
            ratio[name] = _norm(fused[name]) / max(sum(norms) / len(norms), 1e-300)
            for store, parent, norm in zip(own, parents, norms, strict=True):
                store[name] = norm / max(_norm(parent[name]), 1e-300)
        for label, state in merges.items():
            far[label] += (state[name].double() - first).square().sum().item()
    scale = max(total, 1e-300) ** 0.5
    distances = {label: value**0.5 / scale for label, value in far.items()}
    return {"norm_ratio": ratio, "norm_aligned": own, "distance": distances}


def _norm(tensor: Tensor) -> float:
    return tensor.detach().double().norm().item()


def measure(model: nn.Module, state: State | list[State], data, *, loss: Loss | None = None) -> Metrics:
    """Loss and accuracy of a state, or of several whose outputs are averaged."""
    measuring = evaluate_ensemble if isinstance(state, list) else evaluate
    return measuring(model, state, data, loss=loss)


def measured(
    nets: Sequence[nn.Module],
    parents: Sequence[State],
    aligned: Sequence[State],
    fused: State,
    plain: State,
    controls: Mapping[str, State],
    data,
    *,
    split: str,
    loss: Loss | None,
    lambdas: int,
    adjust: Callable | None,
    chord: bool,
    shares: Sequence[float],
) -> tuple[dict, dict[str, BarrierCurve]]:
    """Parents, each aligned and alone, the merge with and without repair, controls, ensemble; and the curves."""
    model = nets[0]

    def at(net: nn.Module, state) -> dict:
        return asdict(measure(net, state, data, loss=loss))

    found = {
        "split": split,
        "parents": [at(net, state) for net, state in zip(nets, parents, strict=True)],
        "aligned_alone": [at(model, state) for state in aligned],
        "fused": at(model, fused),
        "without_repair": at(model, plain) if adjust is not None else None,
        **{label: at(model, state) for label, state in controls.items()},
        "ensemble": asdict(evaluate_ensemble(nets, parents, data, loss=loss)),
    }
    if loss is None:
        found["guess"] = math.log(1 + max(int(y.max()) for _, y in samples(data)))
    pairs = zip(found["parents"], found["aligned_alone"], strict=True)
    rounding = [max(torch.finfo(t.dtype).eps for t in one.values() if t.is_floating_point()) for one in parents]
    found["keeps_the_parent"] = [_keeps(*pair, eps) for pair, eps in zip(pairs, rounding, strict=True)]
    found["above_chord"] = found["fused"]["loss"] - sum(
        share * parent["loss"] for share, parent in zip(shares, found["parents"], strict=True)
    )
    curves = {}
    if len(parents) == 2 and chord:
        settings = {"split": split, "lambdas": lambdas, "loss": loss}
        if "naive" in controls:
            curves["naive"] = barrier(model, *parents, data, **settings)
        curves["aligned"] = barrier(model, *aligned, data, **settings)
        if adjust is not None:
            curves["repaired"] = barrier(model, *aligned, data, adjust=adjust, **settings)
    return found, curves


def _keeps(parent: Mapping, alone: Mapping, eps: float = 0.0) -> bool:
    """Whether an aligned parent answers as it did, up to rounding: 1e-5 of the loss, one answer in a thousand.

    Of halves, whose moved weights are rounded anew, the relative precision ``eps`` of both.
    """
    close = abs(alone["loss"] - parent["loss"]) <= max(1e-5, eps) * max(1.0, abs(parent["loss"]))
    return close and (parent["accuracy"] is None or abs(alone["accuracy"] - parent["accuracy"]) <= max(1e-3, eps))


def doubtful_parent(
    label: str, metrics: Mapping | Metrics, said: float | None = None, guess: float | None = None
) -> str | None:
    """Why a parent's own score speaks against the data or their scaling; None where it does not.

    Parameters
    ----------
    label : str
    metrics : dict
        As :class:`colu.fusion.Metrics` has it.
    said : float, optional
        The accuracy that its file states.
    guess : float, optional
        The loss of guessing all classes alike.

    Examples
    --------
    >>> doubtful_parent("network 1", {"accuracy": 0.7, "confidence": 0.95, "loss": 1.0}, None)[:56]
    'network 1 is right in 70.0 % of the answers and sure of '
    """
    accuracy, confidence = metrics["accuracy"], metrics["confidence"]
    if accuracy is None:
        return None
    if said is not None and accuracy < said - BELOW:
        return (
            f"{label} is right in {100 * accuracy:.1f} % of the answers and its file says {100 * said:.1f} %: "
            "these are other data, or they are scaled otherwise than in training."
        )
    if confidence is not None and accuracy < confidence - BELOW:
        return (
            f"{label} is right in {100 * accuracy:.1f} % of the answers and sure of {100 * confidence:.1f} %: "
            "these may be other data than it was trained on, or scaled otherwise."
        )
    if guess is not None and metrics["loss"] > guess:
        return (
            f"{label} has a loss of {metrics['loss']:.3g}, more than a guess ({guess:.3g}): "
            "these may be other data than it was trained on, or scaled otherwise."
        )
    return None


def averaged_buffers(model: nn.Module, states: Sequence[State], statistics: Collection[str]) -> list[str]:
    """A sentence where buffers that are no running statistics differ between aligned networks, and none elsewhere."""
    names = [name for name, held in model.named_buffers() if held.dim() and held.is_floating_point()]
    names = [name for name in names if name in states[0] and name not in statistics]
    unlike = [name for name in names if any((one[name] != states[0][name]).any() for one in states[1:])]
    if not unlike:
        return []
    more = f" and {len(unlike) - 3} more" if len(unlike) > 3 else ""
    return [f"Buffers are averaged as weights are, {', '.join(unlike[:3])}{more}: no mask or table stays what it was."]


def doubts(report: Mapping, already: Sequence[str], split: str) -> list[str]:
    """What speaks against trusting a fused network, in words, the gravest first."""
    found = []
    for place, one in enumerate(report["aligned"], 1):
        error = one.get("invariance_error")
        soft = "softness" in one
        if error is not None and not error < 1e-4 and not soft:
            found.append(
                f"The alignment of network {place} changes its function by {error:.2g}: "
                "the specification is wrong for this model."
            )
        if error is not None and not error < 1e-4 and soft:
            found.append(
                f"Network {place} as its plan carries it answers otherwise than it did, by {error:.2g} of its largest "
                "output: widths shrink, units are averaged, or one weight both makes and reads channels."
            )
        if "invariance_error" in one and error is None:
            found.append("That aligning changes no output was not checked: give an example input.")
    if report["folding"]["taken"] and report["folding"]["turning"] <= 0:
        kept = "; ".join(f"{gain} stays, {why}" for gain, why in report["folding"]["kept"].items())
        found.append(f"Folding lets no more channels turn{f' ({kept})' if kept else ''}: leave it out.")
    if report["method"] != "naive" and not report["groups"]:
        found.append("No group was found, so that nothing could be aligned: what was fixed, and why, is listed.")
    found += already
    shrunk = {name: ratio for name, ratio in report["weights"]["norm_ratio"].items() if ratio < 0.5}
    if shrunk:
        least = min(shrunk, key=shrunk.__getitem__)
        found.append(
            f"{len(shrunk)} of the fused network's weights have less than half of their parents' norm, "
            f"{least} {shrunk[least]:.2g}: what was averaged there is unlike."
        )
    far = report["weights"]["distance"]
    if report["method"] != "naive" and not far["aligned"] < far["random"]:
        found.append("A random alignment brings the networks as near as this one does.")
    metrics = report["metrics"]
    if metrics is None:
        return list(dict.fromkeys([*found, "Nothing was measured on data: give some before using the fused network."]))
    guess = metrics.get("guess")
    scores = enumerate(metrics["parents"], 1)
    found += [said for k, one in scores if (said := doubtful_parent(f"Network {k}", one, guess=guess))]
    found += [
        f"Network {place} aligned and alone no longer answers as it did, so that the fused figures show little."
        for place, keeps in enumerate(metrics["keeps_the_parent"], 1)
        if not keeps
    ]
    parent = "better parent" if report["parents"] == 2 else "best parent"
    fused, better = metrics["fused"], min(metrics["parents"], key=lambda one: one["loss"])
    if fused["accuracy"] is not None:
        better = max(metrics["parents"], key=lambda one: one["accuracy"])
        if fused["accuracy"] < better["accuracy"]:
            found.append(
                f"The fused network is right in {100 * fused['accuracy']:.2f} % and its {parent} in "
                f"{100 * better['accuracy']:.2f} %: keep the parent unless one network for all is what you need."
            )
    elif fused["loss"] > better["loss"]:
        found.append(f"The fused network has a loss of {fused['loss']:.4g} and its {parent} {better['loss']:.4g}.")
    if fused["loss"] >= metrics["random"]["loss"]:
        found.append("A random alignment fuses as well as this one.")
    if "naive" in metrics and report["method"] != "naive" and fused["loss"] >= metrics["naive"]["loss"]:
        found.append("The plain mean without any alignment is as good.")
    curves = report["curves"]
    if "aligned" in curves and curves["aligned"]["loss_barrier"] > 0.02:
        found.append(
            f"The loss rises {curves['aligned']['loss_barrier']:.3g} above the chord between the networks "
            "as they were aligned: they do not lie in one basin."
        )
    if metrics["without_repair"] and metrics["without_repair"]["loss"] < fused["loss"]:
        found.append("The repair of the statistics raised the loss: fuse with repair none.")
    elif report["repair"]["taken"] != "none":
        found.append("The repair took statistics from samples; with others the network is another.")
    samples = fused["samples"]
    errors = f"accuracies bear errors of about {100 * 0.5 / math.sqrt(max(samples, 1)):.2g} points each"
    found.append(
        f"{'One pair' if report['parents'] == 2 else 'One set'} of networks and {samples} samples ({split}): "
        f"no interval{'' if fused['accuracy'] is None else f'; {errors}'}."
    )
    return list(dict.fromkeys(found))
