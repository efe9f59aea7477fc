"""Resetting the statistics of an averaged network: REPAIR in two forms, and BatchNorm's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from colu.blocks import join, split
from colu.checks import check_choice

from .groups import Conic, Orthogonal, Vectors
from .invariance import double_model
from .observe import channels_at, observed, points, run
from .samples import call, count, inputs_of, is_pair, pairs
from .spec import Spec, State
from .states import loaded, plain_state
from .wreath import Wreath

__all__ = ["fitting_repair", "recalibrate_batch_norm", "repair_statistics", "repairer"]

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class _Moments:
    """Means and variances of channels, streamed: two sums about the first row of samples."""

    def __init__(self):
        self.count, self.shift, self.sum, self.squares = 0, None, 0.0, 0.0

    def see(self, rows: Tensor) -> None:
        # About a point near the mean, so that squares do not cancel.
        self.shift = rows.mean(0) if self.shift is None else self.shift
        centred = rows - self.shift
        self.sum, self.squares = self.sum + centred.sum(0), self.squares + centred.square().sum(0)
        self.count += len(rows)

    @property
    def mean(self) -> Tensor:
        return self.shift + self.sum / self.count

    @property
    def variance(self) -> Tensor:
        return (self.squares / self.count - (self.sum / self.count).square()).clamp_min(0)


def _framed(group, kind: str) -> bool:
    return kind == "cone" and isinstance(group, Conic) and group.frame == "homogeneous"


def _turned(group, rows: Tensor, kind: str) -> Tensor:
    """Rows in the frame in which the scales of a repair are diagonal."""
    return group._turn(rows, -1) if _framed(group, kind) else rows


def _pooled(group, variance: Tensor, kind: str) -> Tensor:
    """One variance for what a covariant scale must treat alike: the channels of a section."""
    if kind == "channel" or getattr(group, "dim", None) == 1:
        return variance
    if isinstance(group, Wreath):
        inner = group.inner
        parts = variance.unflatten(0, (-1, group.dim)).split([one.size for one in inner], -1)
        turning = zip(inner, parts, strict=True)
        pooled = [part.mean(-1, keepdim=True).expand_as(part) if one.turns else part for one, part in turning]
        return torch.cat(pooled, -1).flatten()
    if isinstance(group, Orthogonal):
        return variance.mean().expand_as(variance)
    if isinstance(group, Vectors):
        vectors = variance.unflatten(0, (group.groups, group.dim))
        return vectors.mean(1, keepdim=True).expand_as(vectors).flatten()
    axis, section = split(variance, 0, group.groups, group.dim, group.share_axis, group.layout)
    section = section.mean(1, keepdim=True).expand_as(section)
    return join(axis, section, 0, group.share_axis, group.layout)


def _statistics(spec: Spec, model: nn.Module, places: dict, batches, kind: str) -> tuple[dict, list[str]]:
    """Moments of every group at every layer, and the layers in the order in which they ran."""
    moments: dict[tuple[str, int], _Moments] = {}
    order: list[str] = []

    def see(module: str, rows: Tensor) -> None:
        if module not in order:
            order.append(module)
        for key, (name, at) in enumerate(places[module]):
            stretch = _turned(spec.groups[name], channels_at(rows, at), kind)
            moments.setdefault((module, key), _Moments()).see(stretch)

    with observed(model, places, see):
        if run(model, batches) < 2:
            raise ValueError("fewer than 2 samples; statistics need more, some hundreds at least")
    return moments, order


def repair_statistics(
    spec: Spec,
    model: nn.Module,
    fused: State,
    endpoints: tuple[State, State],
    batches: Iterable | Tensor,
    *,
    t: float = 0.5,
    kind: str = "cone",
) -> dict[str, Tensor]:
    r"""Give each layer of an averaged network the interpolated mean and deviation of its parents.

    .. math:: W' &= D\,W, \\
              b' &= D\,(b - \mu) + (1-t)\mu_A + t\mu_B, \\
              D &= \mathrm{diag}\,\frac{(1-t)\sigma_A + t\sigma_B}{\sigma}

    Layers are treated in the order in which they run, each after those before it, and the change is folded
    into
    weights and biases: no layer is added.

    Parameters
    ----------
    spec : Spec
    model : Module
        Copied; not changed.
    fused : dict of str to Tensor
    endpoints : pair of dict
        The first parent, and the second one *aligned*.
    batches : Tensor or iterable
        Training inputs, or tuples that start with them; read several times.
    t : float
        The share of the second parent in ``fused``.
    kind : {"cone", "channel"}
        One scale for the axis and one for the whole section of each cone, which commutes with the group,
        so that the result does not depend on the frame; or one for each channel, as published.

    Returns
    -------
    dict of str to Tensor
        A new state. Layers without a bias cannot take a mean and are left as they are.

    Raises
    ------
    ValueError
        If no layer can be treated, or a norm would need scales that are not diagonal.

    Notes
    -----
    Channels whose deviation is below 1e-12 of the largest keep their scale.
    One pass over the batches for each layer.

    References
    ----------
    Jordan et al., "REPAIR: REnormalizing Permuted Activations for Interpolation Repair", ICLR 2023,
    arXiv 2211.08403, section 3.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> spec, state = from_sequential(model), model.state_dict()
    >>> same = repair_statistics(spec, model, state, (state, state), torch.randn(50, 5))
    >>> all(torch.allclose(same[name], state[name], atol=1e-6) for name in state)
    True
    """
    check_choice("kind", kind, ("cone", "channel"))
    spec = spec.plain()
    places = {name: parts for name, parts in points(spec, model).items() if f"{name}.bias" in fused}
    if not places:
        raise ValueError(
            f"no layer of {type(model).__name__} has a bias to take a mean; nothing can be repaired"
        )
    batches = [batches] if isinstance(batches, Tensor | Mapping) else list(batches)
    work = double_model(model)
    fused, *endpoints = (plain_state(state, work.state_dict()) for state in (fused, *endpoints))
    goals = []
    for state in endpoints:
        work.load_state_dict(dict(state))
        moments, order = _statistics(spec, work, places, batches, kind)
        goals.append(moments)
    result = {name: tensor.detach().clone() for name, tensor in fused.items()}
    work.load_state_dict(result)
    for module in order:
        now, _ = _statistics(spec, work, {module: places[module]}, batches, kind)
        weight = work.get_submodule(module).weight.data
        bias = work.get_submodule(module).bias.data
        for place, (name, at) in enumerate(places[module]):
            group, here = spec.groups[name], at >= 0
            if (
                isinstance(work.get_submodule(module), _NORMS)
                and getattr(group, "frame", "") == "homogeneous"
            ):
                raise ValueError(
                    f"norm {module!r} scales channels, not the axes of its cones; use kind='channel'"
                )
            key = (module, place)
            deviations = [_pooled(group, m[key].variance, kind).sqrt() for m in (*goals, now)]
            goal = (1 - t) * deviations[0] + t * deviations[1]
            alive = deviations[2] > 1e-12 * deviations[2].amax()
            scale = torch.where(alive, goal / deviations[2].where(alive, torch.ones_like(goal)), 1.0)
            mean = (1 - t) * goals[0][key].mean + t * goals[1][key].mean
            if not here.all():
                # What is not there was counted as zeros; only a frame of whole cones would mix it with the rest.
                if _framed(group, kind):
                    continue
                scale, mean, group = scale[here], mean[here], None
            part, centre = at[here].to(weight.device), now[key].mean[here]
            rows = _turned(group, weight[part].flatten(1).T if weight.dim() > 1 else weight[part][None], kind)
            # A norm's weight is a scale, not a vector: it has no frame to turn back.
            scaled = rows * scale if weight.dim() > 1 else weight[part][None] * scale
            back = _turned(group, scaled, kind) if weight.dim() > 1 else scaled
            weight[part] = back.T.reshape(weight[part].shape) if weight.dim() > 1 else back[0]
            shifted = (_turned(group, bias[part][None], kind)[0] - centre) * scale + mean
            bias[part] = _turned(group, shifted[None], kind)[0]
        result[f"{module}.weight"] = weight.to(fused[f"{module}.weight"].dtype).clone()
        result[f"{module}.bias"] = bias.to(fused[f"{module}.bias"].dtype).clone()
    return result


def _joined(batches: Iterable) -> Iterator:
    """Batches, a single row joined to the one before it (the first to the one after): it has no variance."""
    held = None
    for x in batches:
        if held is not None and 1 in (count(held), count(x)):
            x = tree_map(lambda *both: torch.cat(both), held, x)
        elif held is not None:
            yield held
        held = x
    if held is not None:
        yield held


@torch.no_grad()
def recalibrate_batch_norm(model: nn.Module, state: State, batches: Iterable | Tensor) -> dict[str, Tensor]:
    """Measure the running statistics of all BatchNorm layers anew: means of two networks' fit neither.

    Parameters
    ----------
    model : Module
        Copied; not changed.
    state : dict of str to Tensor
    batches : Tensor or iterable
        Training inputs, or tuples that start with them; cumulative means over the batches, of which a single row is
        joined to the one before.

    Returns
    -------
    dict of str to Tensor
        The state with new running means and variances, nothing else changed.

    Raises
    ------
    ValueError
        For a model without BatchNorm, no batches, or one row in all.

    Examples
    --------
    >>> model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    >>> recalibrate_batch_norm(model, model.state_dict(), torch.ones(8, 2))["0.running_mean"]
    tensor([1., 1.])
    """
    model = loaded(model, state).eval()
    state = plain_state(state, model.state_dict())
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BATCH_NORMS) and module.track_running_stats
    ]
    if not norms:
        raise ValueError(
            f"{type(model).__name__} has no BatchNorm with running statistics; use repair_statistics instead"
        )
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    seen = 0
    for x in _joined(inputs_of(batches, model)):
        seen += 1
        try:
            call(model, x)
        except ValueError as error:
            if count(x) > 1:
                raise
            raise ValueError(
                f"the only batch has {count(x)} row, and BatchNorm takes a variance; give some hundreds of samples"
            ) from error
    if not seen:
        raise ValueError("no batches; give some hundreds of training samples")
    return {
        name: tensor.detach().clone().to(state[name].dtype)
        if "running_" in name
        else state[name].detach().clone()
        for name, tensor in model.state_dict().items()
    }


def fitting_repair(spec: Spec, model: nn.Module, asked: str, number: int) -> tuple[str, str]:
    """Which reset of the statistics fits a network, and why; what was asked for where that is not ``auto``.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> fitting_repair(from_sequential(model), model, "auto", 2)
    ('channel', 'units without norms: each channel has a mean and a deviation')
    """
    if asked != "auto":
        if asked in ("cone", "channel") and number > 2:
            raise ValueError(f"repair={asked!r} interpolates the statistics of two networks, not of {number}")
        return asked, "asked for"
    if any(isinstance(module, _BATCH_NORMS) and module.running_mean is not None for module in model.modules()):
        return "batchnorm", "there are running statistics, which a mean of networks makes wrong"
    if any(isinstance(module, _NORMS) for module in model.modules()):
        return "none", "norms standardise each sample, and leave nothing to reset"
    if number > 2:
        return "none", f"statistics are interpolated between two networks, not {number}"
    if any(getattr(group, "dim", 1) > 1 for group in spec.groups.values()):
        return "cone", "one scale for the axis and one for the section of a cone, which commutes with its turns"
    return "channel", "units without norms: each channel has a mean and a deviation"


def repairer(kind: str, spec: Spec, model: nn.Module, endpoints: list[State], batches):
    """``adjust(state, t)`` for a mean of endpoints in one frame; None where nothing is to be repaired."""
    if kind == "none":
        return None
    if kind == "batchnorm":
        stream = list(pairs(batches, 500)) if is_pair(batches) else batches
        return lambda state, t: recalibrate_batch_norm(model, state, stream)
    samples = batches[0] if is_pair(batches) else batches
    return lambda state, t: repair_statistics(spec, model, state, tuple(endpoints), samples, t=t, kind=kind)
