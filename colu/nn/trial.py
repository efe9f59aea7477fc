"""A swap that is tried, proved and taken back before it is made."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from . import proofs
from .flow import call, cloned, tensors_in
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


def prove_swap(model, example, found, new, swap, axes, forced, flow, report) -> None:
    """Prove what can be proved, or raise; the model is as it was afterwards."""
    before = {mode: proofs.run(model, example, mode) for mode in proofs.MODES}
    refused = {mode: one.error for mode, one in before.items() if one.error}
    modes = [mode for mode in before if mode not in refused]

    same = {id(module): _apart(module) for _, module in found}
    with swap.during(same) as swapped:
        differ = [mode for mode in modes if not proofs.equal(before[mode], proofs.run(swapped, example, mode))]
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
    stood = None if moved is None else proofs.samples_moved(model, example, moved)
    keys = set(model.state_dict())
    modules = list({id(one): one for one in new.values()}.values())
    names = {id(new[id(module)]): name for name, module in reversed(found)}
    old = list({id(module): module for _, module in found}.values())
    called_before = {}
    if "evaluation" in modes:
        with proofs.without_fused_paths():
            counts, _ = proofs.calls_of(model, example, old, "evaluation")
        called_before = {id(new[id(module)]): counts[id(module)] for module in old}
    inputs: dict[int, Tensor] = {}
    with swap.during() as swapped:
        if len(modes) < 2 or "evaluation" not in modes:
            report.unproved["paths"] = "the model does not run in evaluation"
        else:
            runs = {mode: proofs.calls_of(swapped, example, modules, mode) for mode in tuple(proofs.MODES)[1:]}
            (often, with_gradients), (bare, without) = runs.values()
            for module in modules:
                if often[id(module)] != bare[id(module)]:
                    raise ValueError(
                        f"{names[id(module)]!r} is called {often[id(module)]} times with gradients and "
                        f"{bare[id(module)]} times without: a fused path passes over it; nothing was changed"
                    )
                if called_before[id(module)] != often[id(module)]:
                    raise ValueError(
                        f"{names[id(module)]!r} is called {called_before[id(module)]} times by the model, and what "
                        f"comes in {often[id(module)]} times: the model holds the old module elsewhere too; nothing "
                        "was changed"
                    )
            idle = [names[id(one)] for one in modules if not often[id(one)]]
            distance = proofs.gap(with_gradients, without)
            stands = max(proofs.gap(before["evaluation"], proofs.run(model, example, one)) for one in modes[1:])
            if distance > proofs.rounding(without.outputs) >= stands:
                raise ValueError(
                    f"with and without gradients the swapped model differs by {distance:.1e}; nothing was changed"
                )
            for name in idle:
                report.unproved[name] = "this example never calls it"
            called = len(modules) - len(idle)
            report.proofs["paths"] = (
                f"{called} of {len(modules)} new modules are called, with and without gradients alike"
            )
            inputs = _inputs(swapped, example, modules)
        _prove_rows(modules, inputs, names, axes, forced, found, new, flow, report)
        now = None if moved is None else proofs.samples_moved(swapped, example, moved)
        came = set(swapped.state_dict())
    if moved is None:
        report.unproved["samples"] = why
    elif now is None or stood is None:
        report.unproved["samples"] = "the model does not return one result a sample"
    elif stood > 0:
        report.unproved["samples"] = "the model itself lets samples see each other, or has them on another axis"
    elif now > 0:
        raise ValueError(f"another sample moves the others by {now:.1e} of the largest entry; nothing was changed")
    else:
        report.proofs["samples"] = "another first sample moves no other sample"
    gone, came = keys - came, came - keys
    changed = f", but for {len(gone)} that went and {len(came)} that came with parameters" if gone or came else ""
    report.proofs["keys"] = f"{len(keys - gone)} keys of the state dict stay{changed}"


def _apart(module: nn.Module) -> nn.Module:
    """A copy that leaves its input as it is, as what comes in does."""
    copied = copy.deepcopy(module)
    for one in copied.modules():
        if getattr(one, "inplace", False):
            one.inplace = False
    return copied


def _refuse_in_place(model, example, found, swap, before, mode) -> None:
    """Name the activations that change their input for somebody else who reads it."""
    read = []
    kept = {id(module): module for _, module in found}
    for name, module in found:
        if any(getattr(one, "inplace", False) for one in module.modules()):
            with swap.during(kept | {id(module): _apart(module)}) as swapped:
                if not proofs.equal(before[mode], proofs.run(swapped, example, mode)):
                    read.append(name)
    if read:
        raise ValueError(
            f"{', '.join(map(repr, read))} changes its input in place, and the model reads that input afterwards, so a "
            "swap would change more than the activation; set inplace=False there and see that the model is the one "
            f"you mean, or use keep={read!r}; nothing was changed"
        )


def _inputs(model, example, modules) -> dict[int, Tensor]:
    """What each module meets first, in evaluation."""
    inputs: dict[int, Tensor] = {}

    def note(module, args, kwargs):
        if id(module) not in inputs:
            inputs[id(module)] = next(tensors_in((args, kwargs))).clone()

    with contextlib.ExitStack() as undo:
        undo.enter_context(proofs.as_it_was(model))
        undo.enter_context(torch.no_grad())
        for module in modules:
            undo.callback(module.register_forward_pre_hook(note, with_kwargs=True).remove)
        call(model.eval(), cloned(example))
    return inputs


@torch.no_grad()
def _prove_rows(modules, inputs, names, axes, forced, found, new, flow, report) -> None:
    origin = {id(new[id(module)]): flow.calls.get(id(module), []) for _, module in found}
    rows = mixing = 0
    for module in modules:
        x = inputs.get(id(module))
        if x is None or not x.is_floating_point() or not x.isfinite().all():
            continue
        name = names[id(module)]
        axis = axes.get(name)
        # Where the channels are unknown, each entry is a row: what is pointwise needs no axis.
        positions = [one for one in range(x.dim()) if axis is None or one != axis % x.dim()]
        training = [one.training for one in module.modules()]
        inner = module.maps if isinstance(module, OnMaps) and x.dim() > 2 else module
        moved = proofs.rows_moved(inner.eval(), x, positions)
        # Tokens must not meet in an activation; pixels may, where it is made for that.
        tokens = x.dim() < 4 and axis is not None and axis % x.dim() == x.dim() - 1
        pixels = axis is not None and not tokens and not origin[id(module)][-1].channels.last and name not in forced
        mixes = bool(moved) and pixels and not proofs.rows_moved(inner, x, [0])
        for one, mode in zip(module.modules(), training, strict=True):
            one.training = mode
        if not moved or mixes:
            rows += moved == 0
            mixing += mixes
            continue
        raise ValueError(
            f"{module!r} at {name!r} moves {moved} other rows of its input {tuple(x.shape)} when one row is another, "
            "so positions or samples would see each other"
            + (", or its channels, whose axis is not known" if axis is None else "")
            + "; give channel_dim=... or another activation; nothing was changed"
        )
    if rows:
        report.proofs["rows"] = f"another row moves no other row in {rows} new modules"
    else:
        seen = "no activation was called on more than one row of finite entries"
        report.unproved["rows"] = "what comes in mixes positions" if mixing else seen
    if mixing:
        report.warnings.append(f"{mixing} new modules mix neighbouring positions of an image, by design")
