"""What tells which units of two networks correspond: second moments of what they put out, or of their weights."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from colu.blocks import split

from .groups import Conic, Permutation
from .matching import _as_rows
from .observe import inputs_of, observed, points
from .part import FIXED
from .spec import Spec, State

__all__ = ["blocks", "check_correspond", "output_moments", "row_moments", "unit_norms"]


def blocks(source, target, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Axis products ``(G_B, G_A)`` and section blocks of a covariance of B's channels with A's."""
    turned = target._turn(source._turn(covariance, 1), 0)

    def cut(x: Tensor, axis: int, group) -> tuple[Tensor, Tensor]:
        return split(x, axis, group.groups, group.dim, group.share_axis, group.layout)

    axis, section = cut(turned, 0, target)
    return cut(axis, 2, source)[0].squeeze(3).squeeze(1), cut(section, 2, source)[1].permute(0, 2, 1, 3)


def unit_norms(group, second: Tensor) -> Tensor:
    """Mean square norm of each cone, from the mean squares of channels in the turned frame."""
    axis, section = split(second, 0, group.groups, group.dim, group.share_axis, group.layout)
    return section.sum(1) if group.share_axis else axis.squeeze(1) + section.sum(1)


def check_correspond(spec_a: Spec, spec_b: Spec) -> None:
    """Raise ``ValueError`` unless two specifications differ in numbers of units alone."""
    if list(spec_a.groups) != list(spec_b.groups) or set(spec_a.axes) != set(spec_b.axes):
        raise ValueError(
            f"the specifications name groups {list(spec_a.groups)} and {list(spec_b.groups)}; "
            "transport needs layers that correspond by name"
        )
    for name, one in spec_a.groups.items():
        other = spec_b.groups[name]
        for group in (one, other):
            if not isinstance(group, Permutation | Conic) or group.blocks > 1:
                raise ValueError(f"transport knows units and cones without blocks, not {group} of {name!r}")
        same = None
        if type(one) is type(other):
            same = replace(one, **{"n" if isinstance(one, Permutation) else "groups": other.groups})
        if same != other:
            raise ValueError(f"{name!r} is {one} in A and {other} in B; only the number of units may differ")
    places = [place for name in spec_a.groups for place in spec_a.scattered(name)]
    views = sorted({place[0] for place in places})
    if views:
        raise ValueError(
            f"transport knows every channel of a group, and {views} have only some of them, or in another order"
        )
    for parameter, rules in spec_a.axes.items():
        if rules != spec_b.axes[parameter]:
            raise ValueError(
                f"{parameter} has axes {rules} in A and {spec_b.axes[parameter]} in B; they must agree"
            )


def output_moments(spec_a: Spec, spec_b: Spec, model_a, model_b, batches) -> dict:
    """For each group: E[b a^T], the mean squares of both in the turned frame, and the number of rows."""
    places = (points(spec_a, model_a), points(spec_b, model_b))
    common = [name for name in places[0] if name in places[1]]
    found: dict[str, list] = {}
    counted: dict[str, int] = {}
    with torch.no_grad():
        for batch in [batches] if isinstance(batches, Tensor) else batches:
            seen: list[dict[str, Tensor]] = [{}, {}]
            for model, store in zip((model_a, model_b), seen, strict=True):
                with observed(model, common, store.__setitem__):
                    for x in inputs_of([batch], model):
                        model(x)
            for module in common:
                one, other = (store[module].cpu() for store in seen)
                for (name, at), (_, to) in zip(places[0][module], places[1][module], strict=True):
                    source, target = spec_a.groups[name], spec_b.groups[name]
                    a, b = one[:, at], other[:, to]
                    sums = [b.T @ a, source._turn(a, 1).square().sum(0), target._turn(b, 1).square().sum(0)]
                    found[name] = (
                        [x + y for x, y in zip(found[name], sums, strict=True)] if name in found else sums
                    )
                    counted[name] = counted.get(name, 0) + len(a)
    missing = [name for name in spec_a.groups if name not in found]
    if missing:
        raise ValueError(f"layers of {missing} saw no samples; give at least one batch")
    return {name: (*(value / counted[name] for value in sums), counted[name]) for name, sums in found.items()}


def row_moments(spec_a: Spec, spec_b: Spec, name: str, a: State, b: State, carried, known) -> dict | None:
    """The same of the weights that make the channels of one group; None where there are none to compare yet.

    Parameters
    ----------
    spec_a, spec_b : Spec
    name : str
        Of the group.
    a, b : dict of str to Tensor
    carried : callable
        ``carried(parameter, tensor)``: an entry of A with the channels that it reads in the order of B.
    known : set of str
        Groups whose plan is there; entries that read others are left out.

    Returns
    -------
    tuple or None
        As :func:`output_moments` has it, and whether anything was left out.
    """
    source, target = spec_a.groups[name], spec_b.groups[name]
    places = zip(spec_a.occurrences(name), spec_b.occurrences(name), strict=True)
    total, rich, left = None, False, False
    for (parameter, axis, at, repeat, side), (_, _, to, _, _) in places:
        if side != "out" or parameter in spec_a.unmatched:
            continue
        read = {part.name for place, parts in enumerate(spec_a.axes[parameter]) if place != axis for part in parts}
        if not read - {FIXED} <= known:
            left = True
            continue
        one = _as_rows(carried(parameter, a[parameter]), axis, at, source.size, repeat)
        other = _as_rows(b[parameter].detach().double().to(one.device), axis, to, target.size, repeat)
        sums = [other @ one.T, source._turn(one, 0).square().sum(1), target._turn(other, 0).square().sum(1)]
        total = sums if total is None else [x + y for x, y in zip(total, sums, strict=True)]
        rich = rich or a[parameter].dim() > 1
    return (*(value.cpu() for value in total), left) if total is not None and (rich or not left) else None
