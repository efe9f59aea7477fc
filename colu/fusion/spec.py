"""Symmetry specifications as data: which axis of which parameter carries which group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from colu.checks import check_choice, check_int, settle_ints

from .groups import Group
from .states import State, check_tensors, plain_state
from .views import check_view, units_of, viewed, written

__all__ = ["FIXED", "Part", "Spec", "apply", "check_states"]

#: Names an axis on which nothing acts: inputs, classes, pixels of a kernel.
FIXED = "fixed"


@dataclass(frozen=True)
class Part:
    """A stretch of an axis.

    Parameters
    ----------
    name : str
        A group of the specification, or ``FIXED``.
    repeat : int
        Entries that follow each other for one channel: the pixels, where images are flattened.
    size : int, optional
        Channels of a fixed stretch beside others on the same axis.
    side : {"out", "in"}, optional
        Whether the axis makes the channels or reads them.
        Only transport asks; by default axis 0 makes and the others read.
    view : {"channels", "units", "sections", "even"}, int or pair of int
        What the axis has entries for: every channel, each unit once (a radius, an angle, what a maximum leaves),
        the channels beside the axes of cones (what gates leave), or every channel without its sign (a variance).
        Of a :class:`colu.fusion.Wreath` also one set of each unit, by its place, or a pair: its place, and how often
        the set stands in each unit.
    at : sequence of int, optional
        Where the entries are, ``repeat`` for each channel of the group, -1 for those that this axis lacks; by default
        they follow what stands before. On an axis where one part says so, all do, and what none names is fixed.

    Examples
    --------
    >>> Part("hidden", repeat=49).repeat
    49
    >>> Part("heads", at=(0, 4, 1, 5)).at
    (0, 4, 1, 5)
    """

    name: str
    repeat: int = 1
    size: int | None = None
    side: str | None = None
    view: str | int | tuple[int, int] = "channels"
    at: tuple[int, ...] | None = None

    def __post_init__(self):
        settle_ints(self, repeat=1)
        if self.at is not None:
            object.__setattr__(self, "at", tuple(int(place) for place in self.at))
        check_choice("side", self.side, (None, "out", "in"))
        check_view(self.view)


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
    _occurrences: dict = field(init=False, repr=False, compare=False)
    _views: dict = field(init=False, repr=False, compare=False)
    _scattered: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if FIXED in self.groups:
            raise ValueError(f"{FIXED!r} is kept for axes without a group; name the group otherwise")
        axes = {name: tuple(_parts(rule) for rule in rules) for name, rules in self.axes.items()}
        occurrences: dict[str, list] = {name: [] for name in self.groups}
        views: dict[str, list] = {name: [] for name in self.groups}
        scattered: dict[str, list] = {name: [] for name in self.groups}
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
                    if part.at is not None:
                        scattered[part.name].append(self._scatter(parameter, axis, part))
                        continue
                    length = self.length(part)
                    if part.name != FIXED and part.view != "channels":
                        views[part.name].append((parameter, axis, offset, part.repeat, part.view))
                    elif part.name != FIXED:
                        side = part.side or ("in" if axis else "out")
                        occurrences[part.name].append((parameter, axis, offset, part.repeat, side))
                    offset += length or 0
        unused = [name for name in self.groups if not occurrences[name] and not views[name] and not scattered[name]]
        if unused:
            raise ValueError(f"no axis carries the groups {unused}; remove them, or name their axes")
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "unmatched", tuple(self.unmatched))
        object.__setattr__(self, "_occurrences", occurrences)
        object.__setattr__(self, "_views", views)
        object.__setattr__(self, "_scattered", scattered)

    def _scatter(self, parameter: str, axis: int, part: Part) -> tuple:
        size = self.groups[part.name].size
        if len(part.at) != size * part.repeat:
            raise ValueError(
                f"axis {axis} of {parameter} names {len(part.at)} places of {part.name!r}, whose {size} channels "
                f"have repeat={part.repeat}; name {size * part.repeat}, -1 for those that are not there"
            )
        side = part.side or ("in" if axis else "out")
        return parameter, axis, torch.tensor(part.at).view(size, part.repeat), side, part.view == "even"

    def length(self, part: Part) -> int | None:
        """The entries of a part; None for a fixed one that takes the whole axis."""
        if part.name == FIXED:
            return None if part.size is None else part.size * part.repeat
        return part.repeat * viewed(self.groups[part.name], part.view).size

    def occurrences(self, name: str) -> list[tuple[str, int, int, int, str]]:
        """Where a group acts: (parameter, axis, offset, repeat, side), in the order of the parameters."""
        return list(self._occurrences[name])

    def views(self, name: str) -> list[tuple[str, int, int, int, str]]:
        """Where only part of what the channels of a group are is: (parameter, axis, offset, repeat, view)."""
        return list(self._views[name])

    def scattered(self, name: str) -> list[tuple[str, int, Tensor, str, bool]]:
        """Where the channels of a group do not follow each other: (parameter, axis, places, side, without signs).

        Places have shape ``(size, repeat)``, -1 for channels that are not there.
        """
        return list(self._scattered[name])

    def units(self) -> Spec:
        """The same axes with the permutations of whole units alone: nothing acts inside them.

        Examples
        --------
        >>> from colu.fusion import Conic
        >>> spec = Spec({"0": Conic(2, 4)}, {"0.weight": ("0", FIXED), "2.weight": (FIXED, "0")})
        >>> spec.units().groups["0"].rotate
        False
        """
        groups = {name: units_of(group) for name, group in self.groups.items()}
        axes = {name: tuple(_gathered(parts) for parts in rules) for name, rules in self.axes.items()}
        return Spec(groups, axes, self.unmatched, self.notes, self.still, self.share)

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
            made = [parameter for parameter in self.axes if any(place[::2] == (parameter, "out") for place in places)]
            found.append({"name": name, "group": written(group), "channels": group.size,
                          "why": self.notes.get(name, ""), "made_by": made})  # fmt: skip
        return found + [
            {"name": name, "group": "1", "channels": count, "why": why, "made_by": [name]}
            for name, count, why in self.still
        ]

    def touched(self) -> set[str]:
        """The parameters on which any group acts."""
        kinds = (self._occurrences, self._views, self._scattered)
        return {place[0] for places in kinds for one in places.values() for place in one}

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
                if last >= shape[axis]:
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
        whole = self.groups[name]
        places = [(*place[:4], whole) for place in self._occurrences[name]]
        places += [(*place[:4], viewed(whole, place[4])) for place in self._views[name]]
        for parameter, axis, offset, repeat, group in places:
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
        for parameter, axis, places, _, even in self._scattered[name]:
            if parameter not in state:
                continue
            tensor = changed[parameter] if parameter in changed else state[parameter]
            group = viewed(whole, "even") if even else whole
            acted = group.act(element, gathered(tensor, axis, places), axis).flatten(axis, axis + 1)
            here = places.flatten().to(tensor.device) >= 0
            changed[parameter] = tensor.index_copy(
                axis, places.flatten().to(tensor.device)[here], acted.index_select(axis, here.nonzero().flatten())
            )
        return changed


def gathered(tensor: Tensor, axis: int, places: Tensor) -> Tensor:
    """The entries at places ``(size, repeat)`` of an axis, as two axes; zero where there is none."""
    places = places.to(tensor.device)
    found = tensor.index_select(axis, places.flatten().clamp_min(0))
    here = (places.flatten() >= 0).view(-1, *(1,) * (tensor.dim() - axis - 1))
    return (found * here.to(found.dtype)).unflatten(axis, tuple(places.shape))


def _gathered(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Parts of places that follow each other as the stretch that they are, once signs do not matter."""
    plain = len(parts) == 1 and parts[0].at == tuple(range(len(parts[0].at or ())))
    return tuple(
        replace(part, view="channels" if part.view == "even" else part.view, at=None if plain else part.at)
        for part in parts
    )


def _parts(rule) -> tuple[Part, ...]:
    if isinstance(rule, str):
        return (Part(rule),)
    if isinstance(rule, Part):
        return (rule,)
    try:
        return tuple(part if isinstance(part, Part) else Part(part) for part in rule)
    except TypeError:
        raise ValueError(
            f"{rule!r} names no axis; use a group name, FIXED, a Part, or a sequence of them"
        ) from None


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
