"""Which axis of a tensor holds the channels: followed through one forward pass, operation by operation.

A layer decides it (a linear map makes channels on the last axis, a convolution on axis 1); what comes after moves,
splits or keeps them. Operations are seen as PyTorch runs them (ATen), so that it does not matter how a model spells
them, and nothing is traced or read.
"""

import contextlib
import copy
import dataclasses
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from . import operations
from .operations import Channels

__all__ = []

_NAMES = (
    "relu relu_ relu6 leaky_relu leaky_relu_ silu gelu elu elu_ selu selu_ celu celu_ mish softplus softsign tanh "
    "tanh_ sigmoid sigmoid_ hardswish hardsigmoid hardtanh hardtanh_ prelu rrelu glu logsigmoid threshold"
).split()
#: Activations that PyTorch has as functions or methods, by what is called.
FUNCTIONS = {
    getattr(source, name): name for source in (functional, torch, Tensor) for name in _NAMES if hasattr(source, name)
}


@dataclass
class Call:
    """One call of a module that is watched: what went in, where its channels were, and the module that called it."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    channels: Channels
    caller: str = ""


#: What feeds a layer that the model's input is given to.
INPUT = (0, 0)


@dataclass
class Flow:
    """What one forward pass showed.

    ``calls`` has the calls of each watched module, by its ``id``, and ``feeds`` what each of them was given, by way of
    views, dropout and pooling at most: the result of a watched module, by its id and the number of its call, or an
    input of the model (:data:`INPUT`). ``gates`` has the ids of those whose result
    multiplies another signal, ``outputs`` of those whose result the model returns; ``functions`` the modules in which
    an activation was called as a function, by what was called and where.
    """

    calls: dict[int, list[Call]] = field(default_factory=dict)
    feeds: dict[int, set[tuple[int, int] | None]] = field(default_factory=dict)
    gates: set[int] = field(default_factory=set)
    outputs: set[int] = field(default_factory=set)
    functions: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def tensors_in(value) -> Iterator[Tensor]:
    """The tensors of nested lists, tuples, mappings and dataclasses, in order."""
    if isinstance(value, Tensor):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, (type, Mapping)):
        yield from tensors_in([getattr(value, one.name) for one in dataclasses.fields(value)])
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors_in(one)


def mapped(change: Callable[[Tensor], Tensor], value):
    """Nested lists, tuples, mappings and dataclasses with their tensors changed; of other objects, copies."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(change, one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [mapped(change, one) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.init}
        return dataclasses.replace(value, **mapped(change, parts))
    try:
        return value if isinstance(value, nn.Module) else copy.deepcopy(value)
    except Exception:  # What cannot be copied is the caller's own to keep.
        return value


def cloned(value):
    """An example whose tensors are its own, since a model may write into what it is given."""
    return mapped(lambda one: one.detach().clone().requires_grad_(one.requires_grad), value)


def call(model: nn.Module, example):
    """The model on an example: a tensor, a tuple of arguments, or a mapping of arguments by name."""
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, (tuple, list)) else model(example)


def follow(model: nn.Module, example, watched: Mapping[int, nn.Module]) -> Flow:
    """Run the model, in the mode it is in, and note where channels go."""
    try:
        return _followed(model, example, watched, gradients=model.training)
    except RuntimeError:
        if model.training:
            raise
        # Some take derivatives in their forward pass, as a force is one of an energy.
        return _followed(model, example, watched, gradients=True)


def _followed(model, example, watched, *, gradients: bool) -> Flow:
    flow, stack = Flow(), []
    names = {id(module): name or type(model).__name__ for name, module in reversed(list(model.named_modules()))}
    follower = _Follower(stack, model)
    example = cloned(example)
    for tensor in tensors_in(example):
        follower.data[tensor] = Channels(None, lost="it comes from the model's input, and no layer was met")
        follower.given[tensor] = INPUT

    def enter(module, args, kwargs):
        stack.append((names[id(module)], module))
        if id(module) in watched:
            x = next(tensors_in((args, kwargs)), None)
            if x is not None:
                unknown = "it does not depend on the model's input"
                if torch._C._functorch.is_batchedtensor(x):
                    unknown = "it is called inside torch.vmap, which hides an axis"
                where = follower.data.get(x, Channels(None, lost=unknown))
                caller = stack[-2][0] if len(stack) > 1 else ""
                seen = Call(tuple(x.shape), x.dtype, x.device, where, caller)
                flow.calls.setdefault(id(module), []).append(seen)
                flow.feeds.setdefault(id(module), set()).add(follower.given.get(x))

    def leave(module, args, output):
        stack.pop()
        if id(module) in watched:
            for tensor in tensors_in(output):
                follower.made[tensor] = id(module)
                follower.given[tensor] = (id(module), len(flow.calls.get(id(module), ())) - 1)
                follower.behind[tensor] = follower.behind.get(tensor, frozenset()) | {id(module)}

    with contextlib.ExitStack() as undo:
        for module in dict.fromkeys(model.modules()):
            undo.callback(module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True).remove)
            # Also after an error, so that the stack stays right where a model catches one.
            undo.callback(module.register_forward_hook(leave, always_call=True).remove)
        fused = torch.backends.mha.get_fastpath_enabled()
        undo.callback(torch.backends.mha.set_fastpath_enabled, fused)
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.set_grad_enabled(gradients), _Functions(stack, flow, follower.data, names), follower:
            output = call(model, example)
    flow.gates = follower.gates
    flow.outputs = {follower.given[one][0] for one in tensors_in(output) if one in follower.given}
    return flow


class _Functions(TorchFunctionMode):
    """Notes activations that are called as functions, with the line of the source that does it."""

    def __init__(self, stack, flow, data, names) -> None:
        super().__init__()
        self.stack, self.flow, self.data, self.names = stack, flow, data, names

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = FUNCTIONS.get(function) if inspect.isroutine(function) else None
        # A module without parts or parameters is itself an activation, which can be swapped by its class.
        if name is not None and self.stack and _holds_something(self.stack[-1][1]):
            where = _line(self.names)
            if where is not None:
                places = self.flow.functions.setdefault((name, where), [])
                if self.stack[-1][0] not in places:
                    places.append(self.stack[-1][0])
        output = function(*args, **(kwargs or {}))
        if function is functional.linear:
            # Whatever goes in, and also where the weight is computed: its rows are features.
            self.data[output] = Channels(frozenset({output.dim() - 1}), self.stack[-1][0] if self.stack else "", True)
        if function in _INSTANCE_NORMS and args and args[0] in self.data:
            # Computed as a batch norm of one sample, with samples and channels on one axis.
            old = self.data[args[0]]
            self.data[output] = old if old.axes is not None else Channels(frozenset({1}), self.stack[-1][0])
        if function in _MATMUL and all(isinstance(one, Tensor) for one in args[:2]):
            # As it was meant, since PyTorch folds batch and heads into one axis.
            if any(one in self.data for one in args[:2]):
                where = self.stack[-1][0] if self.stack else ""
                self.data[output] = operations.product(*args[:2], output, self.data, where)
        if function is Tensor.__setitem__ and args[2] in self.data and args[0] not in self.data:
            self.data[args[0]] = self.data[args[2]].without("it was filled part by part, in place")
        if function is torch._VF._pad_packed_sequence and args[0] in self.data:
            # PyTorch writes it into a new tensor, part by part.
            self.data[output[0]] = self.data[args[0]].on({output[0].dim() - 1})
        summed = _SUMMED.get(function) if inspect.isroutine(function) else None
        if summed is not None and args and args[0] in self.data and output in self.data:
            old, axis = self.data[args[0]], summed % args[0].dim()
            if old.axes is not None and axis not in old.axes and args[0].shape[axis] > 1 and args[1] not in self.data:
                self.data[output] = dataclasses.replace(self.data[output], across=old.source)
        return output


_INSTANCE_NORMS = (functional.instance_norm, torch.instance_norm)
#: The axis that a layer sums over, by what is called.
_MATMUL = (torch.matmul, Tensor.matmul, Tensor.__matmul__)
_SUMMED = dict.fromkeys((functional.linear, *_MATMUL), -1)
_SUMMED |= {getattr(torch, f"conv{transpose}{dim}d"): -1 - dim for dim in (1, 2, 3) for transpose in ("", "_transpose")}


def _holds_something(module: nn.Module) -> bool:
    return bool(module._modules or module._parameters)


#: Files of PyTorch whose calls are those of a module or of the machinery, not of a model.
_INNER = ("nn/modules/activation.py", "nn/functional.py", "nn/modules/module.py", "nn/modules/container.py")
_INNER = tuple(os.path.join("torch", *path.split("/")) for path in _INNER)
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def _line(registered: Mapping[int, str]) -> str | None:
    """File and line that called an activation; None if that is the forward pass of one of the model's modules."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        inner = file.endswith(_INNER[0]) or (file.startswith(_OURS) and not file.startswith(_OURS + "lab"))
        # A module that is made on the fly, or held in a list, is beyond a swap as a function is.
        if inner and id(frame.f_locals.get("self")) in registered:
            return None
        if not inner and not file.endswith(_INNER[1:]) and f"{os.sep}torch{os.sep}overrides.py" not in file:
            parts = file.split(os.sep)
            return f"{'/'.join(parts[-3:])}:{frame.f_lineno}"
        frame = frame.f_back
    return None


class _Follower(TorchDispatchMode):
    """Carries :class:`Channels` from the inputs of each operation to its outputs."""

    def __init__(self, stack, model) -> None:
        super().__init__()
        self.stack = stack
        # A tensor without an entry comes from parameters and constants alone.
        self.data: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        # Results of watched modules, and of which of them each tensor is a function.
        self.made: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.given: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.behind: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.gates: set[int] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        outputs = function(*args, **kwargs)
        inputs = [one for one in tensors_in((args, kwargs)) if one in self.data]
        space, name = operations.named(function)
        if not inputs:
            if operations.makes_channels(function):
                for output in tensors_in(outputs):
                    self.data[output] = operations.after(
                        function, args, kwargs, [output], output, self.data, self._where()
                    )
            return outputs
        if space == "aten" and name.rstrip("_") == "mul":
            operands = [one for one in args[:2] if isinstance(one, Tensor)]
            if len(operands) == 2 and all(one in self.data for one in operands):
                for one, other in (operands, operands[::-1]):
                    maker = self.made.get(one)
                    # What squeeze and excitation multiplies by its gate is behind the gate, and is none.
                    if maker is not None and maker not in self.behind.get(other, ()):
                        self.gates.add(maker)
        if operations.makes_constants(function) and self.data[inputs[0]].axes is None:
            return outputs
        behind = frozenset().union(*(self.behind.get(one, ()) for one in inputs))
        for output in tensors_in(outputs):
            self.behind[output] = behind
            if len(inputs) == 1 and inputs[0] in self.given and operations.passes_on(function):
                self.given[output] = self.given[inputs[0]]
            if name.endswith("_") and any(output is one for one in inputs):
                # What is changed in place is no longer what a module gave.
                self.made.pop(output, None)
                self.given.pop(output, None)
                if name in ("squeeze_", "resize_", "resize_as_", "as_strided_", "set_"):
                    self.data[output] = self.data[output].without(f"{name} in {self._where()}")
                if name not in ("transpose_", "swapaxes_", "t_", "unsqueeze_"):
                    continue
            self.data[output] = operations.after(function, args, kwargs, inputs, output, self.data, self._where())
        return outputs

    def _where(self) -> str:
        return self.stack[-1][0] if self.stack else "the model"
