"""Specifications found by ``torch.fx``: residual networks, or chains inside a larger model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx, nn

from colu.checks import as_int, as_number

from .calls import input_of, layer_of, named, nodes_of
from .propagate import Channels, Propagation, Untraceable, Value
from .spec import Spec
from .states import inner, unwrapped

__all__ = ["from_chains", "trace_spec"]

_KEEP = ("interpolate", "contiguous", "clone", "detach")
# Sizes and the like: harmless as long as no layer reads them.
_OPAQUE = ("size", "dim")


class _Tracer(fx.Tracer):
    """Stops at modules without children, and knows where it was when tracing failed."""

    def __init__(self):
        super().__init__()
        self.entered = ""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return not any(module.children()) or super().is_leaf_module(module, name)

    def call_module(self, module, forward, args, kwargs):
        # What is compiled inside a model is followed too.
        while (found := inner(module)) is not None:
            module, forward = found, found.forward
        self.entered = self.path_of_module(module)
        return super().call_module(module, forward, args, kwargs)


def trace_spec(model: nn.Module, *, rotate: bool = True, pointwise: tuple[type, ...] = ()) -> Spec:
    """The specification of a model, found by following channels through its graph.

    What is added shares a group; channels that a shortcut pads with zeros, or that are concatenated,
    become stretches of one axis with a group each.

    Parameters
    ----------
    model : Module
        Perceptrons, VGG, residual networks with any of the layers of :func:`colu.fusion.from_sequential`;
        not run and not changed. Wrappers are looked through: torch.compile, DataParallel and the like.
    rotate : bool
        False asks for permutations of cones only, the symmetry that BatchNorm, GroupNorm and max pooling
        leave.
    pointwise : tuple of type
        Further classes of activations that act on each channel alone.

    Returns
    -------
    Spec
        Groups are named as the layer that first makes their channels.

    Raises
    ------
    ValueError
        A model or an operation that cannot be followed; the message names the module.

    Notes
    -----
    Control flow that depends on shapes cannot be traced; :func:`colu.fusion.from_chains` then finds the
    groups of
    the parts named, and leaves the others fixed.

    Examples
    --------
    >>> from colu.lab.models import CIFARResNet
    >>> spec = trace_spec(CIFARResNet(8, widths=(4, 8, 8)))
    >>> {name: group.size for name, group in spec.groups.items()}
    {'conv': 4, 'blocks.0.conv1': 4, 'blocks.1.conv1': 8, 'blocks.1.conv2[4:]': 4, 'blocks.2.conv1': 8}
    """
    model = unwrapped(model)
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as error:
        where = (
            f"module {tracer.entered!r} of {type(model).__name__}" if tracer.entered else type(model).__name__
        )
        raise Untraceable(
            f"tracing stopped in or after {where}: {error}; "
            "write the Spec by hand, or name chains of layers with from_chains"
        ) from error
    propagation = Propagation(pointwise=tuple(pointwise))
    values: dict[fx.Node, object] = {}
    for node in graph.nodes:
        if node.op == "output":
            _fix(node.args[0], values)
        else:
            values[node] = _step(node, values, model, propagation)
    covered = set(propagation.rules)
    left = [name for name, tensor in model.state_dict().items() if tensor.dim() and name not in covered]
    if left:
        raise Untraceable(
            f"parameters {left} are not used by any layer that is known; write the Spec by hand"
        )
    return propagation.spec(rotate)


def _fix(result, values: dict) -> None:
    for node in nodes_of(result):
        value = values.get(node)
        for leaf in value.leaves() if isinstance(value, Value) else ():
            leaf.fixed = True


def _place(node: fx.Node, model: nn.Module) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    last = [str(entry[0] if isinstance(entry, tuple) else key) for key, entry in stack.items()]
    inside = f"module {last[-1]!r} of " if last and last[-1] else ""
    return f"operation {node.name!r} ({_title(node.target)}) in {inside}{type(model).__name__}"


def _title(target) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _step(node: fx.Node, values: dict, model: nn.Module, propagation: Propagation):
    """The value of one node."""
    if node.op == "placeholder":
        return Value(None)
    if node.op == "get_attr":
        raise Untraceable(
            f"{type(model).__name__} uses the tensor {node.target!r} outside a layer; write the Spec by hand"
        )
    if node.op == "call_module":
        return _module(node, values, model, propagation)
    followed = [values[read] for read in nodes_of((node.args, node.kwargs)) if isinstance(values.get(read), Value)]
    name, arguments = named(node)
    if not followed or node.target is getattr or name in _OPAQUE:
        return None
    place = _place(node, model)
    read = {key: values.get(given) if isinstance(given, fx.Node) else given for key, given in arguments.items()}
    if name in ("add", "mul", "div"):
        return _arithmetic(name, read, place, propagation)
    if name == "cat":
        return _cat([values.get(tensor) for tensor in arguments["tensors"]], arguments["dim"], place)
    value = read.get("input")
    # Another tensor beside it is more than any of these knows.
    if isinstance(value, Value) and len(followed) == 1:
        if name in _KEEP:
            return value
        if handler := _HANDLERS.get(name):
            return handler(node, read, value, place)
        layer = layer_of(name, read)
        if layer is not None and propagation.knows(layer):
            return propagation.module(place, layer, value)
    raise Untraceable(f"no symmetry is known for {place}; use a layer that is known, or write the Spec by hand")


def _module(node: fx.Node, values: dict, model: nn.Module, propagation: Propagation) -> Value:
    module = model.get_submodule(node.target)
    first, others = input_of(module, node)
    value = values.get(first) if isinstance(first, fx.Node) else first
    if not isinstance(value, Value) or any(isinstance(values.get(other), Value) for other in others):
        raise Untraceable(
            f"module {node.target!r}, a {type(module).__name__}, does not read one tensor that can be followed; "
            "write the Spec by hand"
        )
    return propagation.module(node.target, module, value)


def _arithmetic(name: str, read: dict, place: str, propagation: Propagation) -> Value:
    one, other = read["input"], read["other"]
    if isinstance(one, Value) and isinstance(other, Value):
        if name != "add":
            raise Untraceable(f"{place} multiplies two values; gates have no symmetry that is known")
        if (one.repeat, one.flat) != (other.repeat, other.flat):
            raise Untraceable(f"{place} adds flattened and other values; add before the flatten")
        propagation.tie(one, other, place)
        return one if one.parts is not None else other
    value, number = (one, other) if isinstance(one, Value) else (other, one)
    if as_number(number) is None:
        raise Untraceable(f"{place} takes {number!r}; only numbers and values of layers are known")
    if name == "add":
        propagation.channelwise.append((place, value, None))
    if name == "div" and (value is other or read.get("rounding_mode")) and value.parts is not None:
        propagation.kinds.append((place, value, "pointwise"))
    return value


def _cat(parts: list, axis, place: str) -> Value:
    whole = all(isinstance(value, Value) and value.parts and not value.flat and value.repeat == 1 for value in parts)
    if as_int(axis) != 1 or not whole:
        raise Untraceable(
            f"{place} joins along axis {axis}; only channels of layers, along axis 1, are known"
        )
    return Value([part for value in parts for part in value.parts])


def _getitem(node: fx.Node, read: dict, value: Value, place: str) -> Value:
    index = read["other"] if isinstance(read["other"], tuple) else (read["other"],)
    if any(not isinstance(entry, slice) for entry in index) or (len(index) > 1 and index[1] != slice(None)):
        raise Untraceable(f"{place} takes some of the channels; only pixels and samples may be taken")
    return value


def _pad(node: fx.Node, read: dict, value: Value, place: str) -> Value:
    pad = list(read["pad"])
    zero = read["mode"] == "constant" and not read["value"]
    if len(pad) > 4 and any(pad[4:]):
        if not zero or len(pad) != 6 or value.parts is None or value.flat:
            raise Untraceable(f"{place} pads channels by something other than zeros")
        # Zeros bear any group: channels of their own, tied to what is added.
        before, after = (
            [Channels(f"{node.name}[{end}]", count)] if count else [] for end, count in enumerate(pad[4:])
        )
        return Value([*before, *value.parts, *after])
    return value


def _view(node: fx.Node, read: dict, value: Value, place: str) -> Value:
    shape = read.get("size", read.get("shape"))
    if not isinstance(shape, tuple | list) or len(shape) != 2 or shape[1] != -1:
        raise Untraceable(f"{place} changes the shape; only view(samples, -1) is known, which flattens")
    return Propagation.flatten(value)


def _mean(node: fx.Node, read: dict, value: Value, place: str) -> Value:
    axes = read.get("dim")
    axes = axes if isinstance(axes, tuple | list) else (axes,)
    pixels = ({2, 3}, {-1, -2}, {2}, {-1})
    if {as_int(axis) for axis in axes} not in pixels or value.flat:
        raise Untraceable(f"{place} averages over axes {axes}; only pixels are known")
    return value


_HANDLERS = {"getitem": _getitem, "pad": _pad, "view": _view, "reshape": _view, "mean": _mean}


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
        As for :func:`colu.fusion.trace_spec`.

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
