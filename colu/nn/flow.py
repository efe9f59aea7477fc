"""Which axis of a tensor holds the channels: followed through one forward pass, operation by operation.

A layer decides it (a linear map makes channels on the last axis, a convolution on axis 1); what comes after moves,
splits or keeps them. Operations are seen as PyTorch runs them (ATen), so that it does not matter how a model spells
them, and nothing is traced or read.
"""

import contextlib
import dataclasses
import inspect
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = []

_NAMES = (
    "relu relu_ relu6 leaky_relu leaky_relu_ silu gelu elu elu_ selu selu_ celu celu_ mish softplus softsign tanh "
    "tanh_ sigmoid sigmoid_ hardswish hardsigmoid hardtanh hardtanh_ prelu rrelu glu logsigmoid threshold"
).split()
#: Activations that PyTorch has as functions or methods, by what is called.
FUNCTIONS = {
    getattr(source, name): name for source in (functional, torch, Tensor) for name in _NAMES if hasattr(source, name)
}


@dataclass(frozen=True)
class Channels:
    """Where the channels of a tensor are.

    ``axes`` holds more than one while the channels are split into heads, and is None where they were lost; ``source``
    is the layer that made them, ``last`` whether it counts their axis from the end, ``lost`` what mixed them up, and
    ``across`` the layer whose channels lay on another axis when ``source`` made these of what was no channels.
    """

    axes: frozenset[int] | None
    source: str = ""
    last: bool = False
    lost: str = ""
    across: str = ""

    def on(self, axes) -> "Channels":
        return dataclasses.replace(self, axes=frozenset(axes), lost="")

    def without(self, why: str) -> "Channels":
        return dataclasses.replace(self, axes=None, lost=self.lost or why)


@dataclass
class Call:
    """One call of a module that is watched: what went in, and where its channels were."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    channels: Channels


@dataclass
class Flow:
    """What one forward pass showed.

    ``calls`` has the calls of each watched module, by its ``id``, and ``feeds`` the id of the watched module whose
    result it was given, by way of views, dropout and pooling at most; ``gates`` the ids of those whose result
    multiplies another signal, ``outputs`` of those whose result the model returns; ``functions`` the modules in which
    an activation was called as a function, by what was called and where.
    """

    calls: dict[int, list[Call]] = field(default_factory=dict)
    feeds: dict[int, set[int | None]] = field(default_factory=dict)
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


def cloned(value):
    """An example whose tensors are its own, since a model may write into what it is given."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, Mapping):
        return {key: cloned(one) for key, one in value.items()}
    return type(value)(map(cloned, value)) if type(value) in (list, tuple) else value


def call(model: nn.Module, example):
    """The model on an example: a tensor, a tuple of arguments, or a mapping of arguments by name."""
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, (tuple, list)) else model(example)


def follow(model: nn.Module, example, watched: Mapping[int, nn.Module], *, gradients: bool = False) -> Flow:
    """Run the model once, in the mode it is in, and note where channels go."""
    flow, stack = Flow(), []
    names = {id(module): name or type(model).__name__ for name, module in reversed(list(model.named_modules()))}
    follower = _Follower(stack, model)
    example = cloned(example)
    for tensor in tensors_in(example):
        follower.data[tensor] = Channels(None, lost="it comes from the model's input, and no layer was met")

    def enter(module, args, kwargs):
        stack.append((names[id(module)], module))
        if id(module) in watched:
            x = next(tensors_in((args, kwargs)), None)
            if x is not None:
                unknown = "it does not depend on the model's input"
                if torch._C._functorch.is_batchedtensor(x):
                    unknown = "it is called inside torch.vmap, which hides an axis"
                where = follower.data.get(x, Channels(None, lost=unknown))
                seen = Call(tuple(x.shape), x.dtype, x.device, where)
                flow.calls.setdefault(id(module), []).append(seen)
                flow.feeds.setdefault(id(module), set()).add(follower.given.get(x))

    def leave(module, args, output):
        stack.pop()
        if id(module) in watched:
            for tensor in tensors_in(output):
                follower.made[tensor] = follower.given[tensor] = id(module)
                follower.behind[tensor] = follower.behind.get(tensor, frozenset()) | {id(module)}

    with contextlib.ExitStack() as undo:
        for module in dict.fromkeys(model.modules()):
            undo.callback(module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True).remove)
            # Also after an error, so that the stack stays right where a model catches one.
            undo.callback(module.register_forward_hook(leave, always_call=True).remove)
        fused = torch.backends.mha.get_fastpath_enabled()
        undo.callback(torch.backends.mha.set_fastpath_enabled, fused)
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.set_grad_enabled(gradients), _Functions(stack, flow, follower.data), follower:
            output = call(model, example)
    flow.gates = follower.gates
    flow.outputs = {follower.given[one] for one in tensors_in(output) if one in follower.given}
    return flow


class _Functions(TorchFunctionMode):
    """Notes activations that are called as functions, with the line of the source that does it."""

    def __init__(self, stack, flow, data) -> None:
        super().__init__()
        self.stack, self.flow, self.data = stack, flow, data

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = FUNCTIONS.get(function) if inspect.isroutine(function) else None
        # A module without parts or parameters is itself an activation, which can be swapped by its class.
        if name is not None and self.stack and _holds_something(self.stack[-1][1]):
            where = _line()
            if where is not None:
                places = self.flow.functions.setdefault((name, where), [])
                if self.stack[-1][0] not in places:
                    places.append(self.stack[-1][0])
        output = function(*args, **(kwargs or {}))
        if function in _INSTANCE_NORMS and args and args[0] in self.data:
            # Computed as a batch norm of one sample, with samples and channels on one axis.
            old = self.data[args[0]]
            self.data[output] = old if old.axes is not None else Channels(frozenset({1}), self.stack[-1][0])
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
_SUMMED = {functional.linear: -1, torch.matmul: -1, Tensor.matmul: -1, Tensor.__matmul__: -1}
_SUMMED |= {getattr(torch, f"conv{transpose}{dim}d"): -1 - dim for dim in (1, 2, 3) for transpose in ("", "_transpose")}


def _holds_something(module: nn.Module) -> bool:
    return bool(module._modules or module._parameters)


#: Files of PyTorch whose calls are those of a module or of the machinery, not of a model.
_INNER = tuple(os.path.join("torch", *path) for path in (("nn", "modules", "activation.py"), ("nn", "functional.py")))
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def _line() -> str | None:
    """File and line that called an activation; None if that is the forward pass of an activation module."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.endswith(_INNER[0]) or (file.startswith(_OURS) and not file.startswith(_OURS + "lab")):
            return None
        if not file.endswith(_INNER[1]) and f"{os.sep}torch{os.sep}overrides.py" not in file:
            parts = file.split(os.sep)
            return f"{'/'.join(parts[-3:])}:{frame.f_lineno}"
        frame = frame.f_back
    return None


# Operations by the name that ATen gives them.
_PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "_int_mm": (0, 1), "dot": (0, 1)}
_PRODUCTS |= {"mv": (0, 1), "addmv": (1, 2), "addbmm": (1, 2), "linear": (0, 1), "matmul": (0, 1)}
_CONVOLUTIONS = (
    "convolution _convolution convolution_overrideable mkldnn_convolution cudnn_convolution miopen_convolution "
    "cudnn_convolution_transpose miopen_convolution_transpose miopen_depthwise_convolution _conv_depthwise2d "
    "conv_depthwise3d slow_conv3d thnn_conv2d slow_conv_transpose2d slow_conv_transpose3d _slow_conv2d_forward "
    "mps_convolution cudnn_convolution_relu"
).split()
_LAST = ("embedding", "_embedding_bag", "_embedding_bag_forward_only", "_trilinear", "bilinear")
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "mkldnn_rnn_layer")
_VIEWS = ("view", "_unsafe_view", "reshape", "_reshape_copy", "view_copy", "flatten", "unflatten", "_reshape_alias")
_POOLS = (
    "max_pool1d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d adaptive_max_pool1d max_pool2d "
    "constant_pad_nd pad reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d "
    "upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact2d _upsample_bilinear2d_aa "
    "slice split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk narrow "
    "roll flip cat pixel_shuffle pixel_unshuffle channel_shuffle "
    "native_channel_shuffle index_select grid_sampler_2d unfold im2col expand repeat native_dropout"
).split()
_MOVES = "permute transpose t unsqueeze squeeze clone detach alias _to_copy contiguous native_dropout".split()
_REDUCTIONS = "mean sum amax amin max min prod var std logsumexp norm linalg_vector_norm any all argmax".split()


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
        if not inputs:
            return outputs
        space, _, name = function._schema.name.partition("::")
        name = name.removesuffix("_copy") if name != "view_copy" else name
        if space == "aten" and name.rstrip("_") == "mul":
            operands = [one for one in args[:2] if isinstance(one, Tensor)]
            if len(operands) == 2 and all(one in self.data for one in operands):
                for one, other in (operands, operands[::-1]):
                    maker = self.made.get(one)
                    # What squeeze and excitation multiplies by its gate is behind the gate, and is none.
                    if maker is not None and maker not in self.behind.get(other, ()):
                        self.gates.add(maker)
        behind = frozenset().union(*(self.behind.get(one, ()) for one in inputs))
        for output in tensors_in(outputs):
            self.behind[output] = behind
            if len(inputs) == 1 and inputs[0] in self.given and (name in _VIEWS or name in _POOLS or name in _MOVES):
                self.given[output] = self.given[inputs[0]]
            if name.endswith("_") and any(output is one for one in inputs):
                # What is changed in place is no longer what a module gave.
                self.made.pop(output, None)
                self.given.pop(output, None)
                if name in ("transpose_", "swapaxes_", "t_", "unsqueeze_"):
                    name = name.removesuffix("_")
                elif name in ("squeeze_", "resize_", "resize_as_", "as_strided_", "set_"):
                    self.data[output] = self.data[output].without(f"{name} in {self._where()}")
                    continue
                else:
                    continue
            self.data[output] = self._after(
                space, name, args, kwargs, inputs, output, torch.Tag.pointwise in function.tags
            )
        return outputs

    def _where(self) -> str:
        return self.stack[-1][0] if self.stack else "the model"

    def _after(self, space, name, args, kwargs, inputs, output, pointwise) -> Channels:
        one = inputs[0]
        old = self.data[one]
        lost = old.without(f"{space}::{name} in {self._where()} is not followed")
        if space != "aten":
            return lost
        if name in _PRODUCTS:
            return self._product(*(args[place] for place in _PRODUCTS[name]), output)
        if name in _CONVOLUTIONS:
            return Channels(frozenset({1}), self._where())
        if name in ("rot90", "index", "conv_tbc"):
            return lost
        if name in _LAST or name in _RECURRENT:
            return Channels(frozenset({max(output.dim() - 1, 0)}), self._where(), last=True)
        if name == "_pack_padded_sequence" and old.axes == {one.dim() - 1} and output.is_floating_point():
            # It has its time and its samples on one axis.
            return old.on({output.dim() - 1})
        if name in ("native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit", "batch_norm",
                    "_native_batch_norm_legit_no_training", "native_group_norm"):  # fmt: skip
            if output.dim() != one.dim():
                return lost
            # Some normalise positions: that makes no channels of them.
            return old if old.axes == {1} or 1 not in (old.axes or {1}) else Channels(frozenset({1}), self._where())
        if name == "native_layer_norm":
            if old.axes is None and len(args[1]) == 1 and output.shape == one.shape:
                return Channels(frozenset({one.dim() - 1}), self._where(), last=True)
            return old if output.shape == one.shape else lost
        if name.startswith("_scaled_dot_product") or name == "scaled_dot_product_attention":
            value = args[2]
            return self.data.get(value, lost) if output.dim() == value.dim() else lost
        if pointwise or name in ("where", "masked_fill", "lerp"):
            return self._broadcast(inputs, output)
        if old.axes is None:
            known = [self.data[x] for x in inputs if self.data[x].axes is not None and x.dim() == output.dim()]
            if name == "cat" and known:
                return known[0]
            return old
        if name in _VIEWS:
            return _viewed(old, tuple(one.shape), tuple(output.shape), lambda: f"a view in {self._where()}")
        if name == "permute":
            return old.on(place for place, axis in enumerate(args[1]) if axis % one.dim() in old.axes)
        if name in ("transpose", "swapaxes", "t", "numpy_T", "mT"):
            first, second = (args[1], args[2]) if name in ("transpose", "swapaxes") else (one.dim() - 2, one.dim() - 1)
            swap = {first % one.dim(): second % one.dim(), second % one.dim(): first % one.dim()}
            return old.on(swap.get(axis, axis) for axis in old.axes)
        if name in ("unsqueeze", "stack"):
            place = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % output.dim()
            return old.on(axis + (axis >= place) for axis in old.axes)
        if name in ("squeeze", "select", "unbind", "diagonal") or (name in _REDUCTIONS and output.dim() < one.dim()):
            gone = _removed(name, args, kwargs, one, output)
            if gone is None or old.axes & gone:
                return old.without(f"{name} in {self._where()} took the axis of the channels away")
            return old.on(axis - sum(other < axis for other in gone) for axis in old.axes)
        if name == "expand" or name == "repeat":
            return old.on(axis + output.dim() - one.dim() for axis in old.axes)
        if output.dim() == one.dim() and (name in _POOLS or name in _REDUCTIONS):
            return old
        # Whatever keeps the shape keeps the meaning of its axes: those that do not are above.
        return old if output.shape == one.shape else lost

    def _product(self, first, second, output) -> Channels:
        """Rows of the first factor by columns of the second; weights make new channels on their side."""
        last = output.dim() - 1
        if second not in self.data:
            return Channels(frozenset({last}), self._where(), last=True)
        # Weights from the left, such as a mean over tokens, leave channels where they are unless they sum over them.
        old = self.data[second]
        if old.axes is not None and second.dim() - 1 in old.axes:
            return old.on({last})
        if first not in self.data:
            return Channels(frozenset({max(last - 1, 0)}), self._where())
        return old.without(f"a product of two signals in {self._where()}")

    def _broadcast(self, inputs, output) -> Channels:
        known = {}
        for one in inputs:
            old = self.data[one]
            if old.axes is not None:
                moved = old.on(axis + output.dim() - one.dim() for axis in old.axes)
                known.setdefault(moved.axes, moved)
        if len(known) == 1:
            return next(iter(known.values()))
        if known:
            return self.data[inputs[0]].without(f"signals with channels on different axes meet in {self._where()}")
        return self.data[inputs[0]]


def _removed(name, args, kwargs, one, output) -> set[int] | None:
    """The axes that an operation takes away; None if that is all of them or not known."""
    given = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("ord"))
    if name == "linalg_vector_norm":
        given = args[2] if len(args) > 2 else kwargs.get("dim")
    if name == "norm":
        given = args[2] if len(args) > 2 else kwargs.get("dim")
    if name == "unbind" and given is None:
        given = 0
    if name == "squeeze":
        axes = range(one.dim()) if given is None else [given] if isinstance(given, int) else given
        return {axis % one.dim() for axis in axes if one.shape[axis] == 1}
    if given is None or name == "diagonal":
        return None
    axes = {axis % one.dim() for axis in ([given] if isinstance(given, int) else given)}
    return axes if one.dim() - len(axes) == output.dim() else None


def _viewed(old: Channels, before, after, who) -> Channels:
    """Where the channels are when the same entries are read in another shape."""
    # Axes of length one carry nothing, wherever they stand.
    left = [(axis, size) for axis, size in enumerate(before) if size != 1]
    right = [(axis, size) for axis, size in enumerate(after) if size != 1]
    axes: set[int] = set()
    while left and right:
        mine, theirs = [left.pop(0)], [right.pop(0)]
        while math.prod(s for _, s in mine) != math.prod(s for _, s in theirs):
            take, group = (
                (left, mine) if math.prod(s for _, s in mine) < math.prod(s for _, s in theirs) else (right, theirs)
            )
            if not take:
                return old.without(who())
            group.append(take.pop(0))
        held = [axis in old.axes for axis, _ in mine]
        if any(held):
            if not all(held):
                return old.without(f"{who()} merged channels with other axes")
            axes |= {axis for axis, _ in theirs}
    return old.on(axes) if axes else old.without(f"{who()} left a single channel")
