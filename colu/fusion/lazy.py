"""States that are made entry by entry, as they are asked for, and never held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from .carry import carry_tensor
from .part import FIXED
from .plan import Plan
from .spec import Spec, State

__all__ = ["Carried", "Made", "Moved", "groups_on"]


def groups_on(spec: Spec) -> dict[str, list[str]]:
    """The groups that act on each entry, in the order of the specification; entries without any are left out."""
    found = {
        name: {part.name for parts in rules for part in parts} - {FIXED} for name, rules in spec.axes.items()
    }
    return {name: [group for group in spec.groups if group in names] for name, names in found.items() if names}


class Made(Mapping):
    """A state whose entries come from a function of their names.

    Examples
    --------
    >>> import torch
    >>> Made(["w"], lambda name: torch.ones(1))["w"]
    tensor([1.])
    """

    def __init__(self, names, make: Callable[[str], Tensor]):
        self._names, self._make = dict.fromkeys(names), make

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)


class Moved(Made):
    """A state in another frame: :func:`colu.fusion.apply`, entry by entry.

    Parameters
    ----------
    spec : Spec
    elements : dict
        Of the groups that act; it may change between one entry and the next.
    source : dict of str to Tensor
    wide : bool
        Whether an entry that is turned is left in float64; else all have the dtype of the source.
    """

    def __init__(self, spec: Spec, elements: Mapping, source: State, *, wide: bool = False):
        acting = groups_on(spec)

        def make(name: str) -> Tensor:
            tensor = source[name].detach()
            if not tensor.is_floating_point():
                return tensor
            moving = [group for group in acting.get(name, ()) if group in elements]
            # What only changes places keeps its dtype: nothing is rounded, and halves stay small.
            value = tensor if all(elements[group].exact for group in moving) else tensor.double()
            for group in moving:
                value = spec.act(group, elements[group], {name: value})[name]
            return value if wide else value.to(tensor.dtype)

        super().__init__(source, make)


class Carried(Made):
    """A state in the widths of another network: :func:`colu.fusion.carry`, entry by entry."""

    def __init__(
        self, spec: Spec, plans: Mapping[str, Plan], source: State, *, target: Spec | None = None, wide: bool = False
    ):
        spec, target = spec.plain(), None if target is None else target.plain()

        def make(name: str) -> Tensor:
            tensor = source[name].detach()
            if not tensor.is_floating_point():
                return tensor
            value = carry_tensor(spec, plans, name, tensor, target=target)
            return value if wide else value.to(tensor.dtype).contiguous()

        super().__init__(source, make)
