"""A swap that is tried, proved and taken back before it is made."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from . import proofs
from .flow import tensors_in
from .wrappers import OnMaps

__all__ = []


class Swap:
    """Puts modules in their places, and takes them out again."""

    def __init__(self, model, found, new) -> None:
        self.root, self.model, self.found, self.new = model, model, found, new
        self.undo: list[Callable[[], None]] = []
        self.switched_off: list[str] = []

    def do(self, new: Mapping[int, nn.Module] | None = None) -> None:
        """Put ``new`` in, or what the swap is for."""
        new = self.new if new is None else new
        try:
            self._do(new)
        except Exception:
            self.take_back()
            raise

    def _do(self, new: Mapping[int, nn.Module]) -> None:
        self.undo, self.switched_off, self.root = [], [], self.model
        for name, module in self.found:
            if name == "":
                self.root = new[id(module)]
                continue
            parent, _, child = name.rpartition(".")
            holder = self.model.get_submodule(parent)
            self._set(holder, child, new[id(module)])
            if (
                isinstance(holder, nn.TransformerEncoderLayer)
                and child == "activation"
                and holder.activation_relu_or_gelu
            ):
                self._set(holder, "activation_relu_or_gelu", 0)
                self.switched_off.append(
                    f"the fused inference path of {parent or '(model)'}, which skips its activation"
                )
        changed = {name.rpartition(".")[0] for name, _ in self.found}
        for name, module in self.model.named_modules():
            inside = any(one == name or one.startswith(f"{name}." if name else "") for one in changed)
            if isinstance(module, nn.TransformerEncoder) and inside and getattr(module, "use_nested_tensor", False):
                self._set(module, "use_nested_tensor", False)
                self.switched_off.append(f"the nested tensors of {name or '(model)'}, which only the fused path takes")

    def _set(self, holder, child, value) -> None:
        before = getattr(holder, child)
        self.undo.append(lambda: setattr(holder, child, before))
        setattr(holder, child, value)

    def take_back(self) -> None:
        for step in reversed(self.undo):
            step()
        self.undo, self.root = [], self.model

    @contextlib.contextmanager
    def during(self, new: Mapping[int, nn.Module] | None = None) -> Iterator[nn.Module]:
        """The swap for a while."""
        self.do(new)
        try:
            yield self.root
        finally:
            self.take_back()


def prove_swap(model, example, found, new, swap, axes, forced, kept, flow, report) -> None:
    """Prove what can be proved, or raise; the model is as it was afterwards."""
    old = {id(module): module for _, module in found}
    names = {id(module): name for name, module in reversed(found)}
    before = {mode: proofs.run(model, example, mode, counting=old.values()) for mode in proofs.MODES}
    refused = {mode: one.error for mode, one in before.items() if one.error}
    modes = [mode for mode in before if mode not in refused]

    # With copies, since what comes in may send a model another way: to another expert, or to an earlier end.
    same, differ = {}, []
    try:
        same = {key: proofs.apart(module) for key, module in old.items()}
    except Exception as error:
        report.unproved["identity"] = f"an old module cannot be copied: {error}"
    if same:
        with swap.during(same) as swapped:
            counting = [*old.values(), *same.values()]
            again = {mode: proofs.run(swapped, example, mode, counting=counting) for mode in modes}
        for mode in modes:
            _refuse_held(old, same, before[mode].calls, again[mode].calls, kept, names, mode)
        differ = [mode for mode in modes if not proofs.equal(before[mode], again[mode])]
    if not any(bool(tensor.isfinite().any()) for one in before.values() for tensor in one.outputs):
        report.unproved["identity"] = "the model returns no tensor with finite entries that could be compared"
    if differ:
        _refuse_in_place(model, example, found, swap, before, differ[0])
    for mode in differ:
        if proofs.equal(before[mode], proofs.run(model, example, mode)):
            raise ValueError(f"a swap by copies of the same modules changes the result in {mode}; nothing was changed")
        report.unproved["identity"] = f"two runs of the model itself differ in {mode}"
    if not differ and "identity" not in report.unproved:
        where = f" in {' and '.join(modes)}" if refused else ""
        report.proofs["identity"] = f"a swap by copies of the old modules changes no bit{where}"
    for mode, error in refused.items():
        report.unproved[f"identity in {mode}"] = f"the model itself refuses the example there: {error}"

    moved, why = proofs.other_sample(example)
    evaluations = [mode for mode in modes if mode != "training"]
    stood = {}
    if moved is not None:
        looked = [mode for mode in modes if mode in ("training", *evaluations[-1:])]
        stood = {mode: proofs.samples_moved(model, example, moved, mode, before[mode]) for mode in looked}
    keys = set(model.state_dict())
    modules = list({id(one): one for one in new.values()}.values())
    names = {id(new[key]): name for key, name in names.items()}
    inputs: dict[int, list[Tensor]] = {}
    with swap.during() as swapped, _noted(modules, inputs):
        after = {mode: proofs.run(swapped, example, mode, counting=old.values()) for mode in reversed(modes)}
    for mode, one in after.items():
        if one.error:
            raise ValueError(f"with what comes in, the model fails in {mode}: {one.error}; nothing was changed")
        # What comes in may hold the old module itself, for the vector that tells the time.
        meant = kept | {id(part) for module in modules for part in module.modules()}
        held = next((key for key in old if one.calls[key] and key not in meant), None)
        if held is not None:
            raise ValueError(
                f"{old[held]!r} is still called in {mode} after the swap: the model holds it elsewhere too; nothing "
                "was changed"
            )
    if any(getattr(one, "inplace", False) for module in modules for one in module.modules()):
        _refuse_inplace_newcomers(model, example, new, swap, after)
    with swap.during() as swapped:
        if len(evaluations) < 2:
            missing = [mode for mode in proofs.MODES if mode not in modes]
            report.unproved["paths"] = f"the model does not run in {' and '.join(missing)}"
        else:
            runs = [proofs.run(swapped, example, mode, counting=modules, fused=True) for mode in evaluations]
            for one in runs:
                if one.error:
                    raise ValueError(f"on PyTorch's own paths the model then fails: {one.error}; nothing was changed")
            often, bare = (one.calls for one in runs)
            for module in modules:
                if often[id(module)] != bare[id(module)]:
                    raise ValueError(
                        f"{names[id(module)]!r} is called {often[id(module)]} times with gradients and "
                        f"{bare[id(module)]} times without: a fused path passes over it; nothing was changed"
                    )
            idle = [names[id(one)] for one in modules if not often[id(one)]]
            distance = proofs.gap(*runs)
            stands = proofs.gap(*(before[mode] for mode in evaluations))
            if distance > proofs.rounding(runs[1].outputs) >= stands:
                raise ValueError(
                    f"with and without gradients the swapped model differs by {distance:.1e}; nothing was changed"
                )
            for name in idle:
                report.unproved[name] = "this example never calls it"
            called = len(modules) - len(idle)
            report.proofs["paths"] = (
                f"{called} of {len(modules)} new modules are called, with and without gradients alike"
            )
        _prove_rows(modules, inputs, names, axes, forced, found, new, flow, report)
        now = {mode: proofs.samples_moved(swapped, example, moved, mode, after[mode]) for mode in stood}
        came = set(swapped.state_dict())
    if moved is None:
        report.unproved["samples"] = why
    elif not evaluations or None in (now[evaluations[-1]], stood[evaluations[-1]]):
        report.unproved["samples"] = "the model does not return one result a sample"
    elif stood[evaluations[-1]] > 0:
        report.unproved["samples"] = "the model itself lets samples see each other, or has them on another axis"
    elif now[evaluations[-1]] > 0:
        raise ValueError(
            f"another sample moves the others by {now[evaluations[-1]]:.1e} of the largest entry; nothing was changed"
        )
    else:
        report.proofs["samples"] = "another first sample moves no other sample in evaluation"
    if stood.get("training") == 0 and now.get("training"):
        report.warnings.append("in training, samples now see each other by way of what came in, as in a batch norm")
    gone, came = keys - came, came - keys
    changed = f", but for {len(gone)} that went and {len(came)} that came with parameters" if gone or came else ""
    report.proofs["keys"] = f"{len(keys - gone)} keys of the state dict stay{changed}"


def _refuse_in_place(model, example, found, swap, before, mode) -> None:
    """Name the activations that change their input for somebody else who reads it."""
    read = []
    kept = {id(module): module for _, module in found}
    for name, module in found:
        if any(getattr(one, "inplace", False) for one in module.modules()):
            with swap.during(kept | {id(module): proofs.apart(module)}) as swapped:
                if not proofs.equal(before[mode], proofs.run(swapped, example, mode)):
                    read.append(name)
    if read:
        raise ValueError(
            f"{', '.join(map(repr, read))} changes its input in place, and the model reads that input afterwards, so a "
            "swap would change more than the activation; set inplace=False there and see that the model is the one "
            f"you mean, or use keep={read!r}; nothing was changed"
        )


@contextlib.contextmanager
def _noted(modules, inputs: dict[int, list[Tensor]]) -> Iterator[None]:
    """Note what each module meets, one input of each shape."""

    def note(module, args, kwargs):
        known, x = inputs.setdefault(id(module), []), next(tensors_in((args, kwargs)))
        if not torch._C._functorch.is_batchedtensor(x) and all(one.shape != x.shape for one in known):
            known.append(x.detach().clone())

    with contextlib.ExitStack() as undo:
        for module in modules:
            undo.callback(module.register_forward_pre_hook(note, with_kwargs=True).remove)
        yield


def _refuse_held(old, same, times, again, kept, names, mode) -> None:
    """Refuse modules that the model calls elsewhere than where copies were put."""
    for key, module in old.items():
        copies = again[id(same[key])]
        if again[key] + copies != times[key] or (again[key] and key not in kept):
            raise ValueError(
                f"{names[key]!r} is called {times[key]} times by the model in {mode}, and a copy in its place "
                f"{copies} times: the model holds {module!r} elsewhere too; nothing was changed"
            )


def _refuse_inplace_newcomers(model, example, new, swap, after) -> None:
    """Refuse what changes its input in place where the model, or a derivative, reads that input afterwards."""
    with swap.during({key: proofs.apart(module) for key, module in new.items()}) as swapped:
        equal = all(proofs.equal(one, proofs.run(swapped, example, mode)) for mode, one in after.items())
    with swap.during() as swapped:
        trains = "training" not in after or not proofs.run(swapped, example, "training", backward=True).error
    if not equal or not trains:
        raise ValueError(
            "what comes in changes its input in place, and the model reads that input afterwards, or the derivative "
            "of the layer before does; leave out inplace=True; nothing was changed"
        )


@torch.no_grad()
def _prove_rows(modules, inputs, names, axes, forced, found, new, flow, report) -> None:
    origin = {id(new[id(module)]): flow.calls.get(id(module), []) for _, module in found}
    rows: set[int] = set()
    mixing: set[int] = set()
    for module, x in [(one, x) for one in modules for x in inputs.get(id(one), [])]:
        if not x.is_floating_point() or not x.isfinite().all():
            continue
        name = names[id(module)]
        axis = axes.get(name)
        # Where the channels are unknown, each entry is a row: what is pointwise needs no axis.
        positions = [one for one in range(x.dim()) if axis is None or one != axis % x.dim()]
        try:
            inner = proofs.with_other_parameters(module.maps if isinstance(module, OnMaps) and x.dim() > 2 else module)
            inner.eval()
            if x.dtype in (torch.bfloat16, torch.float16):
                # Their rounding would hide a mean over many rows.
                x, inner = x.float(), inner.float()
            moved = proofs.rows_moved(inner, x, positions)
        except Exception as error:
            report.unproved[f"rows of {name}"] = f"{module!r} fails on other rows or parameters: {error}"
            continue
        # Tokens must not meet in an activation; pixels may, where it is made for that.
        tokens = x.dim() < 4 and axis is not None and axis % x.dim() == x.dim() - 1
        pixels = axis is not None and not tokens and not origin[id(module)][-1].channels.last and name not in forced
        mixes = bool(moved) and pixels and not proofs.rows_moved(inner, x, [0])
        if not moved or mixes:
            if moved is not None:
                (mixing if mixes else rows).add(id(module))
            continue
        raise ValueError(
            f"{module!r} at {name!r} moves {moved} other rows of its input {tuple(x.shape)} when one row is another, "
            "so positions or samples would see each other"
            + (", or its channels, whose axis is not known" if axis is None else "")
            + "; give channel_dim=... or another activation; nothing was changed"
        )
    if rows - mixing:
        report.proofs["rows"] = f"another row moves no other row in {len(rows - mixing)} new modules"
    else:
        seen = "no activation was called on more than one row of finite entries"
        report.unproved["rows"] = "what comes in mixes positions" if mixing else seen
    if mixing:
        report.warnings.append(f"{len(mixing)} new modules let the positions of a sample see each other, by design")
