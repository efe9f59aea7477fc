"""One call is one, however it is spelled: by position or keyword, as a function, a method or an operator, in place."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.fx.operator_schemas import get_signature_for_torch_op, normalize_function

#: Other names of the same functions of torch.
_NAMES = {
    "iadd": "add", "imul": "mul", "itruediv": "div", "truediv": "div", "multiply": "mul", "divide": "div",
    "true_divide": "div", "concat": "cat", "concatenate": "cat", "log_sigmoid": "logsigmoid",
}  # fmt: skip
#: Names of arguments that torch takes from NumPy.
_ARGUMENTS = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}
_LAYERS = {name.lower(): layer for name, layer in vars(nn).items() if inspect.isclass(layer)}


def named(node: fx.Node) -> tuple[str, dict[str, object]]:
    """Name and arguments by name of a call of torch, as its own schemas have them; ``""`` for what is none of torch's.

    Examples
    --------
    >>> graph = fx.Graph()
    >>> h = graph.placeholder("h")
    >>> named(graph.call_function(torch.add, (), {"input": h, "other": h})) == named(graph.call_method("add_", (h, h)))
    True
    """
    target, args, kwargs = node.target, node.args, node.kwargs
    if node.op == "call_function" and getattr(target, "__module__", "").partition(".")[0] not in ("torch", "_operator"):
        return "", _loose(args, kwargs)
    title = target if isinstance(target, str) else target.__name__
    name = _NAMES.get(title.rstrip("_"), title.rstrip("_"))
    if getattr(target, "__module__", "") == "_operator":
        return name, dict(zip(("input", "other"), args, strict=False))
    if inspect.isfunction(target):
        found = normalize_function(target, args, dict(kwargs), normalize_to_only_use_kwargs=True)
        return name, _loose(args, kwargs) if found is None else dict(found.kwargs)
    if name in ("view", "reshape") and len(args) > 1 and not isinstance(args[1], tuple | list):
        # The one list that torch also takes as so many arguments.
        args = (args[0], args[1:])
    kwargs = {_ARGUMENTS.get(key, key): value for key, value in kwargs.items()}
    operation = getattr(torch.ops.aten, title, None)
    for signature in (operation is not None and get_signature_for_torch_op(operation)) or ():
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            continue
        bound.apply_defaults()
        return name, dict(bound.arguments)
    return name, _loose(args, kwargs)


def _loose(args: tuple, kwargs: dict) -> dict[str, object]:
    return {str(place): value for place, value in enumerate(args)} | dict(kwargs)


def nodes_of(arguments) -> Iterator[fx.Node]:
    """All nodes in arguments, nested ones too."""
    found: list[fx.Node] = []
    fx.node.map_arg(arguments, lambda node: found.append(node) or node)
    yield from found


def layer_of(name: str, arguments: dict[str, object]) -> nn.Module | None:
    """The layer of torch without parameters that does what a function does; None if there is none.

    Examples
    --------
    >>> layer_of("leaky_relu", {"input": None, "negative_slope": 0.1}), layer_of("layer_norm", {"normalized_shape": 4})
    (LeakyReLU(negative_slope=0.1), None)
    """
    layer = _LAYERS.get(name.replace("_", ""))
    if layer is None or not issubclass(layer, nn.Module):
        return None
    options = {key: arguments[key] for key in inspect.signature(layer).parameters if key in arguments}
    try:
        made = layer(**options)
    except (TypeError, ValueError):
        return None
    return None if made.state_dict() else made


def input_of(module: nn.Module, node: fx.Node) -> tuple[object, list[fx.Node]]:
    """What a layer reads, and the nodes beside it that the call gives it.

    Examples
    --------
    >>> graph = fx.Graph()
    >>> h = graph.placeholder("h")
    >>> input_of(nn.ReLU(), graph.call_module("0", (), {"input": h}))
    (h, [])
    """
    bound = inspect.signature(module.forward).bind(*node.args, **node.kwargs)
    first, *others = bound.args or (*bound.kwargs.values(), None)
    return first, list(nodes_of((others, bound.kwargs if bound.args else {})))
