"""What the layers of a network put out, as rows of channels in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from colu.nn import has_symmetry

from .part import FIXED
from .samples import call, count, inputs_of
from .spec import Spec

__all__ = ["channels_at", "observed", "points", "run"]

#: Layers whose channels stand behind the samples; those of all others are last.
_CHANNELS_SECOND = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)


def points(spec: Spec, model: nn.Module) -> dict[str, list[tuple]]:
    """Layers whose output carries groups: module name to (group, places of its channels, -1 where one is not there).

    Where outputs belong to two sets of channels at once, places have an axis for each, and the sets follow.

    Raises
    ------
    ValueError
        If a group has none: the parameters of the specification do not belong to modules.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> points(from_sequential(model), model)
    {'0': [('0', tensor([0, 1, 2]))]}
    """
    found: dict[str, list[tuple]] = {}
    activations = [name for name, module in model.named_modules() if has_symmetry(module)]
    for name, module in model.named_modules():
        weight = f"{name}.weight" if name else "weight"
        rules = spec.axes.get(weight)
        if rules is None or isinstance(module, nn.Embedding) or not isinstance(_weight(module), Tensor):
            continue
        # The weights of an activation, or of layers inside one, make no channels.
        if any(name == one or name.startswith(f"{one}.") for one in activations):
            continue
        offset, parts = 0, []
        if any(part.across for part in rules[0]):
            # What a layer puts out are channels of one set alone.
            rules = spec.plain().axes[weight]
        for part in _made(rules):
            length = 0 if part.at is not None else spec.length(part) or 0
            if part.of is not None:
                shape = next(one.places.shape for one in spec.products(part.name) if one.sets == part.of)
                places = torch.tensor(part.at).view(*shape[:-1], part.repeat)
                parts += [(part.name, one, part.of) for one in places.unbind(-1)]
            elif part.name != FIXED:
                places = torch.arange(offset, offset + length) if part.at is None else torch.tensor(part.at)
                # Each of the entries that a channel has is seen by itself.
                parts += [(part.name, one) for one in places.view(-1, part.repeat).T]
            offset += length
        if parts:
            found[name] = parts
    missing = set(spec.groups) - {name for parts in found.values() for name, *_ in parts}
    if missing:
        raise ValueError(
            f"no layer of {type(model).__name__} makes the channels of {sorted(missing)}; "
            "name parameters as in model.state_dict()"
        )
    return found


def _made(rules: tuple) -> tuple:
    """The parts of the axis that makes channels: the first, unless it is said to read them, as in transposed layers."""
    sides = [{part.side for part in parts if part.name != FIXED} for parts in rules]
    turned = [axis for axis, side in enumerate(sides) if axis and side == {"out"}]
    return rules[turned[0] if turned and sides[0] <= {"in"} else 0]


def _weight(module: nn.Module):
    return getattr(module, "weight", None)


def rows(module: nn.Module, output: Tensor) -> Tensor:
    """Samples (and pixels) as rows, channels as columns, in float64."""
    channels = 1 if isinstance(module, _CHANNELS_SECOND) else -1
    return output.detach().movedim(channels, -1).flatten(0, -2).double()


def channels_at(rows: Tensor, places: Tensor) -> Tensor:
    """The columns at some places, zeros for those that are not there."""
    places = places.to(rows.device)
    return rows[:, places.clamp_min(0)] * (places >= 0).to(rows.dtype)


@contextmanager
def observed(model: nn.Module, names: Iterable[str], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call ``see(name, rows)`` whenever one of the named layers runs."""
    handles = []
    try:
        for name in names:
            module = model.get_submodule(name)
            handles.append(module.register_forward_hook(lambda m, _, out, name=name: see(name, rows(m, out))))
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def run(model: nn.Module, batches: Iterable | Tensor) -> int:
    """Put all batches through the model; the number of samples."""
    seen = 0
    for x in inputs_of(batches, model):
        call(model, x)
        seen += count(x)
    return seen
