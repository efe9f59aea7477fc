"""Swap the activations of any model: channels are known and not guessed, and what is said of the swap is proved."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from colu.checks import check_choice, check_int

from . import proofs
from .fitting import Maker, Place
from .flow import Flow, follow, tensors_in
from .registry import symmetry_of
from .selection import POLICIES, USUAL, Selection, activations_of, predicate
from .trial import Swap, prove_swap
from .wrappers import OnMaps

__all__ = ["ReplacementReport", "replace_activations"]


@dataclass
class ReplacementReport:
    """What :func:`replace_activations` did, and what of it is proved.

    Attributes
    ----------
    model : Module
        The model, changed in place; a new module only where the model itself was an activation.
    changed : list of (str, str, str)
        Name, old module and new module, as text.
    kept : dict of str to str
        Matching modules that were left alone, with the reason.
    places : dict of str to Place
        Axis, number and maker of the channels of each changed module, where the forward pass showed them.
    proofs : dict of str to str
        What was proved on the example, by name: ``"identity"``, ``"rows"``, ``"samples"``, ``"paths"``, ``"keys"``.
    unproved : dict of str to str
        Which of them could not be tried, with the reason.
    functional_calls : list of str
        Activations that the model calls as functions, with the line of the source; no module swap can reach them.
    shared : list of str
        Changed modules that are called in several places: with parameters, these are then shared.
    switched_off : list of str
        Fused paths of PyTorch that would have passed over the new modules.
    missing_keys, added_keys : list of str
        Keys that left or joined the state dict, from activations with parameters; all others are as before.
    warnings : list of str
        What asks for attention.
    """

    model: nn.Module
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)
    unproved: dict[str, str] = field(default_factory=dict)
    functional_calls: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    switched_off: list[str] = field(default_factory=list)
    missing_keys: list[str] = field(default_factory=list)
    added_keys: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"replaced {len(self.changed)}, kept {len(self.kept)}"]
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, old, new in self.changed:
            alike.setdefault((old, new), []).append(name)
        lines += [f"  {_some(names)}: {old} -> {new}" for (old, new), names in alike.items()]
        alike = {}
        for name, why in self.kept.items():
            alike.setdefault((why,), []).append(name)
        lines += [f"kept: {_some(names)}, {why}" for (why,), names in alike.items()]
        lines += [f"proved: {name}, {what}" for name, what in self.proofs.items()]
        lines += [f"not proved: {name}, {why}" for name, why in self.unproved.items()]
        for title in ("shared", "switched_off", "missing_keys", "added_keys"):
            lines += [f"{title.replace('_', ' ')}: {item}" for item in getattr(self, title)]
        lines += [f"not replaced, a function call: {item}" for item in self.functional_calls]
        lines += [f"warning: {item}" for item in self.warnings]
        return "\n".join(lines)


def replace_activations(
    model: nn.Module,
    which: str | type | tuple[type, ...] | Callable[[str, nn.Module], bool],
    by: str | nn.Module | Callable[..., nn.Module],
    *,
    keep: Iterable[str | type] = (),
    only: Iterable[str | type] | None = None,
    policies: Iterable[str] = USUAL,
    channel_dim: int | Mapping[str, int] | None = None,
    remainder: str = "refuse",
    example_input: Tensor | tuple | Mapping | None = None,
    prove: bool = True,
    **options,
) -> ReplacementReport:
    """Replace activations in place, each with the channels of the layer that feeds it, and prove the swap.

    Parameters
    ----------
    model : Module
        Any model; changed in place, and not at all where something is refused.
    which : type, tuple of types, str or callable
        What to replace: classes, a registered name, or a predicate of a module's name and itself.
    by : str, callable or Module
        A registered name, a factory (a class), or a module to copy to each place.
        ``channel_dim`` and ``num_channels`` are given to names and classes that take them.
    keep : iterable of str or type
        Submodules to leave alone with all below them: names, patterns such as ``"*.se.*"``, or classes.
    only : iterable of str or type, optional
        Replace below these alone; as ``keep``.
    policies : iterable of str
        Kinds of activations to leave alone: ``"squeeze-excitation"``, ``"time-embedding"``, ``"output"`` (Sigmoid,
        Softmax and the like, whose result the model returns), all three by default, and ``"gate"`` (the result
        multiplies another signal). ``()`` for none.
    channel_dim : int or mapping of str to int, optional
        Axis of the channels, for all or by pattern of the module's name, where it cannot be known from the model.
    remainder : {"refuse", "pass"}
        Channels that do not fill whole cones: refuse them, or pass them on unchanged.
    example_input : Tensor, tuple or mapping, optional
        What the model takes: one tensor, its arguments, or its arguments by name. It runs through the model to follow
        channels, and to prove the swap. Without one, sizes are made from the model's first layer where that will do.
    prove : bool
        Whether to prove the swap, which takes about twenty forward passes.
    **options
        For the constructor, if ``by`` is a name or a class.

    Returns
    -------
    ReplacementReport
        What changed, what was kept and why, what is proved, and what a module swap cannot reach.

    Raises
    ------
    ValueError
        An unknown name, nothing usable as ``which`` or ``by``, an example that the model refuses, a compiled or
        quantised model, channels that cannot be known or do not fit, or a proof that fails; the model is as it was.

    Notes
    -----
    Channels are followed through one forward pass: a linear map makes them on the last axis, a convolution on axis 1;
    norms, elementwise operations, attention, views and permutations pass them on.

    What is proved, on the example: the same swap with copies of the *old* modules is bitwise equal in training and in
    evaluation, with and without gradients (``identity``); an activation that meets another row moves no other row
    (``rows``: a row is one position of one sample with all its channels); another sample moves no sample that it did
    not move before (``samples``); the new modules are called with and without gradients, and both give the same result
    (``paths``); all keys of the state dict stay (``keys``). Parameters, buffers, modes, gradients, hooks and random
    states are given back as they were, but for the random numbers that new parameters start from; hooks of other
    modules run in each of these passes.

    Names of modules stay, and so do the keys of the state dict.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    >>> report = replace_activations(net, nn.ReLU, "colu", keep=["3"])
    >>> report.changed, report.kept
    ([('1', 'ReLU()', 'CoLU(dim=4, channel_dim=-1)')], {'3': 'asked for by keep'})
    >>> report.places["1"]
    Place(channel_dim=-1, num_channels=8, source='0')
    >>> sorted(report.proofs)
    ['identity', 'keys', 'paths', 'rows', 'samples']
    """
    _refuse(model)
    check_choice("remainder", remainder, ("refuse", "pass"))
    policies = [policies] if isinstance(policies, str) else list(policies or ())
    for policy in policies:
        check_choice("policies", policy, tuple(POLICIES))
    for axis in [channel_dim] if not isinstance(channel_dim, Mapping) else channel_dim.values():
        if axis is not None:
            check_int("channel_dim", axis, -64)
    selected = Selection(model, predicate(which), keep, only, policies)
    maker = Maker(by, options, channel_dim, remainder)
    report = ReplacementReport(model)
    found, report.kept = selected.found, selected.kept

    trial = example_input is None
    example = proofs.made_example(model) if trial else example_input
    flow = Flow()
    if example is not None:
        watched = {id(module): module for _, module in found}
        try:
            with proofs.as_it_was(model):
                flow = follow(model.eval(), example, watched)
                _add_training(flow, model, example, watched)
        except Exception as error:
            if not trial:
                raise ValueError(_misfit(example, error)) from error
            example = None
    found = selected.by_use(flow, found)
    report.functional_calls = [
        f"{name} at {where}"
        + (f", in {len(places)} modules ({places[0]}, ...)" if len(places) > 1 else f" in {places[0]}")
        for (name, where), places in flow.functions.items()
    ]
    if not found:
        if not report.kept:
            report.warnings.append(f"nothing matches {which!r}; activations of the model: {activations_of(model)}")
        return report

    for name, _ in found:
        parent, _, child = name.rpartition(".")
        if child and child in vars(model.get_submodule(parent)):
            raise ValueError(
                f"{name!r} is hidden by an attribute of the same name, which is what the model calls (copies of "
                f"nn.TransformerDecoderLayer have one); set it anew, or use keep=[{name!r}]; nothing was changed"
            )
    new: dict[int, nn.Module] = {}
    kept = {id(model.get_submodule(name)) for name in report.kept}
    for name, module in found:
        calls = flow.calls.get(id(module), [])
        if id(module) in kept:
            # Shared with what is kept: the calls of these places alone.
            holders = {other.rpartition(".")[0] or type(model).__name__ for other, one in found if one is module}
            calls = [one for one in calls if one.caller in holders] or calls
        if id(module) not in new:
            if any(getattr(module, kind) for kind in _HOOKS):
                raise ValueError(
                    f"{name!r} has hooks, which a swap would lose; remove them first, or use keep=[{name!r}]"
                )
            split = selected.splits(calls)
            maps = [one for one in calls if len(one.shape) > 2] if split else calls
            fresh = maker.make(name, module, maps, example is not None, model)
            if split:
                fresh = OnMaps(fresh, module)
                report.kept[f"{name}.vectors"] = f"policy time-embedding: {POLICIES['time-embedding']}"
            new[id(module)] = fresh.train(module.training)
        report.changed.append((name, repr(module), repr(new[id(module)])))
        if name in maker.places:
            report.places[name] = maker.places[name]
    for name, module in found:
        made, calls = new[id(module)], flow.calls.get(id(module), []) if id(module) not in kept else []
        several = len(calls) > 1 or sum(other is module for _, other in found) > 1
        # Without parameters nothing is shared, but widths that differ may be of interest.
        if several and (list(made.parameters()) or len({call.shape for call in calls}) > 1):
            report.shared.append(f"{name}, {len(calls)} calls")
        place = report.places.get(name)
        if place is None:
            continue
        known = symmetry_of(made, place.num_channels) if place.num_channels else None
        if known is not None and known.kind == "linear" and by != "identity":
            report.warnings.append(f"{made!r} at {name!r} is the identity, and the model is linear there")
    across = [name for name, module in found for one in flow.calls.get(id(module), ())[-1:]
              if one.channels.across and name not in maker.made_on]  # fmt: skip
    if across and not maker.pointwise:
        one = flow.calls[id(dict(found)[across[0]])][-1].channels
        report.warnings.append(
            f"what comes in at {_some(across)} acts across positions, as the layers before do: {one.source!r} makes "
            f"its features of an axis that holds none of the channels of {one.across!r}; keep=... leaves it alone"
        )
    if any(list(one.parameters()) for one in new.values()):
        for name, module in model.named_modules():
            if isinstance(module, nn.parallel.DistributedDataParallel):
                raise ValueError(
                    f"{name or 'the model'!r} is wrapped by DistributedDataParallel, which would not reduce the "
                    "gradients of new parameters; swap first and wrap then; nothing was changed"
                )
    report.warnings += maker.warned + selected.unmatched(channel_dim)
    old_keys = set(model.state_dict())
    swap = Swap(model, found, new)
    if prove:
        if example is None:
            report.unproved["all"] = "no sizes could be made from the model's first layer; give example_input=..."
            report.warnings.append("function calls were not looked for, since nothing was run; give example_input=...")
        elif any(one.is_meta for one in (*tensors_in(example), *model.parameters())):
            report.unproved["all"] = "the model is on the meta device and has no values"
        else:
            axes = {name: place.channel_dim for name, place in maker.places.items()} | maker.made_on
            prove_swap(model, example, found, new, swap, axes, maker.made_on, kept, flow, report)
    with swap.during() as swapped:
        # Within the trial: a predicate may refuse what came in.
        again = [name for name, module in Selection(swapped, predicate(which), keep, only, policies).found
                 if id(module) not in set(map(id, new.values())) and name not in report.kept]  # fmt: skip
    swap.do()
    report.model = swap.root
    report.switched_off = swap.switched_off
    after = set(report.model.state_dict())
    report.missing_keys, report.added_keys = sorted(old_keys - after), sorted(after - old_keys)
    if again:
        report.warnings.append(
            f"a second call would change {', '.join(again[:3])}, since {which!r} matches what came in"
        )
    return report


def _some(names: list[str]) -> str:
    """Up to three names, and how many more."""
    shown = ", ".join(name or "(model)" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")


def _add_training(flow: Flow, model, example, watched) -> None:
    """What is called in training alone, such as an auxiliary head, or on other tensors there."""
    try:
        training = follow(model.train(), example, watched)
    except Exception:
        return  # A model may refuse one sample in training; what is not called is named later.
    for key, calls in training.calls.items():
        known = flow.calls.setdefault(key, [])
        known += [one for one in calls if one not in known]
    for key, places in training.functions.items():
        known = flow.functions.setdefault(key, [])
        known += [one for one in places if one not in known]
    flow.gates |= training.gates
    flow.outputs |= training.outputs


def _refuse(model) -> None:
    """Models whose modules are not what runs."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"model={model!r} is no Module, and a swap of modules needs one")
    if hasattr(model, "_orig_mod"):
        raise ValueError("the model is compiled; swap first and compile then: give model._orig_mod")
    for name, module in model.named_modules():
        if hasattr(module, "_orig_mod"):
            raise ValueError(f"{name!r} is compiled; swap first and compile then")
        if module._compiled_call_impl is not None:
            raise ValueError(
                f"{name or 'the model'!r} was compiled in place; swap first and compile then: undo it by "
                "module._compiled_call_impl = None"
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(f"{name!r} is of torch.jit, with its activations built in; swap before scripting")
        if type(module).__module__.startswith(("torch.ao.nn", "torch.nn.quantized", "torch.nn.intrinsic")):
            raise ValueError(f"{name!r} is quantised ({type(module).__name__}); swap first and quantise then")
    proofs.refuse_lazy(model)


def _misfit(example, error) -> str:
    shapes = ", ".join(f"{tuple(one.shape)} {one.dtype}" for one in tensors_in(example)) or type(example).__name__
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"the model does not run on example_input ({shapes}): {text}; give what its forward takes; nothing was changed"
    )
