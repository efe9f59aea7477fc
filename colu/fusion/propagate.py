"""Which channels are tied to which, found by following a value through the layers of a network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from colu.geometry import Symmetry
from colu.nn import symmetry_of

from .groups import Conic, Permutation, Vectors
from .spec import FIXED, Part, Spec
from .states import unwrapped

__all__ = ["from_chains"]

_KEEPS = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.Upsample,
)  # fmt: skip
_MAX_POOL = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d)


class Untraceable(ValueError):
    """A layer through which no symmetry can be followed; the message names it."""


@dataclass(eq=False)
class Channels:
    """Channels with one group to be found; merged with others, or cut into several, as layers demand."""

    name: str
    size: int
    fixed: bool = False
    into: list[Channels] | None = None
    made: int = field(default_factory=itertools.count().__next__)

    def resolve(self) -> list[Channels]:
        """The final stretches that these channels became."""
        return [self] if self.into is None else [leaf for part in self.into for leaf in part.resolve()]


@dataclass(eq=False)
class Value:
    """What is known of an activation: its channels, None for inputs, and entries for one channel.

    After layers that leave one entry for each unit of ``dim`` channels, or the sections of cones, ``view`` says so.
    """

    parts: list[Channels] | None
    repeat: int = 1
    flat: bool = False
    view: str = "channels"
    dim: int = 1

    def leaves(self) -> list[Channels]:
        return [] if self.parts is None else [leaf for part in self.parts for leaf in part.resolve()]

    @property
    def size(self) -> int:
        size = sum(leaf.size for leaf in self.leaves())
        return size if self.view == "channels" else size // self.dim * (1 if self.view == "units" else self.dim - 1)


@dataclass(eq=False)
class Propagation:
    """Collects ties and demands layer by layer; :meth:`spec` then decides the groups."""

    pointwise: tuple[type, ...] = ()
    rules: dict[str, list[tuple[Value | None, str | None]]] = field(default_factory=dict)
    kinds: list[tuple[str, Value, object]] = field(default_factory=list)
    channelwise: list[tuple[str, Value, int | None]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)

    def tie(self, one: Value, other: Value, where: str) -> None:
        """Demand that two values carry the same elements, as a sum does."""
        if one.parts is None or other.parts is None:
            for leaf in (*one.leaves(), *other.leaves()):
                leaf.fixed = True
            return
        if one.view != "channels" or other.view != "channels":
            raise Untraceable(f"{where} joins what is left of channels; only whole channels are known there")
        if one.size != other.size:
            raise Untraceable(f"{where} joins {one.size} and {other.size} channels; they must be equal")
        while True:
            a, b = one.leaves(), other.leaves()
            differing = next(((x, y) for x, y in zip(a, b, strict=False) if x is not y), None)
            if differing is None:
                return
            x, y = differing
            if x.size == y.size:
                # The name of the layer that came first stays.
                x, y = sorted((x, y), key=lambda part: part.made)
                y.into, x.fixed = [x], x.fixed or y.fixed
                continue
            small, large = sorted((x, y), key=lambda part: part.size)
            rest = Channels(
                f"{large.name}[{small.size}:]", large.size - small.size, large.fixed, made=large.made
            )
            small.fixed = small.fixed or large.fixed
            large.into = [small, rest]

    def declare(self, name: str, *axes: Value | None, sides: tuple = ()) -> None:
        """Record the axes of a parameter; a second use of it ties both."""
        if name in self.rules:
            for (old, _), new in zip(self.rules[name], axes, strict=True):
                if old is not None or new is not None:
                    self.tie(old or Value(None), new or Value(None), name)
            return
        self.rules[name] = list(zip(axes, sides or (None,) * len(axes), strict=True))

    def _fit(self, name: str, value: Value, features: int) -> Value | None:
        """The value as ``features`` entries of an axis, its pixels counted where it was flattened."""
        if value.parts is None:
            return None
        repeat, rest = divmod(features, max(value.size, 1))
        if rest or not repeat or (repeat > 1 and not value.flat and value.repeat != repeat):
            raise Untraceable(f"{name} reads {features} features, but gets {value.size} channels")
        return Value(value.parts, repeat, view=value.view, dim=value.dim)

    def module(self, name: str, module: nn.Module, value: Value) -> Value:
        """The value after a layer."""
        handlers = (
            (nn.Linear, self._linear),
            ((nn.Conv1d, nn.Conv2d), self._convolution),
            (_BATCH_NORM, self._batch_norm),
            (nn.GroupNorm, self._group_norm),
            (nn.LayerNorm, self._layer_norm),
            (nn.RMSNorm, self._layer_norm),
            (nn.Embedding, self._embedding),
        )
        if isinstance(module, nn.Flatten):
            if module.start_dim != 1 or module.end_dim != -1:
                raise Untraceable(f"{name} is {module}, which does not flatten each sample; use nn.Flatten()")
            return self.flatten(value)
        if isinstance(module, _KEEPS):
            return value
        reads = isinstance(module, nn.Linear) or (isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups == 1)
        if value.view != "channels" and not reads:
            raise Untraceable(
                f"{name} follows a layer that changes the number of channels; put a Linear or a convolution between"
            )
        if isinstance(module, _MAX_POOL):
            self.channelwise.append((f"{name} ({type(module).__name__})", value, None))
            return value
        for types, handler in handlers:
            if isinstance(module, types):
                return handler(name, module, value)
        if isinstance(module, self.pointwise):
            return self._pointwise(name, module, value)
        symmetry = symmetry_of(module, value.size)
        if symmetry is not None:
            return self._activation(name, module, value, symmetry)
        raise Untraceable(
            f"no symmetry is known for module {name!r}, a {type(module).__name__}; "
            "write its axes into a Spec by hand, or pass pointwise=(its class,) if it acts on channels alone"
        )

    @staticmethod
    def flatten(value: Value) -> Value:
        """Pixels of a channel follow each other; how many is found where they are read."""
        return replace(value, flat=True)

    def _linear(self, name: str, module: nn.Linear, value: Value) -> Value:
        read = self._fit(name, value, module.in_features)
        made = self._made(name, module.out_features)
        self.declare(f"{name}.weight", made, read)
        if module.bias is not None:
            self.declare(f"{name}.bias", made)
        return made

    def _made(self, name: str, size: int) -> Value:
        made = self.rules.get(f"{name}.weight", [None])[0]
        return made[0] if made else Value([Channels(name, size)])

    def _convolution(self, name: str, module: nn.Conv2d, value: Value) -> Value:
        kernel = (None,) * len(module.kernel_size)
        if module.groups == 1:
            read = self._fit(name, value, module.in_channels)
            made = self._made(name, module.out_channels)
            self.declare(f"{name}.weight", made, read, *kernel)
        elif module.groups == module.in_channels == module.out_channels and value.parts is not None:
            made = value
            self.channelwise.append((f"{name} (depthwise {type(module).__name__})", value, None))
            self.declare(f"{name}.weight", made, None, *kernel)
        else:
            raise Untraceable(
                f"module {name!r} is a convolution of {module.groups} groups; "
                "only groups=1 and depthwise are known"
            )
        if module.bias is not None:
            self.declare(f"{name}.bias", made)
        return made

    def _embedding(self, name: str, module: nn.Embedding, value: Value) -> Value:
        made = Value([Channels(name, module.embedding_dim)])
        self.declare(f"{name}.weight", None, made, sides=(None, "out"))
        return made

    def _affine(self, name: str, module: nn.Module, value: Value, size: int, group: int | None) -> Value:
        fitted = self._fit(name, value, size)
        for parameter, tensor in module.state_dict().items():
            if tensor.dim():
                self.declare(f"{name}.{parameter}", fitted)
                if parameter.startswith("running_"):
                    self.unmatched.append(f"{name}.{parameter}")
        if fitted is not None:
            self.channelwise.append((f"{name} ({type(module).__name__})", fitted, group))
        return value

    def _batch_norm(self, name: str, module: nn.BatchNorm2d, value: Value) -> Value:
        return self._affine(name, module, value, module.num_features, None)

    def _group_norm(self, name: str, module: nn.GroupNorm, value: Value) -> Value:
        return self._affine(
            name, module, value, module.num_channels, module.num_channels // module.num_groups
        )

    def _layer_norm(self, name: str, module: nn.LayerNorm, value: Value) -> Value:
        if len(module.normalized_shape) != 1:
            raise Untraceable(
                f"{name} normalises {len(module.normalized_shape)} dimensions; only channels are known"
            )
        if isinstance(module, nn.RMSNorm) and module.weight is None:
            # The norm of all channels is invariant under every orthogonal map.
            return value
        return self._affine(name, module, value, module.normalized_shape[0], None)

    def _pointwise(self, name: str, module: nn.Module, value: Value) -> Value:
        """A class that the caller vouches for: vectors that are as long as the channels go along."""
        for parameter, tensor in module.state_dict().items():
            if tensor.dim() and tensor.shape == (1,):
                self.declare(f"{name}.{parameter}", None)
            elif tensor.dim():
                self.declare(f"{name}.{parameter}", self._fit(name, value, len(tensor)))
        if value.parts is not None:
            self.kinds.append((name, value, "pointwise"))
        return value

    def _activation(self, name: str, module: nn.Module, value: Value, symmetry: Symmetry) -> Value:
        free = symmetry.kind == "linear"
        alike = free or (symmetry.channelwise and symmetry.blocks == 1)
        if value.parts is None and not (free or symmetry.channelwise):
            raise Untraceable(
                f"activation {name!r} acts on the inputs themselves; nothing there can be aligned"
            )
        if not alike and (value.flat or value.repeat > 1):
            raise Untraceable(f"activation {name!r} takes pixels for channels; put it before the Flatten")
        if not free and symmetry.width() != value.size:
            raise Untraceable(f"{value.size} channels do not fill the units of activation {name!r}, {symmetry}")
        self._carry(name, module, value, symmetry)
        if value.parts is None or free:
            return value
        label = f"{name} ({type(module).__name__})"
        if symmetry.channelwise:
            self.kinds.append((name, value, "pointwise"))
        else:
            kind = (symmetry.kind, symmetry.dim, symmetry.share_axis, symmetry.layout, symmetry.frame)
            self.kinds.append((name, value, kind))
        if symmetry.blocks > 1:
            self.channelwise.append((label, value, value.size // symmetry.blocks))
        if symmetry.output == "twice":
            return replace(value, parts=value.parts * 2)
        return value if symmetry.output == "channels" else replace(value, view=symmetry.output, dim=symmetry.dim)

    def _carry(self, name: str, module: nn.Module, value: Value, symmetry: Symmetry) -> None:
        """Declare the state of an activation: what is carried moves with the channels, all else stays."""
        along = {entry.name: entry for entry in symmetry.carries}
        learnt = dict(module.named_parameters())
        for parameter, tensor in module.state_dict().items():
            if not tensor.dim():
                continue
            axes: list[Value | None] = [None] * tensor.dim()
            sides: list[str | None] = [None] * tensor.dim()
            entry = along.get(parameter)
            if entry is not None and value.parts is not None:
                length = tensor.shape[entry.axis] // entry.tiles
                units = Value(value.parts, view="units", dim=symmetry.dim)
                fitted = self._fit(name, value if symmetry.channelwise else units, length)
                sides[entry.axis] = "in" if entry.reads else "out"
                axes[entry.axis] = replace(fitted, parts=fitted.parts * entry.tiles)
                # A radius a vector says nothing of rotations; running statistics are no evidence anywhere.
                if parameter not in learnt or symmetry.kind == "vectors":
                    self.unmatched.append(f"{name}.{parameter}")
            self.declare(f"{name}.{parameter}", *axes, sides=tuple(sides))

    def spec(self, rotate: bool = True) -> Spec:
        """Decide the groups and write the specification."""
        values = [value for axes in self.rules.values() for value, _ in axes if value is not None]
        leaves = {id(leaf): leaf for value in values for leaf in value.leaves() if not leaf.fixed}
        kinds = self._decide_kinds(leaves)
        lengths, blockers = self._restrictions(leaves)
        names, groups = {}, {}
        for key, leaf in leaves.items():
            activation, kind = kinds.get(key, ("", "pointwise"))
            length = lengths.get(key, leaf.size)
            if kind == "pointwise":
                group = Permutation(leaf.size, leaf.size // length)
            else:
                form, dim, shared, layout, frame = kind
                if rotate and key in blockers and form != "units":
                    raise ValueError(
                        f"{blockers[key]} acts on each channel by itself, and rotations of the cones of "
                        f"{activation!r} mix channels: no symmetry is left but permutations of cones; "
                        "pass rotate=False for these, or train without that layer"
                    )
                if length != leaf.size and (length % dim or shared or layout != "blocks"):
                    raise ValueError(
                        f"cones of {activation!r} lie across the groups of a GroupNorm; "
                        f"use groups whose channels are a multiple of dim={dim}, in layout 'blocks'"
                    )
                count, blocks = (leaf.size - shared) // (dim - shared), leaf.size // length
                if form == "vectors":
                    group = Vectors(count, dim, rotate, blocks)
                else:
                    group = Conic(count, dim, shared, layout, frame, rotate and form == "cones", blocks)
            names[key] = leaf.name
            groups[leaf.name] = group
        axes = {
            name: tuple(_rule(value, side, names) for value, side in rules)
            for name, rules in self.rules.items()
        }
        return Spec(groups, axes, tuple(self.unmatched))

    def _decide_kinds(self, leaves: dict) -> dict:
        decided: dict[int, tuple[str, object]] = {}
        for name, value, kind in self.kinds:
            parts = value.leaves()
            if kind != "pointwise" and len(parts) > 1:
                _, dim, shared, layout, _ = kind
                if shared or layout != "blocks" or any(part.size % dim for part in parts):
                    raise Untraceable(
                        f"activation {name!r} joins cones of channels that come from different layers; "
                        "this works only in layout 'blocks', without a shared axis, at whole cones"
                    )
            for leaf in parts:
                if id(leaf) not in leaves:
                    continue
                before = decided.setdefault(id(leaf), (name, kind))
                if before[1] != kind:
                    raise ValueError(
                        f"activations {before[0]!r} and {name!r} share channels but differ in symmetry "
                        f"({before[1]} and {kind}); give them one activation, or write the Spec by hand"
                    )
        return decided

    def _restrictions(self, leaves: dict) -> tuple[dict, dict]:
        """Channels of the blocks inside which units may move, and the layers that forbid rotations."""
        lengths: dict[int, int] = {}
        blockers: dict[int, str] = {}
        for label, value, group in self.channelwise:
            offset = 0
            for leaf in value.leaves():
                blockers.setdefault(id(leaf), label)
                one_group = group and offset // group == (offset + leaf.size - 1) // group
                if group and group > 1 and not one_group:
                    # Whole groups could also be exchanged; that smaller freedom is left unused.
                    length = math.gcd(group, leaf.size, offset)
                    lengths[id(leaf)] = math.gcd(length, lengths.get(id(leaf), leaf.size))
                offset += leaf.size
        return lengths, blockers


def _rule(value: Value | None, side: str | None, names: dict) -> str | tuple[Part, ...]:
    if value is None or value.parts is None or all(id(leaf) not in names for leaf in value.leaves()):
        return FIXED
    return tuple(
        Part(names[id(leaf)], value.repeat, None, side, value.view)
        if id(leaf) in names
        else Part(FIXED, value.repeat, replace(value, parts=[leaf]).size, side)
        for leaf in value.leaves()
    )


def from_chains(
    model: nn.Module,
    chains: Sequence[Sequence[str]],
    *,
    rotate: bool = True,
    pointwise: tuple[type, ...] = (),
) -> Spec:
    """The specification of chains of layers inside a larger model, whose other parameters stay fixed.

    For the perceptrons of a transformer: what enters and leaves a chain is fixed, what is between is free.

    Parameters
    ----------
    model : Module
    chains : sequence of sequences of str
        Names of modules in the order in which they run, each chain from its first linear layer to its last
        one.
        That nothing else reads the values in between cannot be seen here:
        check it with :func:`colu.fusion.assert_invariant_under`.
    rotate, pointwise
        As for :func:`colu.fusion.from_sequential`.

    Returns
    -------
    Spec

    Raises
    ------
    ValueError
        For a name that is no module, or a layer without known symmetry.

    Examples
    --------
    >>> from colu.lab.models import GPT
    >>> model = GPT(65, length=16, width=32, depth=2, heads=4)
    >>> chains = [[f"blocks.{i}.{layer}" for layer in ("up", "act", "down")] for i in range(2)]
    >>> list(from_chains(model, chains).groups)
    ['blocks.0.up', 'blocks.1.up']
    """
    model = unwrapped(model)
    modules = dict(model.named_modules())
    propagation = Propagation(pointwise=tuple(pointwise))
    for chain in chains:
        value = Value(None)
        for name in chain:
            if name not in modules:
                raise ValueError(
                    f"{type(model).__name__} has no module {name!r}; names are those of named_modules()"
                )
            value = propagation.module(name, modules[name], value)
        for leaf in value.leaves():
            leaf.fixed = True
    for name, tensor in model.state_dict().items():
        if tensor.dim() and name not in propagation.rules:
            propagation.rules[name] = [(None, None)] * tensor.dim()
    return propagation.spec(rotate)
