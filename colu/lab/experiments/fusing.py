"""Fuse two networks and say what was done, with everything that speaks against trusting it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from colu.fusion import (
    BarrierCurve,
    Conic,
    FusionMetrics,
    Spec,
    barrier,
    compare,
    invariance_error,
    lerp,
    match_weights,
    recalibrate_batch_norm,
    repair_statistics,
    trace_spec,
)

from .architectures import Architecture

__all__ = ["Fused", "fuse", "labelled_images", "spec_for"]

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


def labelled_images(dataset: str, train_size: int, test_size: int = 0) -> tuple[tuple, tuple]:
    """Normalised training and test images with labels, as :class:`colu.lab.experiments.ImageClassification` sees them.

    Parameters
    ----------
    dataset : str
        A name of :func:`colu.lab.data.names`.
    train_size, test_size : int
        The first so many; 0 for all.

    Examples
    --------
    >>> train, test = labelled_images("digits", 100, 50)
    >>> train[0].shape, test[1].shape
    (torch.Size([100, 1, 8, 8]), torch.Size([50]))
    """
    from colu.lab import data

    train, test = data.load(dataset, "train"), data.load(dataset, "test")
    pixels = train.images[:10_000].double() / train.top
    mean, std = (m.float()[:, None, None] for m in (pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))))

    def some(images, count):
        stop = count or len(images.labels)
        return (images.images[:stop].float() / images.top - mean) / std, images.labels[:stop]

    return some(train, train_size), some(test, test_size)


def spec_for(architecture: Architecture, mode: str) -> Spec:
    """The symmetry of an architecture, or why a mode does not suit it.

    Raises
    ------
    ValueError
        ``conic`` for a network without cones, or whose norms mix with rotations.
    """
    try:
        spec = trace_spec(architecture.model, rotate=mode == "conic")
    except ValueError as error:
        if mode != "conic":
            raise
        raise ValueError(f"mode 'conic' does not suit {architecture.text}: {error}; use --mode permutation") from error
    conic = [group for group in spec.groups.values() if isinstance(group, Conic) and group.dim > 1]
    if mode == "conic" and not conic:
        raise ValueError(
            f"mode 'conic' does not suit {architecture.text}: no layer has cones to rotate; use --mode permutation"
        )
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
    architecture: Architecture,
    a: dict[str, Tensor],
    b: dict[str, Tensor],
    *,
    mode: str = "conic",
    dataset: str | None = None,
    repair: str = "none",
    share: float = 0.5,
    seed: int = 0,
    lambdas: int = 25,
    train_size: int = 2000,
    test_size: int = 0,
) -> Fused:
    r"""Align ``b`` with ``a``, take the mean, repair it, and measure both parents, the aligned one and the mean.

    .. math:: \theta = (1 - t)\,\theta_A + t\, Q\theta_B

    Parameters
    ----------
    architecture : Architecture
    a, b : dict of str to Tensor
        States that fit it; not changed.
    mode : {"conic", "permutation"}
        The whole symmetry of the activation, or permutations of channels or cones.
    dataset : str, optional
        Images to measure on; without, only what the weights say is reported.
    repair : {"none", "cone", "channel", "batchnorm"}
        Reset of the statistics on training images.
    share : float
        Of the second network, t.
    seed : int
        Of the matching.
    lambdas : int
        Points of the curves.
    train_size, test_size : int
        Training images for the repair; test images to measure on, 0 for all.

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
    >>> from colu.lab.experiments.architectures import parse_architecture
    >>> architecture = parse_architecture("mlp:64-16-10:colu")
    >>> state = architecture.model.state_dict()
    >>> fuse(architecture, state, state, dataset="digits", lambdas=3).report["metrics"]["keeps_the_parent"]
    True
    """
    if mode not in ("conic", "permutation"):
        raise ValueError(f"mode is {mode!r}; choose 'conic' or 'permutation'")
    if repair not in REPAIRS:
        raise ValueError(f"repair is {repair!r}, choose one of {REPAIRS}")
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}, wanted from 0 (the first network) to 1 (the second, aligned)")
    if repair != "none" and dataset is None:
        raise ValueError(f"repair {repair!r} takes statistics from images; name a set with --data")
    model, spec = architecture.model, spec_for(architecture, mode)
    found = match_weights(spec, a, b, mode=mode, seed=seed)
    moved = found.apply(spec, b)
    model.load_state_dict(b)
    error = invariance_error(model, spec, architecture.inputs(), found.elements)
    metrics, curves, state = None, {}, lerp(a, moved, share)
    if dataset is not None:
        train, test = labelled_images(dataset, train_size, test_size)
        if tuple(test[0].shape[1:]) != architecture.input_shape and test[0][0].numel() != architecture.input_shape[0]:
            raise ValueError(
                f"images of {dataset} have shape {tuple(test[0].shape[1:])}, "
                f"{architecture.text} reads {architecture.input_shape}; name another set"
            )
        adjust = None
        if repair in ("cone", "channel"):
            adjust = lambda mean, t: repair_statistics(  # noqa: E731
                spec, model, mean, (a, moved), train[0], t=t, kind=repair
            )
        elif repair == "batchnorm":
            adjust = lambda mean, t: recalibrate_batch_norm(model, mean, train[0].split(500))  # noqa: E731
        settings = {"split": f"{dataset} test", "lambdas": lambdas}
        curves["naive"] = barrier(model, a, b, test, **settings)
        curves[mode] = barrier(model, a, moved, test, **settings)
        if adjust is not None:
            curves[f"{mode}, repaired"] = barrier(model, a, moved, test, adjust=adjust, **settings)
            state = adjust(state, share) if 0 < share < 1 else state
        metrics = compare(model, spec, a, b, found, test, split=settings["split"], t=share)
        if adjust is not None:
            from colu.fusion import evaluate

            metrics = replace(metrics, fused=evaluate(model, state, test))
    report = {
        "architecture": architecture.text,
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
