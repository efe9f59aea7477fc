"""Networks whose gains are folded before they are aligned: their specifications, and what was rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from colu.checks import check_choice

from .align import Way
from .fold import Folding, norm_folding
from .samples import first
from .spec import Spec, State
from .states import loaded
from .trace import trace_spec
from .units import Units

__all__ = ["Folded", "folded_specs"]


@dataclass(frozen=True, eq=False)
class Folded:
    """One folding for each network, and what a report says of them."""

    foldings: list[Folding]
    report: dict


def folded_specs(
    nets: Sequence[nn.Module], parents: Sequence[State], x, asked: bool | str, way: Way
) -> tuple[list[Spec], Folded | None]:
    """The specifications of networks with folded gains; without any folding where ``auto`` gains nothing by it.

    Raises
    ------
    ValueError
        No inputs to try the folding on; nothing that can be folded, where that was asked for.
    """
    check_choice("folding", asked, (True, "auto"))
    if x is None:
        raise ValueError("folding is tried on inputs; give an example_input or data, or leave it out")
    x, made = first(x, 8), {}
    for net, state in zip(nets, parents, strict=True):
        if id(net) not in made:
            # Of the network's own weights: gains of one, as new networks have, would show nothing.
            made[id(net)] = _folded(loaded(net, state), x, way)
    found = [made[id(net)] for net in nets]
    folding, spec, _ = found[0]
    if asked is True and not folding.readers:
        why = "; ".join(f"{name}: {said}" for name, said in folding.kept.items())
        raise ValueError(f"no gain can be folded ({why or 'there is none'}); leave folding out")
    gained = _turning(spec) - _turning(found[0][2])
    if asked == "auto" and (not folding.readers or gained <= 0):
        return [], None
    report = {
        "taken": True,
        "rewritten": {gain: [name for name, _ in readers] for gain, readers in folding.readers.items()},
        "kept": dict(folding.kept),
        "turning": gained,
    }
    return [one[1] for one in found], Folded([one[0] for one in found], report)


def _folded(model: nn.Module, x, way: Way) -> tuple[Folding, Spec, Spec]:
    """The folding, and the specifications with it and without."""
    folding = norm_folding(model, x)
    specs = trace_spec(loaded(model, folding.apply(model.state_dict())), x, folding=folding), trace_spec(model, x)
    smaller = way.group == "permutation"
    return folding, *(spec.units() if smaller else spec for spec in specs)


def _turning(spec: Spec) -> int:
    """Channels that maps may mix."""
    units = [Units.of(group) for group in spec.groups.values()]
    return sum(unit.count * one.size for unit in units for one in unit.inner if one.turns)
