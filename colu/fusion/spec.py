"""Symmetry specifications as data: which axis of which parameter carries which group."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from colu.checks import check_choice, check_int

from .groups import Group

__all__ = ["FIXED", "Part", "Spec", "apply", "assert_invariant_under", "check_states", "invariance_error"]

#: Names an axis on which nothing acts: inputs, classes, pixels of a kernel.
FIXED = "fixed"

State = Mapping[str, Tensor]


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

    Examples
    --------
    >>> Part("hidden", repeat=49)
    Part(name='hidden', repeat=49, size=None, side=None)
    """

    name: str
    repeat: int = 1
    size: int | None = None
    side: str | None = None

    def __post_init__(self):
        check_int("repeat", self.repeat, 1)
        check_choice("side", self.side, (None, "out", "in"))


@dataclass(frozen=True)
class Spec:
    """Groups by name, and for every parameter the name on each of its axes.

    Parameters
    ----------
    groups : dict
        Name to :class:`colu.fusion.Permutation`, :class:`colu.fusion.Conic` or
        :class:`colu.fusion.Orthogonal`.
        What is added on a residual stream shares one name.
    axes : dict
        Parameter (or buffer) to one entry an axis: a name, ``FIXED``, a :class:`colu.fusion.Part`,
        or a sequence of these where channels of several groups follow each other.
    unmatched : sequence of str
        Entries that are transformed but no evidence for a matching, such as running statistics.

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
    _occurrences: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if FIXED in self.groups:
            raise ValueError(f"{FIXED!r} is kept for axes without a group; name the group otherwise")
        axes = {name: tuple(_parts(rule) for rule in rules) for name, rules in self.axes.items()}
        occurrences: dict[str, list] = {name: [] for name in self.groups}
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
                    length = self._length(part)
                    if part.name != FIXED:
                        side = part.side or ("in" if axis else "out")
                        occurrences[part.name].append((parameter, axis, offset, part.repeat, side))
                    offset += length or 0
        unused = [name for name, places in occurrences.items() if not places]
        if unused:
            raise ValueError(f"no axis carries the groups {unused}; remove them, or name their axes")
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "unmatched", tuple(self.unmatched))
        object.__setattr__(self, "_occurrences", occurrences)

    def _length(self, part: Part) -> int | None:
        size = part.size if part.name == FIXED else self.groups[part.name].size
        return None if size is None else size * part.repeat

    def occurrences(self, name: str) -> list[tuple[str, int, int, int, str]]:
        """Where a group acts: (parameter, axis, offset, repeat, side), in the order of the parameters."""
        return list(self._occurrences[name])

    def check(self, state: State, label: str = "the state") -> None:
        """Raise ``ValueError`` unless every axis of every entry is covered exactly once and fits."""
        shaped = {name: tensor for name, tensor in state.items() if tensor.dim()}
        missing = [name for name in shaped if name not in self.axes]
        if missing:
            raise ValueError(f"the specification leaves out {missing} of {label}; name their axes, or FIXED")
        absent = [name for name in self.axes if name not in shaped]
        if absent:
            raise ValueError(
                f"{label} lacks {absent} of the specification; take the specification of this model"
            )
        for name, tensor in shaped.items():
            rules = self.axes[name]
            if len(rules) != tensor.dim():
                raise ValueError(
                    f"{name} has shape {tuple(tensor.shape)} but the specification gives {len(rules)} axes; "
                    f"give {tensor.dim()}, FIXED where nothing acts"
                )
            for axis, parts in enumerate(rules):
                lengths = [self._length(part) for part in parts]
                if None not in lengths and sum(lengths) != tensor.shape[axis]:
                    what = " + ".join(part.name for part in parts)
                    raise ValueError(
                        f"axis {axis} of {name} has {tensor.shape[axis]} entries in {label}, "
                        f"but {what} covers {sum(lengths)}; correct the group, its repeat, or the axis"
                    )
                named = any(part.name != FIXED for part in parts)
                if named and not tensor.is_floating_point():
                    raise ValueError(f"{name} is {tensor.dtype} and cannot be acted on; name its axes FIXED")

    def identity(self) -> dict:
        """The neutral element of every group."""
        return {name: group.identity() for name, group in self.groups.items()}

    def random(self, seed: int = 0) -> dict:
        """A uniform element of every group: a planted truth, or the control of a matching."""
        generator = torch.Generator().manual_seed(seed)
        return {name: group.random(generator) for name, group in self.groups.items()}

    def act(self, name: str, element, state: State) -> dict[str, Tensor]:
        """The entries that one group changes, transformed; the others are left out."""
        changed: dict[str, Tensor] = {}
        group = self.groups[name]
        for parameter, axis, offset, repeat, _ in self._occurrences[name]:
            tensor = changed.get(parameter, state[parameter])
            if repeat == 1 and group.size == tensor.shape[axis]:
                changed[parameter] = group.act(element, tensor, axis)
                continue
            tensor = tensor.clone()
            stretch = tensor.narrow(axis, offset, group.size * repeat)
            acted = group.act(element, stretch.unflatten(axis, (group.size, repeat)), axis)
            stretch.copy_(acted.flatten(axis, axis + 1))
            changed[parameter] = tensor
        return changed


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
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> spec = from_sequential(model)
    >>> moved = apply(spec, spec.random(seed=1), model.state_dict())
    >>> invariance_error(model, spec, torch.ones(5, 2), seed=1) < 1e-12
    True
    """
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


def double_model(model: nn.Module) -> nn.Module:
    """A copy in float64 and evaluation mode."""
    return copy.deepcopy(model).double().eval()


@torch.no_grad()
def invariance_error(
    model: nn.Module, spec: Spec, x: Tensor, elements: Mapping | None = None, *, seed: int = 0
) -> float:
    r"""How far the function moves when the weights do, in float64.

    .. math:: \max_x \lvert f_{Q\theta}(x) - f_\theta(x)\rvert / \max_x \lvert f_\theta(x)\rvert

    Parameters
    ----------
    model : Module
        Copied; not changed.
    spec : Spec
    x : Tensor
        Inputs.
    elements : dict, optional
        By default random ones from ``seed``.

    Returns
    -------
    float
        About 1e-15 for a right specification; of order 1 for a wrong one.
    """
    model = double_model(model)
    state = model.state_dict()
    moved = apply(spec, spec.random(seed) if elements is None else elements, state)
    x = x.double() if x.is_floating_point() else x
    before, after = (torch.func.functional_call(model, dict(values), (x,)) for values in (state, moved))
    return ((after - before).abs().max() / before.abs().max().clamp_min(1e-300)).item()


def assert_invariant_under(
    spec: Spec, model: nn.Module, x: Tensor, *, tol: float = 1e-9, seed: int = 0
) -> None:
    """Raise ``AssertionError`` unless random elements of every group leave the function as it is.

    Each group is also tried alone, so that the message names the one whose axes are wrong.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> assert_invariant_under(from_sequential(model), model, torch.ones(5, 2))
    """
    drawn = spec.random(seed)
    if invariance_error(model, spec, x, drawn) <= tol:
        return
    for name in spec.groups:
        error = invariance_error(model, spec, x, spec.identity() | {name: drawn[name]})
        if not error <= tol:
            places = ", ".join(f"{parameter} axis {axis}" for parameter, axis, *_ in spec.occurrences(name))
            raise AssertionError(
                f"group {name!r} moves the function by {error:.2g} > {tol:g}; its axes: {places}"
            )
    raise AssertionError(f"the groups together move the function by more than {tol:g}")
