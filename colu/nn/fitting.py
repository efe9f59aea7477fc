"""What is swapped in, made for the channels of its place."""

import copy
import fnmatch
import inspect
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

from .flow import Call
from .registry import create, get_entry
from .wrappers import PassRemainder

__all__ = ["Place"]

#: Modules of torch that act along an axis, which they hold as ``dim``.
_ALONG = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.GLU)


class Place(NamedTuple):
    """Where the channels of an activation are: their axis, how many, and the layer that makes them."""

    channel_dim: int
    num_channels: int | None
    source: str


class Maker:
    """Makes what is swapped in, for the channels of each place."""

    def __init__(self, by, options, channel_dim, remainder) -> None:
        self.by, self.options, self.given, self.remainder = by, options, channel_dim, remainder
        self.places: dict[str, Place] = {}
        #: Where the layers before make the channels, whatever was asked for.
        self.made_on: dict[str, int] = {}
        self.warned: list[str] = []
        self.made: list[nn.Module] = []
        if isinstance(by, nn.Module):
            self.takes: set[str] = set()
            if options:
                raise ValueError(f"options {sorted(options)} are for a name or a class; by={by!r} is a module already")
        elif isinstance(by, str) or callable(by):
            factory = get_entry(by).factory if isinstance(by, str) else by
            try:
                parameters = inspect.signature(factory).parameters
            except (TypeError, ValueError):
                parameters = {}
            self.takes = set(parameters)
        else:
            raise ValueError(f"by={by!r} is no activation; use a name, a class or a module")
        if isinstance(by, str):
            entry = get_entry(by)
            self.needs_width, self.pointwise = entry.needs_channels, entry.pointwise
            if entry.kind != "activation":
                raise ValueError(
                    f"by={by!r} is a {entry.kind} and no activation; use create({by!r}, ...) where it belongs"
                )
        else:
            self.needs_width, self.pointwise = "num_channels" in self.takes and "num_channels" not in options, False

    def make(self, name: str, old: nn.Module, calls: list[Call], ran: bool, model: nn.Module) -> nn.Module:
        place, why = self._place(name, old, calls, ran)
        needed = self.needs_width or ("channel_dim" in self.takes and not self.pointwise)
        if place is None and needed:
            raise ValueError(
                f"where the channels of {name!r} ({old!r}) are cannot be known: {why}; give "
                f"channel_dim={{{name!r}: ...}}{'' if ran else ', an example_input'} or keep=[{name!r}]"
            )
        if self.needs_width and place.num_channels is None:
            widths = sorted({one.shape[place.channel_dim] for one in calls})
            raise ValueError(
                f"{name!r} ({old!r}) is used with {' and '.join(map(str, widths)) or 'unknown'} channels, and what "
                f"comes in has parameters a channel: wanted one number; use keep=[{name!r}]"
            )
        if isinstance(self.by, str) and get_entry(self.by).mixes_positions and calls:
            one = calls[-1]
            if one.channels.last and len(one.shape) > 2:
                raise ValueError(
                    f"{self.by!r} lets the positions of a sample see each other, and {name!r} acts on tokens: its "
                    f"input {one.shape} comes from {one.channels.source!r}; use another activation, or keep=[{name!r}]"
                )
        if place is not None:
            self.places[name] = place
        made = self._fit(name, old, place, calls)
        if place is None and isinstance(getattr(made, "channel_dim", None), int) and not self.pointwise:
            raise ValueError(
                f"{made!r} acts along an axis, and where the channels of {name!r} ({old!r}) are cannot be known: "
                f"{why}; give channel_dim={{{name!r}: ...}} or keep=[{name!r}]"
            )
        like = calls[-1] if calls else next(model.parameters(), torch.zeros(()))
        kind = like.dtype if like.dtype.is_floating_point or like.dtype.is_complex else None
        # Under autocast an input has another type than the parameters that made it.
        kinds = {one.dtype for one in model.parameters() if one.is_floating_point()}
        kind = kinds.pop() if len(kinds) == 1 and kind is not None else kind
        device = next((one.device for one in model.parameters()), like.device) if not calls else like.device
        return made.to_empty(device="meta") if device.type == "meta" else made.to(device=device, dtype=kind)

    def _place(self, name, old, calls, ran) -> tuple[Place | None, str]:
        given = self.given
        if given is None and isinstance(old, _ALONG) and old.dim is not None:
            # The old module says itself which axis it acts on.
            given = old.dim
        if isinstance(given, Mapping):
            given = next((axis for rule, axis in given.items() if fnmatch.fnmatchcase(name, rule)), None)
        if not calls and given is None:
            return None, "this example never calls it" if ran else "nothing was run, as no sizes could be made"
        known = [one for one in calls if one.channels.axes is not None and len(one.channels.axes) == 1]
        if given is None:
            lost = next((one for one in calls if one not in known), None)
            if lost is not None:
                heads = lost.channels.axes is not None
                why = f"they are split over axes {sorted(lost.channels.axes)}" if heads else lost.channels.lost
                return None, f"its input has shape {lost.shape}, and {why}"
            choices = [{axis, axis - len(one.shape)} for one in known for axis in one.channels.axes]
            both = set.intersection(*choices)
            if not both:
                seen = sorted({f"axis {next(iter(one.channels.axes))} of {one.shape}" for one in known})
                return None, f"its calls have them on {' and on '.join(seen)}"
            # As the layer before counts, so that it stays right for inputs of other ranks: a convolution from the
            # front, unless it has no batch, which may come later; all else from the end.
            given = 1 if 1 in both and not known[-1].channels.last else min(both)
        else:
            for one in known:
                if given not in {axis for a in one.channels.axes for axis in (a, a - len(one.shape))}:
                    self.made_on[name] = next(iter(one.channels.axes)) - len(one.shape)
                    self.warned.append(
                        f"channel_dim={given} was given for {name!r}, whose input {one.shape} has the channels of "
                        f"{one.channels.source!r} on axis {next(iter(one.channels.axes))}"
                    )
                    break
        for one in calls:
            if not -len(one.shape) <= given < len(one.shape):
                raise ValueError(f"channel_dim={given} of {name!r} is outside its input of shape {one.shape}")
        widths = {one.shape[given] for one in calls}
        source = known[-1].channels.source if known else ""
        return Place(given, widths.pop() if len(widths) == 1 else None, source), ""

    def _fit(self, name, old, place, calls) -> nn.Module:
        widths = sorted({one.shape[place.channel_dim] for one in calls}) if place is not None else []
        made = self._create(name, place, place.num_channels if place is not None else None)
        for width in widths:
            problem = _does_not_fit(made, old, width, place, calls)
            if problem is None:
                continue
            if self.remainder == "refuse" or len(widths) > 1:
                raise ValueError(
                    f"{made!r} does not fit {name!r}, whose {width} channels lie on axis {place.channel_dim}"
                    + (f" (made by {place.source!r})" if place.source else "")
                    + f": {problem}{_options(made, width, len(widths) > 1)}"
                )
            for less in range(width - 1, 0, -1):
                made = self._create(name, place, less)
                if _does_not_fit(made, old, less, place, calls) is None:
                    return PassRemainder(made, less, place.channel_dim)
            raise ValueError(f"no number of channels below {width} fits {made!r} for {name!r}: {problem}")
        return made

    def _create(self, name, place, width) -> nn.Module:
        options = dict(self.options)
        if place is not None and "channel_dim" in self.takes:
            options.setdefault("channel_dim", place.channel_dim)
        if isinstance(self.by, str):
            made = create(self.by, width, **options)
        elif isinstance(self.by, nn.Module):
            made = copy.deepcopy(self.by)
        else:
            if self.needs_width:
                options["num_channels"] = width
            try:
                made = self.by(**options)
            except TypeError as error:
                raise ValueError(
                    f"by={self.by!r} makes no activation with options {sorted(options)}: {error}; use a name, a class "
                    "with its options, or a module"
                ) from None
        if any(made is one for one in self.made):
            made = copy.deepcopy(made)  # A factory may give one instance to all places.
        self.made.append(made)
        if not isinstance(made, nn.Module):
            raise ValueError(
                f"by={self.by!r} makes {type(made).__name__}, not a Module; use a name, a class or a module"
            )
        own = getattr(made, "channel_dim", None)
        if place is not None and isinstance(own, int) and own != place.channel_dim and not isinstance(self.by, str):
            raise ValueError(
                f"{made!r} has channel_dim={own}, and the channels of {name!r}"
                + (f", made by {place.source!r}," if place.source else "")
                + f" lie on {place.channel_dim}; give by=... with channel_dim={place.channel_dim}, or a name or class, "
                "which get the axis from here"
            )
        return made


@torch.no_grad()
def _does_not_fit(made, old, width, place, calls) -> str | None:
    """Why an activation does not take this number of channels to the shape that the old one gives; None if it does."""
    one = calls[-1]
    # One position of two samples will do, whatever the size of the input.
    shape = [min(2, size) for size in one.shape]
    shape[place.channel_dim] = width
    try:
        out = _shape(made, shape)
    except Exception as error:
        # The first sentence: what a message of ours says next of axes is known here.
        return (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0]
    try:
        wanted = _shape(old, shape)
    except Exception:
        wanted = tuple(shape)
    return None if out == wanted else f"it makes shape {out} of {tuple(shape)}, and wanted is {wanted}"


def _shape(module, shape) -> tuple[int, ...]:
    """The shape of what a module makes of zeros, in evaluation."""
    modes = [one.training for one in module.modules()]
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    try:
        return tuple(module.eval()(torch.zeros(shape, dtype=like.dtype, device=like.device)).shape)
    finally:
        for one, mode in zip(module.modules(), modes, strict=True):
            one.training = mode


def _options(made, width, several) -> str:
    """The nearest ways to fit cones."""
    size = getattr(made, "dim", None)
    if not isinstance(size, int):
        return (
            "; use another activation, or keep=..."
            if several
            else "; use another activation, remainder='pass', or keep=..."
        )
    dims = [dim for dim in range(2, width + 1) if width % dim == 0 and dim != size]
    near = sorted(sorted(dims, key=lambda dim: (abs(dim - size), dim))[:3])
    shared = [dim for dim in range(2, width + 1) if (width - 1) % (dim - 1) == 0 and hasattr(made, "share_axis")]
    shared = sorted(sorted(shared, key=lambda dim: (abs(dim - size), dim))[:2])
    ways = [f"dim={dim}" for dim in near]
    ways += [f"share_axis=True with dim={' or '.join(map(str, shared))}"] if shared else []
    return "; use " + ", ".join(ways if several else [*ways, "remainder='pass'"]) + ", or keep=..."
