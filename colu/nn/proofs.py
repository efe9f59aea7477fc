"""What is proved of a swap on an example, and a model left as it was found."""

import contextlib
import copy
import functools
import itertools
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy
import torch
from torch import Tensor, nn

from .flow import call, cloned, mapped, tensors_in

__all__ = []

#: A mode that a model is run in: whether in training, and with gradients or not.
MODES = {
    "training": (True, torch.enable_grad),
    "evaluation": (False, torch.enable_grad),
    "evaluation without gradients": (False, torch.no_grad),
}


#: What a module holds its parts, its hooks and what it has seen in.
_HELD = (list, dict, set, OrderedDict)


@contextlib.contextmanager
def as_it_was(model: nn.Module) -> Iterator[None]:
    """Give parameters, buffers, modes, gradients and random states back as they were, whatever happens in between."""
    modules = list(model.modules())
    held = [(own, dict(own)) for module in modules for own in map(vars, [module])]
    held += [(own, own.copy()) for one, _ in held for own in one.values() if type(own) in _HELD]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    tensors = [*model.parameters(), *model.buffers(), *(gradient for _, gradient in gradients if gradient is not None)]
    kept = [(tensor, tensor.data, tensor.detach().clone()) for tensor in tensors if not tensor.is_meta]
    devices = sorted({tensor.device.index or 0 for tensor in model.parameters() if tensor.is_cuda})
    python, arrays = random.getstate(), numpy.random.get_state()
    own = [give_back for module in modules for value in vars(module).values() if (give_back := _random_state(value))]
    training = model.training
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(arrays)
            for give_back in own:
                give_back()
            # By the model's own method first: some layers change their weights with their mode.
            model.train(training)
            for own, before in held:
                own.clear()
                own.extend(before) if isinstance(own, list) else own.update(before)
            for parameter, gradient in gradients:
                parameter.grad = gradient
            for tensor, data, copied in kept:
                _put_back(tensor, data, copied)


@torch.no_grad()
def _put_back(tensor: Tensor, data: Tensor, copied: Tensor) -> None:
    if tensor.layout is torch.strided and (tensor.data_ptr(), tensor.shape) != (data.data_ptr(), data.shape):
        tensor.data = data
    # Most are untouched, and some can't be written to, such as an expanded one.
    if not _same_bits(tensor, copied):
        tensor.copy_(copied)


def _same_bits(one: Tensor, other: Tensor) -> bool:
    if one.is_quantized:
        return torch.equal(one.int_repr(), other.int_repr())
    if one.layout is not torch.strided:
        one, other = one.to_dense(), other.to_dense()
    plain = (tensor.detach().resolve_conj().resolve_neg().reshape(-1).contiguous() for tensor in (one, other))
    return torch.equal(*(tensor.view(torch.uint8) for tensor in plain))


def _random_state(value) -> Callable[[], None] | None:
    """What gives the state of a random generator back; None for anything else."""
    if isinstance(value, torch.Generator):
        return functools.partial(value.set_state, value.get_state())
    if isinstance(value, numpy.random.Generator):
        return functools.partial(setattr, value.bit_generator, "state", value.bit_generator.state)
    if isinstance(value, (random.Random, numpy.random.RandomState)):
        get, give = ("getstate", "setstate") if isinstance(value, random.Random) else ("get_state", "set_state")
        return functools.partial(getattr(value, give), getattr(value, get)())
    return None


@dataclass
class Run:
    """The result of one run: the tensors that came out, or why there are none, and how often modules were called."""

    outputs: list[Tensor]
    error: str = ""
    calls: dict[int, int] = field(default_factory=dict)


def run(
    model: nn.Module,
    example,
    mode: str,
    *,
    counting: Iterable[nn.Module] = (),
    fused: bool = False,
    backward: bool = False,
) -> Run:
    """Run a model in one of :data:`MODES`, always with the same random numbers, and leave it as it was.

    ``counting`` are modules whose calls are counted, by their ``id``; with ``fused`` on the paths that PyTorch itself
    would take, and else layer by layer.
    """
    training, gradients = MODES[mode]
    paths = contextlib.nullcontext() if fused else without_fused_paths()
    with as_it_was(model), gradients(), paths, counted(list(counting)) as counts:
        _seed(model)
        model.train(training)
        try:
            outputs = list(tensors_in(call(model, cloned(example))))
            if backward:
                sum(one.sum() for one in outputs if one.requires_grad).backward()
        except Exception as error:
            return Run([], (str(error).strip() or type(error).__name__).splitlines()[0])
        return Run([one.detach().clone() for one in outputs], calls=dict(counts))


def _seed(model: nn.Module) -> None:
    """The same random numbers each time, of the devices that the model is on alone: only these are given back."""
    torch.default_generator.manual_seed(0)
    for index in {tensor.device.index or 0 for tensor in model.parameters() if tensor.is_cuda}:
        torch.cuda.default_generators[index].manual_seed(0)
    random.seed(0)
    numpy.random.seed(0)


@contextlib.contextmanager
def without_fused_paths():
    """Layer by layer, where PyTorch has a fused inference path that skips modules: its rounding is another one."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def equal(first: Run, second: Run) -> bool:
    """Whether two runs gave the same bits; NaN equals NaN."""
    return len(first.outputs) == len(second.outputs) and all(
        one.shape == other.shape and one.dtype == other.dtype and _same_bits(one, other)
        for one, other in zip(first.outputs, second.outputs, strict=True)
    )


def gap(first: Run, second: Run) -> float:
    """The largest difference of two runs in units of the largest entry, over all outputs."""
    worst = 0.0 if len(first.outputs) == len(second.outputs) else float("inf")
    for one, other in zip(first.outputs, second.outputs, strict=False):
        if one.shape != other.shape:
            return float("inf")
        if one.numel() and one.is_floating_point():
            scale = max(float(one.abs().nan_to_num().max()), torch.finfo(one.dtype).tiny)
            worst = max(worst, float((one - other).abs().nan_to_num().max()) / scale)
    return worst


def rounding(outputs: list[Tensor]) -> float:
    """What two orders of the same sums may differ by, in units of the largest entry."""
    return max([min(0.1, 4096 * torch.finfo(one.dtype).eps) for one in outputs if one.is_floating_point()], default=0.0)


def other_sample(example) -> tuple[object, str]:
    """The example with another first sample, and why there is none."""
    found = list(tensors_in(example))
    first = next((one for one in found if one.dim()), None)
    if first is None or first.shape[0] < 2:
        return None, "the example has one sample"
    if not all(bool(one.isfinite().all()) for one in found):
        return None, "the example is not finite, and nothing could be seen"
    count, changed = first.shape[0], False

    def change(value: Tensor) -> Tensor:
        nonlocal changed
        if not value.dim() or value.shape[0] != count or value.dtype == torch.bool:
            return value
        new = value.clone()
        # Another order of its own entries: token numbers stay in the vocabulary.
        new[0] = value[1].flatten().flip(0).view_as(value[0])
        if value.is_floating_point():
            new[0] += 1
        changed |= not torch.equal(new, value)
        return new

    moved = mapped(change, example)
    return (moved, "") if changed else (None, "the samples of the example are alike")


def samples_moved(model: nn.Module, example, moved, mode: str, before: Run) -> float | None:
    """How far the other samples move from a run when the first one is another; None where the model does not run."""
    after = run(model, moved, mode)
    if before.error or after.error or len(before.outputs) != len(after.outputs):
        return None
    count = next(one for one in tensors_in(example) if one.dim()).shape[0]
    pairs = [(a, b) for a, b in zip(before.outputs, after.outputs, strict=True)
             if a.shape == b.shape and a.dim() and a.shape[0] == count]  # fmt: skip
    return gap(Run([a[1:] for a, _ in pairs]), Run([b[1:] for _, b in pairs])) if pairs else None


def rows_moved(module: nn.Module, x: Tensor, axes: Iterable[int]) -> int | None:
    """How many other rows an activation moves when one row is another; ``axes`` number the rows.

    All axes but that of the channels for one position of one sample, the first for samples, all for single entries.
    None where there is but one row.
    """
    axes = tuple(axes)
    others = tuple(axis for axis in range(x.dim()) if axis not in axes)
    if all(x.shape[axis] == 1 for axis in axes) or not x.numel():
        return None

    def result(x: Tensor) -> Tensor:
        with as_it_was(module):
            _seed(module)
            return module(x)

    moved, before = 0, result(x)
    if not before.isfinite().any():
        raise ValueError("nothing that comes out is finite")
    largest = [float(one.detach().abs().nan_to_num(posinf=0.0).max()) for one in (x, before)]
    # A kernel may take another order of its sums next to a large entry; a mean over all rows moves more than that.
    rows = math.prod(x.shape[axis] for axis in axes)
    step, allowed = max(64, rows) * (1 + max(largest)), 64 * torch.finfo(before.dtype).eps * (1 + largest[1])
    generator = torch.Generator().manual_seed(0)
    for end, sign, alike in itertools.product((0, -1), (step, -step), (True, False)):
        place = tuple(end if axis in axes else slice(None) for axis in range(x.dim()))
        other = x.clone()
        direction = torch.ones(other[place].shape)
        # What weighs the channels may cancel where all are moved alike.
        other[place] += sign * (direction if alike else direction.normal_(generator=generator)).to(x)
        differs = ~((result(other) - before).abs() <= allowed) & before.isfinite()
        differs[place] = False
        moved = max(moved, int(differs.any(others).sum() if others else differs.sum()))
    return moved


def apart(module: nn.Module) -> nn.Module:
    """A copy that leaves its input as it is, as what comes in does."""
    copied = copy.deepcopy(module)
    for one in copied.modules():
        if getattr(one, "inplace", False):
            one.inplace = False
    return copied


@torch.no_grad()
def with_other_parameters(module: nn.Module) -> nn.Module:
    """A copy in which no parameter is where it started: one that is zero may hide what it is for."""
    copied, generator = apart(module), torch.Generator().manual_seed(0)
    for parameter in copied.parameters():
        if parameter.is_floating_point():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator).to(parameter)
    return copied


@contextlib.contextmanager
def counted(modules: list[nn.Module]) -> Iterator[dict[int, int]]:
    """Count calls without hooks, since PyTorch leaves its fused paths where a module has some."""
    counts = dict.fromkeys(map(id, modules), 0)

    def counting(module):
        forward = module.forward

        def count(*args, **kwargs):
            counts[id(module)] += 1
            return forward(*args, **kwargs)

        return count

    own = {module: module.__dict__.get("forward") for module in modules}
    for module in own:
        module.__dict__["forward"] = counting(module)
    try:
        yield counts
    finally:
        for module, forward in own.items():
            del module.__dict__["forward"]
            if forward is not None:
                module.__dict__["forward"] = forward


def refuse_lazy(model: nn.Module) -> None:
    """Refuse parameters that get their shape in the first run."""
    for name, parameter in model.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"{name!r} has no shape yet; run the model once first")


def made_example(model) -> Tensor | None:
    """Something that the model takes, from its first layer; None if nothing does."""
    parameter = next((p for p in model.parameters()), torch.zeros(()))
    if not parameter.is_floating_point():
        return None
    for shape, high in _sizes(model):
        if parameter.is_meta:
            example = torch.zeros(shape, device="meta", dtype=torch.long if high else parameter.dtype)
        else:
            generator = torch.Generator().manual_seed(0)
            example = (
                torch.randint(high, shape, generator=generator) if high else torch.randn(shape, generator=generator)
            )
            example = example.to(parameter.device, None if high else parameter.dtype)
        if not run(model, example, "evaluation without gradients").error:
            return example
    return None


def _sizes(model) -> Iterator[tuple[tuple[int, ...], int]]:
    """Shapes to try, and for token numbers the size of the vocabulary."""
    for module in model.modules():
        match module:
            case nn.Embedding():
                yield (2, 8), module.num_embeddings
                return
            case nn.Linear():
                yield from (((2, module.in_features), 0), ((2, 3, module.in_features), 0))
                return
            case nn.MultiheadAttention():
                yield (2, 3, module.embed_dim), 0
                return
            case nn.modules.conv._ConvNd():
                axes = len(module.kernel_size)
                yield from (((2, module.in_channels, *[size] * axes), 0) for size in (32, 64, 224))
                return
            case nn.modules.batchnorm._BatchNorm():
                axes = {nn.BatchNorm1d: 0, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}.get(type(module), 0)
                yield (2, module.num_features, *[32] * axes), 0
                return
            case nn.LayerNorm():
                yield (2, 3, *module.normalized_shape), 0
                return
