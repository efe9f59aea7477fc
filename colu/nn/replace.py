"""Swap the activations of any model, and say what was and was not seen."""

import ast
import copy
import fnmatch
import inspect
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from .registry import create, get_entry

__all__ = ["ReplacementReport", "replace_activations"]

_NAMES = (
    "relu relu_ relu6 leaky_relu leaky_relu_ silu gelu elu elu_ selu selu_ celu celu_ mish softplus softsign tanh "
    "tanh_ sigmoid sigmoid_ hardswish hardsigmoid hardtanh hardtanh_ prelu rrelu glu logsigmoid threshold"
).split()
_FUNCTIONS = {getattr(source, name): name for source in (functional, torch) for name in _NAMES if hasattr(source, name)}


@dataclass
class ReplacementReport:
    """What :func:`replace_activations` did.

    Attributes
    ----------
    model : Module
        The model, changed in place; a new module only where the model itself was an activation.
    changed : list of (str, str, str)
        Name, old module and new module, as text.
    kept : list of str
        Matching modules left alone because of ``keep``.
    functional_calls : list of str
        Activations called as functions or methods, which no module swap can reach.
    reused : list of str
        Replaced modules that the traced model calls more than once.
    missing_keys, added_keys : list of str
        Keys that left or joined the state dict, from activations with parameters; all others are as before.
    warnings : list of str
        What could not be looked into.
    """

    model: nn.Module
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    functional_calls: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    missing_keys: list[str] = field(default_factory=list)
    added_keys: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"replaced {len(self.changed)}, kept {len(self.kept)}"]
        lines += [f"  {name or '(model)'}: {old} -> {new}" for name, old, new in self.changed]
        for title in ("kept", "reused", "missing_keys", "added_keys", "warnings"):
            lines += [f"{title.replace('_', ' ')}: {item}" for item in getattr(self, title)]
        lines += [f"warning: not replaced, a function call: {call}" for call in self.functional_calls]
        return "\n".join(lines)


def replace_activations(
    model: nn.Module,
    which: str | type | tuple[type, ...] | Callable[[str, nn.Module], bool],
    by: str | nn.Module | Callable[..., nn.Module],
    *,
    keep: Iterable[str | type] = (),
    example_input: Tensor | None = None,
    **options,
) -> ReplacementReport:
    """Replace activations in place.

    Parameters
    ----------
    model : Module
        Any model; changed in place.
    which : type, tuple of types, str or callable
        What to replace: classes, a registered name, or a predicate of a module's name and itself.
    by : str, callable or Module
        A registered name, a factory without arguments (a class), or a module to copy to each place.
    keep : iterable of str or type
        Submodules to leave alone with all below them: names, patterns such as ``"*time_embed*"``, or classes.
    example_input : Tensor, optional
        Run through the model once to learn the channels of each activation.
        Without it they are guessed from the layer registered before; needed only for activations with
        parameters a channel.
    **options
        For the constructor, if ``by`` is a name or a class.

    Returns
    -------
    ReplacementReport
        What changed, what was kept, and what a module swap cannot reach.

    Raises
    ------
    ValueError
        An unknown name, nothing usable as ``which`` or ``by``, or channels that cannot be told.

    Notes
    -----
    Function calls such as ``F.relu`` are found by ``torch.fx``; where the model cannot be traced, by reading the
    source of its ``forward`` methods.
    Names of modules and so the keys of the state dict stay as they are.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    >>> print(replace_activations(net, nn.ReLU, "colu", keep=["3"]))
    replaced 1, kept 1
      1: ReLU() -> CoLU(dim=4)
    kept: 3
    """
    matches = _predicate(which)
    keep = [keep] if isinstance(keep, (str, type)) else list(keep)
    keys = set(model.state_dict())
    report = ReplacementReport(model)
    _look_for_calls(model, report)
    calls = report.reused
    report.reused = []

    # Aliases of one module are listed under each of their names, and all get the same replacement.
    named = list(model.named_modules(remove_duplicate=False))
    found = [(name, module) for name, module in named if matches(name, module)]
    kept = {name for name, _ in found if _is_kept(model, name, keep)}
    found = [(name, module) for name, module in found if name not in kept and not _below(name, found)]
    report.kept = sorted(kept)
    channels = _channels(model, named, found, example_input) if _wants_channels(by) else {}
    new: dict[int, nn.Module] = {}
    for name, module in found:
        if id(module) not in new:
            new[id(module)] = _make(by, options, name, channels.get(name)).train(module.training)
        replacement = new[id(module)]
        report.changed.append((name, repr(module), repr(replacement)))
        if name in calls:
            report.reused.append(name)
        if name == "":
            report.model = replacement
        else:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, replacement)
    after = set(report.model.state_dict())
    report.missing_keys, report.added_keys = sorted(keys - after), sorted(after - keys)
    return report


def _predicate(which) -> Callable[[str, nn.Module], bool]:
    if isinstance(which, str):
        made = get_entry(which)
        source = getattr(made.factory, "func", made.factory)
        which = source if isinstance(source, type) else type(made.factory())
        # What refines a class of torch's stands for that class too.
        which = next((one for one in which.__mro__ if one.__module__ == "torch.nn.modules.activation"), which)
    if isinstance(which, type) or (isinstance(which, tuple) and all(isinstance(one, type) for one in which)):
        return lambda name, module: isinstance(module, which)
    if callable(which):
        return which
    raise ValueError(f"which={which!r} selects nothing; use a class, a tuple of them, a registered name or a predicate")


def _is_kept(model, name, keep) -> bool:
    path = name.split(".") if name else []
    prefixes = [".".join(path[: i + 1]) for i in range(len(path))]
    for rule in keep:
        if isinstance(rule, str):
            if any(fnmatch.fnmatchcase(prefix, rule) for prefix in prefixes):
                return True
        elif any(isinstance(model.get_submodule(prefix), rule) for prefix in ["", *prefixes]):
            return True
    return False


def _below(name, found) -> bool:
    return any(name.startswith(f"{other}." if other else "") and name != other for other, _ in found)


def _wants_channels(by) -> bool:
    return isinstance(by, str) and get_entry(by).needs_channels


def _make(by, options, name, channels) -> nn.Module:
    if isinstance(by, str):
        made = create(by, channels, **options)
    elif isinstance(by, nn.Module):
        made = copy.deepcopy(by)
    elif callable(by):
        made = by(**options)
    else:
        made = by
    if not isinstance(made, nn.Module):
        raise ValueError(f"by={by!r} makes {type(made).__name__}, not a Module; use a name, a class or a module")
    return made


def _channels(model, named, found, example_input) -> dict[str, int]:
    """Channels of each activation, seen in a forward pass or guessed from the layer before."""
    if example_input is not None:
        return _channels_seen(model, found, example_input)
    sizes, last = {}, None
    wanted = {name for name, _ in found}
    for name, module in named:
        if name in wanted:
            if last is None:
                raise ValueError(f"the channels of activation {name!r} cannot be told; give example_input=...")
            sizes[name] = last
        for attribute in ("out_features", "out_channels", "num_features", "num_channels"):
            last = getattr(module, attribute, None) or last
    return sizes


@torch.no_grad()
def _channels_seen(model, found, example_input):
    seen: dict[int, set[int]] = {}
    hooks = [
        module.register_forward_pre_hook(lambda m, args: seen.setdefault(id(m), set()).add(args[0].shape[1]))
        for module in dict.fromkeys(module for _, module in found)
    ]
    training = {module: module.training for module in model.modules()}
    try:
        model.eval()(example_input)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in training.items():
            module.training = mode
    for name, module in found:
        if len(seen.get(id(module), ())) != 1:
            sizes = sorted(seen.get(id(module), ()))
            raise ValueError(f"activation {name!r} is used with channels {sizes}; wanted exactly one; use keep=...")
    return {name: min(seen[id(module)]) for name, module in found}


class _Tracer(fx.Tracer):
    """Looks into everything but layers of torch and activations of ours."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return type(module).__module__.startswith("colu.nn.") or super().is_leaf_module(module, name)


def _look_for_calls(model, report) -> None:
    """Fill in function calls and modules called more than once (all of them, in ``report.reused``)."""
    try:
        graph = _Tracer().trace(model)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        report.warnings.append(f"torch.fx cannot trace the model ({reason}); its source was read instead")
        report.functional_calls = sorted(set(_calls_in_source(model)))
    else:
        times: dict[str, int] = {}
        for node in graph.nodes:
            if node.op == "call_module":
                times[node.target] = times.get(node.target, 0) + 1
            where = _place(node)
            if node.op == "call_function" and node.target in _FUNCTIONS:
                report.functional_calls.append(f"{_FUNCTIONS[node.target]} in {where}")
            elif node.op == "call_method" and node.target in _NAMES:
                report.functional_calls.append(f".{node.target}() in {where}")
        report.reused = [name for name, count in times.items() if count > 1]
    # Layers such as nn.TransformerEncoderLayer hold the function as an attribute.
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if inspect.isroutine(value) and value in _FUNCTIONS:
                report.functional_calls.append(f"{_FUNCTIONS[value]} held as {name or '(model)'}.{attribute}")


def _place(node) -> str:
    stack = node.meta.get("nn_module_stack")
    return (next(reversed(stack.values()))[0] if stack else "") or "(model)"


def _calls_in_source(model):
    for name, module in model.named_modules():
        if type(module).__module__.startswith("torch.nn"):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(type(module).forward)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in _NAMES:
                # self.relu(x) calls a module.
                if not (isinstance(called.value, ast.Name) and called.value.id == "self"):
                    yield f"{called.attr} in {name or '(model)'}"
            elif isinstance(called, ast.Name) and called.id in _NAMES:
                yield f"{called.id} in {name or '(model)'}"
