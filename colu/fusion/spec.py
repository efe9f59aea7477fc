"""Symmetry specifications as data: which axis of which parameter carries which group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from colu.checks import check_int

from .groups import Group
from .part import FIXED, Part, parts_of, unsigned
from .products import Product, plain_group, plain_parts, product_of
from .states import State, check_tensors, plain_state
from .subgroups import even, units_of, written

__all__ = ["Spec", "apply", "check_states"]


@dataclass(frozen=True)
class Spec:
    """Groups by name, and for every parameter the name on each of its axes.

    Parameters
    ----------
    groups : dict
        Name to :class:`colu.fusion.Permutation`, :class:`colu.fusion.Conic`,
        :class:`colu.fusion.Orthogonal` or :class:`colu.fusion.Wreath`.
        What is added on a residual stream shares one name.
    axes : dict
        Parameter (or buffer) to one entry an axis: a name, ``FIXED``, a :class:`colu.fusion.Part`,
        or a sequence of these where channels of several groups follow each other.
    unmatched : sequence of str
        Entries that are transformed but no evidence for a matching, such as running statistics.
    notes : dict of str to str, optional
        For a group, what keeps it from being larger.
    still : sequence of (str, int, str), optional
        Parameters that make channels which no group moves: how many, and why.
    share : float, optional
        Of the channels that layers make, what the model puts out apart, the share that some group moves.
    doubts : sequence of str, optional
        What the pass could not see, such as the other way of a branch.

    Raises
    ------
    ValueError
        An unknown name, or a group that no axis carries.

    Examples
    --------
    >>> from colu.fusion import Permutation
    >>> spec = Spec(
    ...     groups={"hidden": Permutation(3)},
    ...     axes={"0.weight": ("hidden", FIXED), "0.bias": ("hidden",), "2.weight": (FIXED, "hidden"),
    ...           "2.bias": (FIXED,)},
    ... )
    >>> spec.check({"0.weight": torch.zeros(3, 2), "0.bias": torch.zeros(3), "2.weight": torch.zeros(1, 3),
    ...             "2.bias": torch.zeros(1)})
    """

    groups: Mapping[str, Group]
    axes: Mapping[str, tuple]
    unmatched: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    still: tuple[tuple[str, int, str], ...] = field(default=(), compare=False)
    share: float | None = field(default=None, compare=False)
    doubts: tuple[str, ...] = field(default=(), compare=False)
    _occurrences: dict = field(init=False, repr=False, compare=False)
    _scattered: dict = field(init=False, repr=False, compare=False)
    _products: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if FIXED in self.groups:
            raise ValueError(f"{FIXED!r} is kept for axes without a group; name the group otherwise")
        axes = {name: tuple(parts_of(rule) for rule in rules) for name, rules in self.axes.items()}
        occurrences: dict[str, list] = {name: [] for name in self.groups}
        scattered: dict[str, list] = {name: [] for name in self.groups}
        products: dict[str, list] = {name: [] for name in self.groups}
        for parameter, rules in axes.items():
            for axis, parts in enumerate(rules):
                offset = 0
                for part in parts:
                    if part.name != FIXED and part.name not in self.groups:
                        known = ", ".join(self.groups)
                        raise ValueError(
                            f"axis {axis} of {parameter} carries {part.name!r}, which is no group; "
                            f"use one of {known}"
                        )
                    if part.name == FIXED and part.size is None and len(parts) > 1:
                        raise ValueError(
                            f"a fixed part of axis {axis} of {parameter} lacks its size; give Part(size=)"
                        )
                    if part.of is not None:
                        products[part.name].append(product_of(self.groups[part.name], parameter, axis, part))
                    elif part.at is not None or part.even:
                        scattered[part.name].append(self._scatter(parameter, axis, offset, part))
                    length = 0 if part.at is not None else self.length(part)
                    if part.name != FIXED and part.at is None and not part.even:
                        side = part.side or ("in" if axis else "out")
                        occurrences[part.name].append((parameter, axis, offset, part.repeat, side))
                    offset += length or 0
        unused = [name for name in self.groups if not (occurrences[name] or scattered[name] or products[name])]
        if unused:
            raise ValueError(f"no axis carries the groups {unused}; remove them, or name their axes")
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "unmatched", tuple(self.unmatched))
        object.__setattr__(self, "_occurrences", occurrences)
        object.__setattr__(self, "_scattered", scattered)
        object.__setattr__(self, "_products", products)

    def _scatter(self, parameter: str, axis: int, offset: int, part: Part) -> tuple:
        size = self.groups[part.name].size
        at = part.at or range(offset, offset + size * part.repeat)
        if part.even:
            even(self.groups[part.name])
        if len(at) != size * part.repeat:
            raise ValueError(
                f"axis {axis} of {parameter} names {len(at)} places of {part.name!r}, whose {size} channels "
                f"have repeat={part.repeat}; name {size * part.repeat}, -1 for those that are not there"
            )
        side = part.side or ("in" if axis else "out")
        return parameter, axis, torch.tensor(at).view(size, part.repeat), side, part.even

    def length(self, part: Part) -> int | None:
        """The entries of a part; None for a fixed one that takes the whole axis."""
        if part.name == FIXED:
            return None if part.size is None else part.size * part.repeat
        return part.repeat * self.groups[part.name].size

    def occurrences(self, name: str) -> list[tuple[str, int, int, int, str]]:
        """Where a group acts: (parameter, axis, offset, repeat, side), in the order of the parameters."""
        return list(self._occurrences[name])

    def scattered(self, name: str) -> list[tuple[str, int, Tensor, str, bool]]:
        """Where the channels of a group do not follow each other, or lack their signs: (parameter, axis, places,
        side, even).

        Places have shape ``(size, repeat)``, -1 for channels that are not there.
        """
        return list(self._scattered[name])

    def products(self, name: str) -> list[Product]:
        """Where a group acts by two sets of its channels at once, in the order of the parameters."""
        return list(self._products[name])

    def plain(self) -> Spec:
        """The same axes without products: of two sets the first moves with its unit alone, and keeps its order there.

        Transport, the repair of statistics and positive scales go by channels that stand on an axis of their own.
        """
        if not any(self._products.values()):
            return self
        groups = {name: plain_group(group, self._products[name]) for name, group in self.groups.items()}
        axes = {name: tuple(plain_parts(parts, self.groups) for parts in rules) for name, rules in self.axes.items()}
        return Spec(groups, axes, self.unmatched, self.notes, self.still, self.share, self.doubts)

    def units(self) -> Spec:
        """The same axes with the permutations of whole units alone: nothing acts inside them.

        Examples
        --------
        >>> from colu.fusion import Conic
        >>> spec = Spec({"0": Conic(2, 4)}, {"0.weight": ("0", FIXED), "2.weight": (FIXED, "0")})
        >>> spec.units().groups["0"].rotate
        False
        """
        whole = self.plain()
        groups = {name: units_of(group) for name, group in whole.groups.items()}
        axes = {name: tuple(unsigned(parts) for parts in rules) for name, rules in whole.axes.items()}
        return Spec(groups, axes, self.unmatched, self.notes, self.still, self.share, self.doubts)

    def only(self, names: Iterable[str]) -> Spec:
        """The same axes with some of the groups alone: the channels of the others are fixed.

        Parameters
        ----------
        names : iterable of str
            The groups that stay.

        Returns
        -------
        Spec
            Without ``share``, which is said of all groups together; ``still`` counts what is left out.

        Raises
        ------
        ValueError
            A name that is no group.

        Examples
        --------
        >>> from colu.fusion import trace_spec
        >>> from colu.lab.models import GPT
        >>> spec = trace_spec(GPT(65, length=16, width=32, depth=2, heads=4), torch.zeros(1, 16, dtype=torch.long))
        >>> list(spec.only(name for name in spec.groups if name.endswith(".up")).groups)
        ['blocks.0.up', 'blocks.1.up']
        """
        kept = list(names)
        unknown = [name for name in kept if name not in self.groups]
        if unknown:
            raise ValueError(f"{unknown} are no groups; use some of {', '.join(self.groups)}")
        left = [row for row in self.describe() if row["name"] in self.groups and row["name"] not in kept]
        return Spec(
            {name: group for name, group in self.groups.items() if name in kept},
            {name: tuple(self._fixed(parts, kept) for parts in rules) for name, rules in self.axes.items()},
            self.unmatched,
            {name: why for name, why in self.notes.items() if name in kept},
            self.still + tuple((made, row["channels"], "left out") for row in left for made in row["made_by"][:1]),
            doubts=self.doubts,
        )

    def _fixed(self, parts: tuple[Part, ...], kept: list[str]) -> tuple[Part, ...] | str:
        """The parts of an axis, those of other groups fixed."""
        if not any(part.name in kept for part in parts):
            return FIXED
        # Where parts say their places, what none names is fixed.
        stay = (part for part in parts if part.name in kept or part.at is None)
        return tuple(
            part if part.name in kept or part.name == FIXED else Part(FIXED, size=self.length(part), side=part.side)
            for part in stay
        )

    def describe(self) -> list[dict]:
        """For each set of channels the group, why it is no larger, and which parameters make them; then what is fixed.

        Examples
        --------
        >>> from colu.fusion import trace_spec
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> (row,) = trace_spec(model).describe()
        >>> row["group"], row["why"], row["made_by"]
        ('Perm(3)', '1 (ReLU)', ['0.weight', '0.bias'])
        """
        found = []
        for name, group in self.groups.items():
            places = [(*place[:2], place[4]) for place in self._occurrences[name]]
            places += [(*place[:2], place[3]) for place in self._scattered[name]]
            places += [(one.parameter, one.axis, one.side) for one in self._products[name]]
            made = [parameter for parameter in self.axes if any(place[::2] == (parameter, "out") for place in places)]
            found.append({"name": name, "group": written(group), "channels": group.size,
                          "why": self.notes.get(name, ""), "made_by": made})  # fmt: skip
        return found + [
            {"name": name, "group": "1", "channels": count, "why": why, "made_by": [name]}
            for name, count, why in self.still
        ]

    def touched(self) -> set[str]:
        """The parameters on which any group acts."""
        kinds = (self._occurrences, self._scattered)
        products = {place.parameter for one in self._products.values() for place in one}
        return {place[0] for places in kinds for one in places.values() for place in one} | products

    def check(self, state: State, label: str = "the state") -> None:
        """Raise ``ValueError`` unless every axis of every entry is covered exactly once and fits."""
        check_tensors(state, label, [name for name in self.touched() if name in state])
        # Shapes alone: a state that is read from a disk is not to be held whole.
        shaped = {name: tuple(tensor.shape) for name, tensor in state.items() if tensor.dim()}
        missing = [name for name in shaped if name not in self.axes]
        if missing:
            raise ValueError(f"the specification leaves out {missing} of {label}; name their axes, or FIXED")
        absent = [name for name in self.axes if name not in shaped]
        if absent:
            raise ValueError(
                f"{label} lacks {absent} of the specification; take the specification of this model"
            )
        for name, shape in shaped.items():
            rules = self.axes[name]
            if len(rules) != len(shape):
                raise ValueError(
                    f"{name} has shape {shape} but the specification gives {len(rules)} axes; "
                    f"give {len(shape)}, FIXED where nothing acts"
                )
            for axis, parts in enumerate(rules):
                last = max((place for part in parts for place in part.at or ()), default=-1)
                across = max(part.across for part in parts) if parts else 0
                if across and across != math.prod(shape[axis + 1 : axis + 2]):
                    raise ValueError(f"axis {axis} of {name} needs {across} entries on the next axis in {label}")
                if last >= shape[axis] * max(across, 1):
                    raise ValueError(
                        f"axis {axis} of {name} has {shape[axis]} entries in {label}, but the specification "
                        f"names place {last}; take the specification of this model"
                    )
                lengths = [None if part.at is not None else self.length(part) for part in parts]
                if None not in lengths and sum(lengths) != shape[axis]:
                    what = " + ".join(part.name for part in parts)
                    raise ValueError(
                        f"axis {axis} of {name} has {shape[axis]} entries in {label}, "
                        f"but {what} covers {sum(lengths)}; correct the group, its repeat, or the axis"
                    )

    def identity(self) -> dict:
        """The neutral element of every group."""
        return {name: group.identity() for name, group in self.groups.items()}

    def random(self, seed: int = 0) -> dict:
        """A uniform element of every group: a planted truth, or the control of a matching."""
        generator = torch.Generator().manual_seed(check_int("seed", seed, 0))
        return {name: group.random(generator) for name, group in self.groups.items()}

    def act(self, name: str, element, state: State) -> dict[str, Tensor]:
        """The entries of a state, or of part of one, that one group changes, transformed; the others are left out."""
        changed: dict[str, Tensor] = {}
        group = self.groups[name]
        for parameter, axis, offset, repeat, _ in self._occurrences[name]:
            if parameter not in state:
                continue
            tensor = changed[parameter] if parameter in changed else state[parameter]
            if repeat == 1 and group.size == tensor.shape[axis]:
                changed[parameter] = group.act(element, tensor, axis)
                continue
            tensor = tensor.clone()
            stretch = tensor.narrow(axis, offset, group.size * repeat)
            acted = group.act(element, stretch.unflatten(axis, (group.size, repeat)), axis)
            stretch.copy_(acted.flatten(axis, axis + 1))
            changed[parameter] = tensor
        for parameter, axis, places, _, signless in self._scattered[name]:
            if parameter not in state:
                continue
            tensor = changed[parameter] if parameter in changed else state[parameter]
            acting = even(group) if signless else group
            acted = acting.act(element, gathered(tensor, axis, places), axis).flatten(axis, axis + 1)
            here = places.flatten().to(tensor.device) >= 0
            changed[parameter] = tensor.index_copy(
                axis, places.flatten().to(tensor.device)[here], acted.index_select(axis, here.nonzero().flatten())
            )
        for one in self._products[name]:
            if one.parameter in state:
                group.check(element)
                tensor = changed[one.parameter] if one.parameter in changed else state[one.parameter]
                changed[one.parameter] = one.put(tensor, element.apply_sets(one.take(tensor), one.sets, even=one.even))
        return changed


def gathered(tensor: Tensor, axis: int, places: Tensor) -> Tensor:
    """The entries at places ``(size, repeat)`` of an axis, as two axes; zero where there is none."""
    places = places.to(tensor.device)
    found = tensor.index_select(axis, places.flatten().clamp_min(0))
    here = (places.flatten() >= 0).view(-1, *(1,) * (tensor.dim() - axis - 1))
    return (found * here.to(found.dtype)).unflatten(axis, tuple(places.shape))


def apply(spec: Spec, elements: Mapping, state: State) -> dict[str, Tensor]:
    r"""The state of the network in another frame, the same function.

    .. math:: W_l \mapsto Q_l W_l Q_{l-1}^\top, \qquad b_l \mapsto Q_l b_l

    Parameters
    ----------
    spec : Spec
    elements : dict
        One element for each group of the specification.
    state : dict of str to Tensor
        A state dict; not changed.

    Returns
    -------
    dict of str to Tensor
        New tensors with the dtypes and devices of ``state``.

    Raises
    ------
    ValueError
        A state that does not fit the specification; elements missing or not asked for.

    Examples
    --------
    >>> from torch import nn
    >>> from colu.fusion import from_sequential, invariance_error
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> spec = from_sequential(model)
    >>> moved = apply(spec, spec.random(seed=1), model.state_dict())
    >>> invariance_error(model, spec, torch.ones(5, 2), seed=1) < 1e-12
    True
    """
    state = plain_state(state, spec.axes)
    spec.check(state)
    if set(elements) != set(spec.groups):
        raise ValueError(f"elements for {sorted(elements)}, wanted one for each of {sorted(spec.groups)}")
    result = {name: tensor.detach().clone() for name, tensor in state.items()}
    for name, element in elements.items():
        result.update(spec.act(name, element, result))
    return result


def check_states(spec: Spec, a: State, b: State) -> None:
    """Raise ``ValueError`` unless two states are finite, of one architecture, and fit the specification."""
    only_a, only_b = sorted(set(a) - set(b)), sorted(set(b) - set(a))
    if only_a or only_b:
        raise ValueError(
            f"the models differ: only in the first {only_a}, only in the second {only_b}; "
            "align equal architectures"
        )
    for label, state in (("the first model", a), ("the second model", b)):
        check_tensors(state, label)
    for name in a:
        if a[name].shape != b[name].shape:
            raise ValueError(
                f"the models differ in {name}: {tuple(a[name].shape)} and {tuple(b[name].shape)}; "
                "align equal widths, or use transport_plans"
            )
    for label, state in (("the first model", a), ("the second model", b)):
        spec.check(state, label)
        for name, tensor in state.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise ValueError(
                    f"{name} of {label} holds NaN or infinity; take a checkpoint from before it diverged"
                )
