"""What is proved of a swap on an example, and a model left as it was found."""

import contextlib
import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor, nn

from .flow import call, cloned, tensors_in

__all__ = []

#: A mode that a model is run in: whether in training, and with gradients or not.
MODES = {
    "training": (True, torch.enable_grad),
    "evaluation": (False, torch.enable_grad),
    "evaluation without gradients": (False, torch.no_grad),
}


@contextlib.contextmanager
def as_it_was(model: nn.Module) -> Iterator[None]:
    """Give buffers, modes, gradients and random states back as they were, whatever happens in between.

    The parameters are for :func:`parameters_as_they_were`, since copying them takes as much memory again.
    """
    modules = list(model.modules())
    modes = [module.training for module in modules]
    kept = [(module, name, value, None if value is None else value.clone())
            for module in modules for name, value in module._buffers.items()]  # fmt: skip
    gradients = [(p, p.grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    devices = sorted({tensor.device.index or 0 for tensor in model.parameters() if tensor.is_cuda})
    python, arrays = random.getstate(), numpy.random.get_state()
    own = [give_back for module in modules for value in vars(module).values() if (give_back := _random_state(value))]
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(arrays)
            for give_back in own:
                give_back()
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            names = {(module, name) for module, name, _, _ in kept}
            for module in modules:
                for name in [name for name in module._buffers if (module, name) not in names]:
                    del module._buffers[name]
            for module, name, value, copied in kept:
                module._buffers[name] = value
                _put_back(value, copied)
            for parameter, value, copied in gradients:
                parameter.grad = value
                _put_back(value, copied)


@contextlib.contextmanager
def parameters_as_they_were(model: nn.Module) -> Iterator[None]:
    """Give parameters back that a model changes in its forward pass, such as weights that it normalises."""
    kept = [(p, p.data, p.detach().to("cpu", copy=True)) for p in model.parameters() if not p.is_meta]
    try:
        yield
    finally:
        for parameter, value, copied in kept:
            parameter.data = value
            _put_back(value, copied.to(value.device))


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


@torch.no_grad()
def _put_back(value: Tensor | None, copied: Tensor | None) -> None:
    # Most are untouched, and some can't be written to, such as an expanded one.
    if value is not None and not value.is_meta and not torch.equal(value.nan_to_num(), copied.nan_to_num()):
        value.copy_(copied)


@dataclass
class Run:
    """The result of one run: the tensors that came out, or why there are none."""

    outputs: list[Tensor]
    error: str = ""


def run(model: nn.Module, example, mode: str) -> Run:
    """Run a model in one of :data:`MODES`, always with the same random numbers, and leave it as it was."""
    training, gradients = MODES[mode]
    with as_it_was(model), gradients(), without_fused_paths():
        torch.manual_seed(0)
        random.seed(0)
        model.train(training)
        try:
            return Run([one.detach().clone() for one in tensors_in(call(model, cloned(example)))])
        except Exception as error:
            return Run([], (str(error).strip() or type(error).__name__).splitlines()[0])


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
        one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
        for one, other in zip(first.outputs, second.outputs, strict=True)
    )


def gap(first: Run, second: Run) -> float:
    """The largest difference of two runs in units of the largest entry, over all outputs."""
    worst = 0.0
    for one, other in zip(first.outputs, second.outputs, strict=True):
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

    def change(value):
        nonlocal changed
        if isinstance(value, Tensor):
            if value.dim() and value.shape[0] == count and value.dtype != torch.bool:
                new = value.clone()
                # Another order of its own entries: token numbers stay in the vocabulary.
                new[0] = value[1].flatten().flip(0).view_as(value[0])
                if value.is_floating_point():
                    new[0] += 1
                changed |= not torch.equal(new, value)
                return new
            return value
        if isinstance(value, Mapping):
            return {key: change(one) for key, one in value.items()}
        return type(value)(map(change, value)) if type(value) in (list, tuple) else value

    moved = change(example)
    return (moved, "") if changed else (None, "the samples of the example are alike")


def samples_moved(model: nn.Module, example, moved) -> float | None:
    """How far the other samples move when the first one is another; None where the model does not run."""
    before, after = (run(model, one, "evaluation without gradients") for one in (example, moved))
    if before.error or after.error or len(before.outputs) != len(after.outputs):
        return None
    count = next(one for one in tensors_in(example) if one.dim()).shape[0]
    pairs = [(a, b) for a, b in zip(before.outputs, after.outputs, strict=True)
             if a.shape == b.shape and a.dim() and a.shape[0] == count]  # fmt: skip
    return gap(Run([a[1:] for a, _ in pairs]), Run([b[1:] for _, b in pairs])) if pairs else None


def rows_moved(module: Callable[[Tensor], Tensor], x: Tensor, axes: Iterable[int]) -> int | None:
    """How many other rows an activation moves when one row is another; ``axes`` number the rows.

    All axes but that of the channels for one position of one sample, the first for samples, all for single entries.
    None where there is but one row.
    """
    axes = tuple(axes)
    others = tuple(axis for axis in range(x.dim()) if axis not in axes)
    if all(x.shape[axis] == 1 for axis in axes) or not x.numel():
        return None
    moved = 0
    before = module(x)
    # A kernel may take another order of its sums next to a large entry.
    scale = max(float(before.detach().abs().nan_to_num(posinf=0.0).max()), float(x.abs().nan_to_num(posinf=0.0).max()))
    step = 1 + scale
    for end, push in itertools.product((0, -1), (step, -step)):
        place = tuple(end if axis in axes else slice(None) for axis in range(x.dim()))
        other = x.clone()
        other[place] += push
        differs = (module(other) - before).abs().nan_to_num() > rounding([before]) * step
        differs[place] = False
        moved = max(moved, int(differs.any(others).sum() if others else differs.sum()))
    return moved


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


def calls_of(model: nn.Module, example, modules: list[nn.Module], mode: str) -> tuple[dict[int, int], Run]:
    """How often each module is called in a mode, by its ``id``, on all paths that PyTorch itself would take."""
    training, gradients = MODES[mode]
    with as_it_was(model), gradients(), counted(modules) as counts:
        torch.manual_seed(0)
        model.train(training)
        outputs = [one.detach().clone() for one in tensors_in(call(model, cloned(example)))]
        return dict(counts), Run(outputs)


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
