"""What tells which units of two networks correspond: second moments of what they put out, or of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from .observe import channels_at, observed, points
from .part import FIXED
from .samples import call, inputs_of
from .spec import Spec, State, gathered
from .subgroups import written
from .units import AXIS, Units

__all__ = ["Moments", "check_correspond", "output_moments", "row_moments"]


class Moments:
    """Products of the units of B with those of A, set by set, and their squares; summed over what is seen."""

    def __init__(self, source: Units, target: Units):
        self.source, self.target = source, target
        self.products: dict = {}
        self.even: dict = {}
        self.squares = [0.0, 0.0]
        self.counts: dict = {}
        self.left = False

    def see(self, a: Tensor, b: Tensor, even: bool = False) -> None:
        """Add channels ``(C_A, D)`` and ``(C_B, D)``; ``even`` ones do not see signs."""
        ones, others = self.source.take(a), self.target.take(b)
        store = self.even if even else self.products
        for place, one in ones.items():
            if place == AXIS:
                continue
            size, other = one.shape[1], others[place]
            squares = (x.square().sum((1, 2)).cpu() for x in (one, other))
            self.squares = [total + new for total, new in zip(self.squares, squares, strict=True)]
            product = other.flatten(0, 1) @ one.flatten(0, 1).T
            product = product.unflatten(1, (-1, size)).unflatten(0, (-1, size)).permute(0, 2, 1, 3).cpu()
            store[place] = store[place] + product if place in store else product
            # Sets that a layer lacks are zeros here, and no samples.
            self.counts[place] = self.counts.get(place, 0) + a.shape[1] * bool(one.any())

    def gain(self) -> Tensor:
        """For each pair of units ``(G_B, G_A)`` the product at its best turn."""
        total = torch.zeros(self.target.count, self.source.count, dtype=torch.float64)
        for place in {*self.products, *self.even}:
            blocks, even = self._of(place)
            total = total + self.source.inner[place].gain(blocks, even)
        return total

    def turns(self, pairs: Tensor) -> dict[int, Tensor]:
        """The best turn of each set for the pairs ``(G_B, G_A)`` that are true, the identity for others."""
        found = {}
        for place in {*self.products, *self.even}:
            if (inner := self.source.inner[place]).kind != "fixed":
                blocks, even = self._of(place)
                best = torch.eye(blocks.shape[-1], dtype=torch.float64).repeat(*pairs.shape, 1, 1)
                best[pairs] = inner.best(blocks[pairs], None if even is None else even[pairs])
                found[place] = best
        return found

    def distances(self, gain: Tensor) -> Tensor:
        """Squared distances ``(G_A, G_B)`` at the best turn."""
        return self.squares[0][:, None] + self.squares[1][None] - 2 * gain.T

    def _of(self, place) -> tuple[Tensor, Tensor | None]:
        even = self.even.get(place)
        return self.products[place] if place in self.products else torch.zeros_like(even), even


def check_correspond(spec_a: Spec, spec_b: Spec) -> None:
    """Raise ``ValueError`` unless two specifications differ in numbers of units alone."""
    if list(spec_a.groups) != list(spec_b.groups) or set(spec_a.axes) != set(spec_b.axes):
        raise ValueError(
            f"the specifications name groups {list(spec_a.groups)} and {list(spec_b.groups)}; "
            "transport needs layers that correspond by name"
        )
    for name, one in spec_a.groups.items():
        other = spec_b.groups[name]
        if _kind(one) != _kind(other):
            raise ValueError(
                f"{name!r} is {written(one)} in A and {written(other)} in B; only the number of units may differ"
            )
        units = [Units.of(group) for group in (one, other)]
        if units[0].count != units[1].count and not units[0].exchange:
            raise ValueError(
                f"{name!r} has {units[0].count} units in A and {units[1].count} in B, which stay where they are: "
                "their numbers have to agree"
            )
    for parameter, rules in spec_a.axes.items():
        if [_form(parts) for parts in rules] != [_form(parts) for parts in spec_b.axes[parameter]]:
            raise ValueError(
                f"{parameter} has axes {rules} in A and {spec_b.axes[parameter]} in B; they must agree"
            )


def _kind(group) -> tuple:
    """All that is to be equal: a group but for the number of its units."""
    units = Units.of(group)
    frame = [getattr(group, name, None) for name in ("share_axis", "layout", "frame")]
    return type(group), units.inner, units.blocks, units.exchange, frame


def _form(parts) -> list:
    """Parts without their places, which depend on the number of units."""
    return [replace(part, at=None if part.at is None else ()) for part in parts]


def output_moments(spec_a: Spec, spec_b: Spec, model_a, model_b, batches, mode: str = "conic") -> dict[str, Moments]:
    """For each group what both networks put out in the layers that make its channels."""
    places = (points(spec_a, model_a), points(spec_b, model_b))
    common = [name for name in places[0] if name in places[1]]
    found = {name: Moments(*(Units.of(spec.groups[name], mode) for spec in (spec_a, spec_b))) for name in spec_a.groups}
    with torch.no_grad():
        for batch in [batches] if isinstance(batches, Tensor | Mapping) else batches:
            seen: list[dict[str, Tensor]] = [{}, {}]
            for model, store in zip((model_a, model_b), seen, strict=True):
                with observed(model, common, store.__setitem__):
                    for x in inputs_of([batch], model):
                        call(model, x)
            for module in common:
                for (name, at), (_, to) in zip(places[0][module], places[1][module], strict=True):
                    rows = zip(seen, (at, to), strict=True)
                    found[name].see(*(channels_at(x[module], where).T for x, where in rows))
    missing = [name for name, moments in found.items() if not moments.products]
    if missing:
        raise ValueError(f"layers of {missing} saw no samples; give at least one batch")
    return found


def row_moments(
    spec_a: Spec, spec_b: Spec, name: str, a: State, b: State, carried, known, mode: str = "conic"
) -> Moments | None:
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
        Groups whose plan is there; entries that read others are left out, which ``left`` of the result says.
    mode : {"conic", "permutation"}
    """
    moments = Moments(*(Units.of(spec.groups[name], mode) for spec in (spec_a, spec_b)))
    rich = False
    for one, other in zip(_places(spec_a, name), _places(spec_b, name), strict=True):
        parameter, axis, side, even, _ = one
        if side != "out" or parameter in spec_a.unmatched:
            continue
        read = {part.name for place, parts in enumerate(spec_a.axes[parameter]) if place != axis for part in parts}
        if not read - {FIXED} <= known:
            moments.left = True
            continue
        values = carried(parameter, a[parameter])
        wanted = b[parameter].detach().double().to(values.device)
        moments.see(_channels(values, axis, one[-1]), _channels(wanted, axis, other[-1]), even)
        rich = rich or a[parameter].dim() > 1
    return moments if moments.products and (rich or not moments.left) else None


def _places(spec: Spec, name: str):
    """Where a group acts: (parameter, axis, side, even, how its channels are taken)."""
    for parameter, axis, offset, repeat, side in spec.occurrences(name):
        yield parameter, axis, side, False, (offset, repeat, spec.groups[name].size)
    for parameter, axis, places, side, even in spec.scattered(name):
        yield parameter, axis, side, even, places


def _channels(tensor: Tensor, axis: int, where) -> Tensor:
    """Channels as rows, what stands for one of them beside each other."""
    if isinstance(where, Tensor):
        return gathered(tensor, axis, where).movedim(axis, 0).flatten(1)
    offset, repeat, size = where
    return tensor.narrow(axis, offset, size * repeat).unflatten(axis, (size, repeat)).movedim(axis, 0).flatten(1)
