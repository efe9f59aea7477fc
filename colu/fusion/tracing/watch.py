"""One forward pass of a network, operation by operation, with the channel that each entry belongs to beside it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from colu.nn import has_symmetry

from ..invariance import call
from .activations import activation
from .atoms import Atoms
from .labels import OUTPUTS, UNREAD, Labels
from .operations import ASKING, FACTORIES, Operations

__all__ = ["Followed", "follow"]


@dataclass
class Followed:
    """What a pass said: atoms, their demands, and for every parameter its names and the atoms of each axis."""

    atoms: Atoms
    operations: Operations
    entries: dict[str, list[Tensor]]
    names: dict[str, list[str]]
    unknown: list[str]
    #: Where the model asks for a number that depends on what it is given, by which it may go another way.
    asked: list[str]


@torch.no_grad()
def follow(model: nn.Module, example, ones: frozenset[str] = frozenset()) -> Followed:
    """Run a model in evaluation mode and collect what its operations demand of its channels; gains ``ones`` are one."""
    atoms = Atoms()
    operations = Operations(atoms, ones=ones)
    watch = _Watch(operations)
    names, entries = _name_parameters(model, atoms, watch)
    with ExitStack() as stack:
        stack.enter_context(_evaluating(model))
        stack.enter_context(_slow_attention())
        for name, module in model.named_modules():
            stack.enter_context(watch.inside(name, module))
        for tensor in tree_leaves(example):
            if isinstance(tensor, Tensor):
                watch.labels[tensor] = Labels([])
        stack.enter_context(watch)
        result = call(model, example)
    for tensor in tree_leaves(_plain(result)):
        if isinstance(tensor, Tensor) and (labels := watch.known(tensor)) is not None:
            for leg in (*labels.legs, *labels.order):
                atoms.fix(leg, OUTPUTS)
    for name, parts in entries.items():
        for part in parts if name not in watch.read else ():
            atoms.fix(part, UNREAD)
    return Followed(atoms, operations, entries, names, watch.unknown, watch.asked)


def _plain(result):
    """Outputs of libraries that wrap them, as a plain structure."""
    return dict(result) if hasattr(result, "to_tuple") else result


def _name_parameters(model, atoms, watch) -> tuple[dict, dict]:
    """Labels for every parameter and buffer with axes; one tensor under several names is one parameter."""
    names: dict[str, list[str]] = {}
    entries: dict[str, list[Tensor]] = {}
    first: dict[int, str] = {}
    tensors = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    for name in model.state_dict():
        tensor = tensors.get(name)
        if tensor is None or not tensor.dim():
            continue
        known = first.setdefault(id(tensor), name)
        names.setdefault(known, []).append(name)
        if known != name:
            continue
        parts, legs = [], []
        for axis, size in enumerate(tensor.shape):
            part = atoms.new(size)
            parts.append(part)
            legs.append(part.view(*(1,) * axis, -1, *(1,) * (tensor.dim() - axis - 1)).expand(tensor.shape))
        entries[name] = parts
        watch.parameters[tensor] = name
        if tensor.is_floating_point() and tensor.numel():
            watch.labels[tensor] = Labels(legs, name)
        else:
            for part in parts:
                atoms.fix(part, "a table of integers")
    return names, entries


class _Watch(TorchDispatchMode):
    """Labels the result of every operation; activations of known symmetry count as one."""

    def __init__(self, operations: Operations):
        super().__init__()
        self.operations, self.labels = operations, WeakIdKeyDictionary()
        self.path: list[str] = []
        self.unknown: list[str] = []
        self.asked: list[str] = []
        self.parameters, self.read = WeakIdKeyDictionary(), set()
        self.silent = 0

    def known(self, tensor) -> Labels | None:
        return self.labels.get(tensor) if isinstance(tensor, Tensor) else None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        # What is changed in place is looked at as it was.
        fresh = name.endswith("_") and args and isinstance(args[0], Tensor) and self.known(args[0]) is None
        seen = (args[0].clone(), *args[1:]) if fresh else args
        out = func(*args, **kwargs)
        args = seen
        for one in tree_leaves((args, kwargs)):
            if isinstance(one, Tensor) and (parameter := self.parameters.get(one)) is not None:
                self.read.add(parameter)
        if not self.silent and name not in FACTORIES:
            place = f"{name} in {self.path[-1] or 'the model'!r}" if self.path else str(func)
            before = len(self.operations.atoms.fixed)
            for one in tree_leaves((args, kwargs)):
                for leg in labels.order if (labels := self.known(one)) is not None else ():
                    self.operations.atoms.fix(leg, f"{place}, which reads the order of channels")
            if name in ASKING and any(self.known(one) is not None for one in args):
                self.asked.append(place)
            try:
                result = self.operations.apply(func, args, kwargs, out, self.known, place)
            except (IndexError, RuntimeError, TypeError, ValueError) as error:
                # A form of an operation that its rule does not know: what it touches stays, and is named.
                self.operations.refuse(args, kwargs, self.known, f"{place}: {error}")
                result = None
            if result is None and any(self.known(one) is not None for one in tree_leaves((args, kwargs))):
                # What comes from data, or from channels given up, is data.
                result = Labels([])
                if len(self.operations.atoms.fixed) > before:
                    self.unknown.append(place)
            self._write(out, result)
        return out

    def _write(self, out, result) -> None:
        outs = [out] if isinstance(out, Tensor) else list(out) if isinstance(out, tuple | list) else []
        results = result if isinstance(result, list) else [result] * len(outs)
        for tensor, labels in zip(outs, results, strict=True):
            if isinstance(tensor, Tensor):
                if labels is None:
                    self.labels.pop(tensor, None)
                else:
                    self.labels[tensor] = labels

    @contextmanager
    def inside(self, name: str, module: nn.Module):
        """Know which module runs, and take activations of known symmetry, and RMS norms, as one operation."""
        whole = has_symmetry(module) or "RMSNorm" in type(module).__name__

        def enter(module, args, kwargs):
            self.path.append(name)
            self.silent += whole

        def leave(module, args, kwargs, out):
            self.path.pop()
            self.silent -= whole
            if whole and not self.silent:
                x = args[0] if args else next(iter(kwargs.values()))
                self.silent += 1
                try:
                    result = self._whole(name, module, x, out)
                finally:
                    self.silent -= 1
                self._write(out, result)

        handles = [module.register_forward_pre_hook(enter, with_kwargs=True),
                   module.register_forward_hook(leave, with_kwargs=True)]  # fmt: skip
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _whole(self, name, module, x, out):
        labels = self.known(x)
        place = f"{name} ({type(module).__name__})"
        if not has_symmetry(module):
            # Some count from one: their gain is 1 + weight.
            return self.operations._norm(
                labels, 1, getattr(module, "weight", None), getattr(module, "bias", None), out, self.known, place,
                centre=False,
            )  # fmt: skip
        axis = getattr(module, "channel_dim", getattr(module, "dim", 1) if isinstance(module, nn.GLU) else 1)
        return activation(self, module, place, labels, x, out, axis % max(x.dim(), 1))


@contextmanager
def _evaluating(model: nn.Module):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _slow_attention():
    """Attention in separate steps, in place of kernels in one."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
