"""Positive scales of units: where a network leaves them, and the one state that each of their orbits has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from colu.checks import check_int

from .groups import Conic, Orthogonal, Permutation
from .invariance import check_outputs, difference, double_example, double_model, outputs
from .spec import Spec, State
from .states import plain_state
from .wreath import Wreath

__all__ = ["Balance", "balance"]


@dataclass(frozen=True)
class _Place:
    """Entries of one axis of a parameter, and the unit that each belongs to, -1 for none."""

    parameter: str
    axis: int
    units: Tensor


@dataclass(frozen=True)
class Balance:
    r"""Where units may be scaled: an exact rewriting of a state.

    .. math:: (w_i, b_i) & \mapsto (s_i w_i, s_i b_i) \\
              v_i & \mapsto v_i / s_i, \qquad s_i > 0

    Attributes
    ----------
    makes, reads : dict of str to tuple
        For each group with this freedom, the places that make its units and those that read them.
    kept : dict of str to float
        Groups without it, with how far random scales move the function.
    """

    makes: Mapping[str, tuple[_Place, ...]]
    reads: Mapping[str, tuple[_Place, ...]]
    kept: Mapping[str, float]

    def scaled(self, state: State, scales: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state with units scaled, by one positive number each; the same function.

        Raises
        ------
        ValueError
            A group without this freedom, or numbers that are no positive scale for each unit.
        """
        state = plain_state(state, {place.parameter for place in self._places()})
        result = {name: tensor.detach().clone() for name, tensor in state.items()}
        for name, factors in scales.items():
            if name not in self.makes:
                raise ValueError(f"units of {name!r} have no scales; use some of {', '.join(self.makes) or 'none'}")
            if factors.dim() != 1 or len(factors) != self.units(name) or not (factors > 0).all():
                raise ValueError(
                    f"scales of {name!r} are {tuple(factors.shape)} numbers of which the smallest is "
                    f"{factors.min().item():.3g}; give {self.units(name)} positive ones"
                )
            for places, power in ((self.makes[name], 1), (self.reads[name], -1)):
                for place in places:
                    result[place.parameter] = _times(result[place.parameter], place, factors.double() ** power)
        return result

    def apply(self, state: State, *, sweeps: int = 50, tol: float = 1e-12) -> dict[str, Tensor]:
        r"""The state in which what makes a unit has the norm of what reads it: the smallest of all that are scaled.

        .. math:: s_i = \sqrt{\lVert v_i\rVert / \lVert (w_i, b_i)\rVert}

        A unit that nothing makes, or nothing reads, keeps its scale. Computed in float64, in the dtypes of ``state``.

        Parameters
        ----------
        state : dict of str to Tensor
        sweeps, tol : int, float
            Units of one layer read those of another: sweeps end once no scale is further than ``tol`` from 1.
        """
        dtypes = {name: tensor.dtype for name, tensor in state.items()}
        state = plain_state(state, {place.parameter for place in self._places()})
        now = {name: one.double() if one.is_floating_point() else one for name, one in state.items()}
        for _ in range(check_int("sweeps", sweeps, 1)):
            worst = 0.0
            for name in self.makes:
                made, read = (_squares(now, places[name], self.units(name)) for places in (self.makes, self.reads))
                alive = (made > 0) & (read > 0)
                factors = torch.where(alive, (read / made.where(alive, torch.ones_like(made))) ** 0.25, 1.0)
                now = self.scaled(now, {name: factors})
                worst = max(worst, (factors - 1).abs().max().item())
            if worst <= tol:
                break
        return {name: one.to(dtypes[name]) for name, one in now.items()}

    def units(self, name: str) -> int:
        """How many units a group has."""
        return 1 + max(int(place.units.max()) for place in (*self.makes[name], *self.reads[name]))

    def _places(self) -> Iterable[_Place]:
        return (place for places in (self.makes, self.reads) for each in places.values() for place in each)


def _shaped(values: Tensor, tensor: Tensor, axis: int) -> Tensor:
    return values.view([-1 if place == axis else 1 for place in range(tensor.dim())])


def _times(tensor: Tensor, place: _Place, factors: Tensor) -> Tensor:
    units = place.units.to(tensor.device)
    each = torch.where(units >= 0, factors.to(tensor.device)[units.clamp_min(0)], 1.0)
    return (tensor.double() * _shaped(each, tensor, place.axis)).to(tensor.dtype)


def _squares(state: State, places: Iterable[_Place], count: int) -> Tensor:
    """The squared norm of what stands at some places, by unit."""
    total = torch.zeros(count, dtype=torch.float64)
    for place in places:
        entries = state[place.parameter].detach().double().movedim(place.axis, 0)
        rows = entries.reshape(len(entries), -1).square().sum(1).cpu()
        here = place.units >= 0
        total.index_add_(0, place.units[here], rows[here])
    return total


def balance(model: nn.Module, spec: Spec, example, *, tol: float = 1e-9, seed: int = 0) -> Balance:
    r"""The groups of a specification whose units may be scaled by positive numbers.

    ReLU and CoLU are homogeneous, :math:`\sigma(s x) = s\, \sigma(x)` for :math:`s > 0`: what makes
    a unit may be multiplied by a number that what reads it is divided by. Behind a BatchNorm it is the gain and the
    shift that make it, as the scale before is lost. These maps are no isometries, so that a matching by inner products
    has no optimum among them; :meth:`Balance.apply` takes instead the one state of each orbit with the smallest norm.

    Parameters
    ----------
    model : Module
        Copied in float64 and evaluation mode; not changed.
    spec : Spec
        Of the model; a scale acts on whole units of its groups.
    example : Tensor, tuple or dict
        On which each freedom is tried, by random scales from 2 ** -30 to 2 ** 30, before it is given.
    tol : float
        By how much of its largest output a scale may move the function.
    seed : int
        Of the random scales.

    Returns
    -------
    Balance

    Raises
    ------
    ValueError
        An example on which the model puts out nothing, zeros alone, or NaN.

    Notes
    -----
    What makes a unit is tried in two forms: all that the specification calls so, and the gains and shifts of norms
    alone. A group that needs another choice counts as one without this freedom.

    Examples
    --------
    >>> from colu.fusion import trace_spec
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> found = balance(model, trace_spec(model), torch.randn(5, 2))
    >>> list(found.makes), list(found.kept)
    (['0'], ['2'])
    """
    model, example, spec = double_model(model), double_example(example), spec.plain()
    state = model.state_dict()
    before = outputs(model, state, example)
    check_outputs(before, type(model).__name__)
    generator = torch.Generator().manual_seed(check_int("seed", seed, 0))
    norms = [name for name, module in model.named_modules() if _is_norm(module)]
    gains = {f"{name}.{kind}" for name in norms for kind in ("weight", "bias")}
    makes, reads, kept = {}, {}, {}
    for name in spec.groups:
        places = _places(spec, name, state)
        made = [place for place, side in places if side == "out" and place.parameter not in spec.unmatched]
        read = tuple(place for place, side in places if side == "in")
        tries = [tuple(made), tuple(place for place in made if place.parameter in gains)]
        errors = []
        for tried in tries:
            if not tried or not read:
                continue
            one = Balance({name: tried}, {name: read}, {})
            # Powers of two round nothing, and are wide enough that what saturates for some input does so for these.
            powers = torch.randint(1, 31, (one.units(name),), generator=generator).double()
            powers[torch.rand(len(powers), generator=generator) < 0.5] *= -1
            factors = powers.exp2()
            errors.append(difference(before, outputs(model, one.scaled(state, {name: factors}), example)))
            if errors[-1] <= tol:
                makes[name], reads[name] = tried, read
                break
        else:
            kept[name] = min(errors, default=float("inf"))
    return Balance(makes, reads, kept)


def _units(group) -> Tensor:
    """The unit of each channel; one for all where an axis is shared, or where units have no bounds."""
    channels = torch.arange(group.size)
    if isinstance(group, Orthogonal) or getattr(group, "share_axis", False):
        return torch.zeros_like(channels)
    if isinstance(group, Permutation):
        return channels
    if isinstance(group, Wreath) and group.groups == len(group.inner) == 1 and not group.inner[0].turns:
        return channels
    unit = torch.arange(group.groups)
    if isinstance(group, Conic) and group.layout == "axes_first":
        return torch.cat([unit, unit.repeat_interleave(group.dim - 1)])
    return unit.repeat_interleave(group.size // group.groups)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm | nn.RMSNorm)


def _places(spec: Spec, name: str, state: State) -> list[tuple[_Place, str]]:
    """Where a group acts, each entry with its unit."""
    group, found = spec.groups[name], []
    unit = _units(group)
    for parameter, axis, offset, repeat, side in spec.occurrences(name):
        units = torch.full((state[parameter].shape[axis],), -1)
        units[offset : offset + group.size * repeat] = unit.repeat_interleave(repeat)
        found.append((_Place(parameter, axis, units), side))
    for parameter, axis, places, side, _ in spec.scattered(name):
        units = torch.full((state[parameter].shape[axis],), -1)
        here = places >= 0
        units[places[here]] = unit[:, None].expand_as(places)[here]
        found.append((_Place(parameter, axis, units), side))
    return found
