"""Swap the activations of any model: channels are known and not guessed, and what is said of the swap is proved."""

import contextlib
import copy
import fnmatch
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from colu.checks import check_choice

from . import proofs
from .flow import Call, Flow, call, follow, tensors_in
from .registry import create, get_entry, has_symmetry

__all__ = ["POLICIES", "OnMaps", "PassRemainder", "Place", "ReplacementReport", "replace_activations"]

#: Activations that a comparison of activations means to leave alone, by name: what they are.
POLICIES = {
    "squeeze-excitation": "inside squeeze and excitation, where it acts on one vector an image",
    "time-embedding": "acts on the vector that tells the time, and not on features",
    "output": "squashes what the model returns, and its range is meant",
    "gate": "multiplies another signal",
}
_USUAL = ("squeeze-excitation", "time-embedding", "output")
_SQUEEZE = re.compile(r"squeeze.?excit|^(effective)?se(module|layer|block)$", re.IGNORECASE)
_TIME = re.compile(r"time_?(step)?_?(emb|mlp|proj)", re.IGNORECASE)
_SQUASHING = (nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Softmax, nn.LogSoftmax, nn.Softplus)


#: Modules of torch that act along an axis, which they hold as ``dim``.
_ALONG = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.GLU)


class Place(NamedTuple):
    """Where the channels of an activation are: their axis, how many, and the layer that makes them."""

    channel_dim: int
    num_channels: int | None
    source: str


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
        lines += [f"  {name or '(model)'}: {old} -> {new}" for name, old, new in self.changed]
        lines += [f"kept: {name or '(model)'}, {why}" for name, why in self.kept.items()]
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
    policies: Iterable[str] = _USUAL,
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
        Whether to prove the swap, which takes about a dozen forward passes.
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
    (``paths``); all keys of the state dict stay (``keys``). Buffers, modes, gradients, hooks and random states are
    given back as they were.

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
    policies = [policies] if isinstance(policies, str) else list(policies)
    for policy in policies:
        check_choice("policies", policy, tuple(POLICIES))
    selected = _Selection(model, _predicate(which), keep, only, policies)
    maker = _Maker(by, options, channel_dim, remainder)
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
            report.warnings.append(f"nothing matches {which!r}; activations of the model: {_activations(model)}")
        return report

    new: dict[int, nn.Module] = {}
    for name, module in found:
        calls = flow.calls.get(id(module), [])
        if id(module) not in new:
            if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
                raise ValueError(
                    f"{name!r} has hooks, which a swap would lose; remove them first, or use keep=[{name!r}]"
                )
            fresh = maker.make(name, module, calls, example is not None, model)
            if selected.splits(calls):
                fresh = OnMaps(fresh, module)
            new[id(module)] = fresh.train(module.training)
        report.changed.append((name, repr(module), repr(new[id(module)])))
        if name in maker.places:
            report.places[name] = maker.places[name]
        if len(calls) > 1 or sum(other is module for _, other in found) > 1:
            report.shared.append(f"{name}, {len(calls)} calls")
    report.warnings += maker.warned
    old_keys = set(model.state_dict())
    swap = _Swap(model, found, new)
    if prove:
        if example is None:
            why = "no sizes could be made from the model's first layer" if trial else ""
            report.unproved["all"] = f"{why}; give example_input=..."
            report.warnings.append("function calls were not looked for, since nothing was run; give example_input=...")
        elif any(one.is_meta for one in (*tensors_in(example), *model.parameters())):
            report.unproved["all"] = "the model is on the meta device and has no values"
        else:
            axes = {name: place.channel_dim for name, place in maker.places.items()} | maker.made_on
            _prove(model, example, found, new, swap, axes, flow, report)
    swap.do()
    report.model = swap.root
    report.switched_off = swap.switched_off
    if not any(list(module.parameters()) for module in new.values()):
        report.shared = [line for line in report.shared if len({c.shape for c in _calls(flow, found, line)}) > 1]
    after = set(report.model.state_dict())
    report.missing_keys, report.added_keys = sorted(old_keys - after), sorted(after - old_keys)
    again = [name for name, module in _Selection(report.model, _predicate(which), keep, only, policies).found
             if id(module) not in set(map(id, new.values()))]  # fmt: skip
    if again:
        report.warnings.append(
            f"a second call would change {', '.join(again[:3])}, since {which!r} matches what came in"
        )
    return report


def _calls(flow: Flow, found, line: str) -> list[Call]:
    name = line.rpartition(",")[0]
    return next((flow.calls.get(id(module), []) for other, module in found if other == name), [])


class OnMaps(nn.Module):
    r"""One activation for maps and sequences, another for vectors: ``maps(x)`` from three axes on, else ``vectors(x)``.

    The residual block of diffusers holds *one* activation and calls it on features and on the vector that tells the
    time; only the rank of the input tells the calls apart.

    Examples
    --------
    >>> act = OnMaps(nn.ReLU(), nn.Identity())
    >>> float(act(-torch.ones(1, 1, 1, 1))), float(act(-torch.ones(1, 1)))
    (0.0, -1.0)
    """

    def __init__(self, maps: nn.Module, vectors: nn.Module) -> None:
        super().__init__()
        self.maps, self.vectors = maps, vectors

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x) if x.dim() > 2 else self.vectors(x)


class PassRemainder(nn.Module):
    """An activation on the first channels, and no change to the others.

    Examples
    --------
    >>> PassRemainder(nn.ReLU(), 2, -1)(-torch.ones(1, 3))
    tensor([[ 0.,  0., -1.]])
    """

    def __init__(self, activation: nn.Module, num_channels: int, channel_dim: int) -> None:
        super().__init__()
        self.activation, self.num_channels, self.channel_dim = activation, num_channels, channel_dim

    def forward(self, x: Tensor) -> Tensor:
        first, rest = x.tensor_split([self.num_channels], self.channel_dim)
        return torch.cat([self.activation(first), rest], self.channel_dim)

    def extra_repr(self) -> str:
        return f"num_channels={self.num_channels}, channel_dim={self.channel_dim}"


def _refuse(model) -> None:
    """Models whose modules are not what runs."""
    if hasattr(model, "_orig_mod"):
        raise ValueError("the model is compiled; swap first and compile then: give model._orig_mod")
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError("a model of torch.jit has its activations built in; swap before scripting")
    for name, module in model.named_modules():
        if ".quantized" in type(module).__module__ or "torch.ao.nn" in type(module).__module__:
            raise ValueError(f"{name!r} is quantised ({type(module).__name__}); swap first and quantise then")
    for name, parameter in model.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"{name!r} has no shape yet; run the model once before the swap")


def _predicate(which) -> Callable[[str, nn.Module], bool]:
    if isinstance(which, str):
        entry = get_entry(which)
        source = getattr(entry.factory, "func", entry.factory)
        source = source if isinstance(source, type) else type(entry.factory())
        # What refines a class of torch's stands for that class too.
        source = next((one for one in source.__mro__ if one.__module__ == "torch.nn.modules.activation"), source)
        # Other libraries have classes of their own for the same maps: timm's GELU, GELUActivation of transformers.
        names = {name.replace("-", "") for name in (entry.name, *entry.aliases)}
        return lambda name, module: isinstance(module, source) or (_bare(module) and _plain(module) in names)
    if isinstance(which, type) or (isinstance(which, tuple) and all(isinstance(one, type) for one in which)):
        return lambda name, module: isinstance(module, which)
    if callable(which):
        return which
    raise ValueError(f"which={which!r} selects nothing; use a class, a tuple of them, a registered name or a predicate")


def _bare(module: nn.Module) -> bool:
    """Whether a module has neither parts nor parameters, as activations mostly do."""
    return not module._modules and not module._parameters


def _plain(module: nn.Module) -> str:
    """The name of a class as a registry would have it."""
    return type(module).__name__.lower().replace("_", "").removesuffix("activation")


_NO_ACTIVATION = re.compile("identity|drop|flatten|pool|pad|upsample|shuffle|rotary|permute|ident|loss|fold")


def _activations(model) -> str:
    counts: dict[str, int] = {}
    for module in model.modules():
        if has_symmetry(module) or _bare(module):
            if not _NO_ACTIVATION.search(_plain(module)):
                counts[type(module).__name__] = counts.get(type(module).__name__, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "no module"


class _Selection:
    """Which modules are meant, and which of them are left alone, each with its reason."""

    def __init__(self, model, matches, keep, only, policies) -> None:
        self.model, self.policies = model, policies
        self.kept: dict[str, str] = {}
        keep = [keep] if isinstance(keep, (str, type)) else list(keep)
        only = [only] if isinstance(only, (str, type)) else only
        # Aliases of one module are listed under each of their names, and all get the same replacement.
        named = [
            (name, module) for name, module in model.named_modules(remove_duplicate=False) if matches(name, module)
        ]
        named = [(name, module) for name, module in named if not _below(name, named)]
        self.found = []
        for name, module in named:
            path = [model, *_path(model, name)]
            if _listed(model, name, keep):
                self.kept[name] = "asked for by keep"
            elif only is not None and not _listed(model, name, list(only)):
                self.kept[name] = "not below what only= names"
            elif isinstance(module, (OnMaps, PassRemainder)):
                continue
            elif name.endswith("vectors") and isinstance(path[-2], OnMaps):
                self.kept[name] = "left there by an earlier swap"
            elif "squeeze-excitation" in policies and any(_SQUEEZE.search(type(one).__name__) for one in path):
                self.kept[name] = f"policy squeeze-excitation: {POLICIES['squeeze-excitation']}"
            elif "time-embedding" in policies and (
                _TIME.search(name) or any(_TIME.search(type(one).__name__) for one in path)
            ):
                self.kept[name] = f"policy time-embedding: {POLICIES['time-embedding']}"
            else:
                self.found.append((name, module))

    def by_use(self, flow: Flow, found) -> list[tuple[str, nn.Module]]:
        """Leave those alone whose use in the model says so."""
        left = []
        for name, module in found:
            if "gate" in self.policies and id(module) in flow.gates:
                self.kept[name] = f"policy gate: {POLICIES['gate']}"
            elif "output" in self.policies and id(module) in flow.outputs and isinstance(module, _SQUASHING):
                self.kept[name] = f"policy output: {POLICIES['output']}"
            else:
                left.append((name, module))
        return left

    def splits(self, calls: list[Call]) -> bool:
        """Whether one module sees features and, in other calls, the vector that tells the time."""
        ranks = {len(one.shape) for one in calls}
        return "time-embedding" in self.policies and 2 in ranks and max(ranks) > 2


def _path(model, name) -> Iterator[nn.Module]:
    here = model
    for part in name.split(".") if name else []:
        here = getattr(here, part)
        yield here


def _listed(model, name, rules) -> bool:
    path = name.split(".") if name else []
    prefixes = [".".join(path[: i + 1]) for i in range(len(path))]
    for rule in rules:
        if isinstance(rule, str):
            if any(fnmatch.fnmatchcase(prefix, rule) for prefix in prefixes):
                return True
        elif any(isinstance(model.get_submodule(prefix), rule) for prefix in ["", *prefixes]):
            return True
    return False


def _below(name, found) -> bool:
    return any(name.startswith(f"{other}." if other else "") and name != other for other, _ in found)


class _Maker:
    """Makes what is swapped in, for the channels of each place."""

    def __init__(self, by, options, channel_dim, remainder) -> None:
        self.by, self.options, self.given, self.remainder = by, options, channel_dim, remainder
        self.places: dict[str, Place] = {}
        #: Where the layers before make the channels, whatever was asked for.
        self.made_on: dict[str, int] = {}
        self.warned: list[str] = []
        if isinstance(by, nn.Module):
            self.takes: set[str] = set()
            if options:
                raise ValueError(f"options {sorted(options)} are for a name or a class; by={by!r} is a module already")
        elif isinstance(by, str) or callable(by):
            factory = get_entry(by).factory if isinstance(by, str) else by
            try:
                parameters = inspect.signature(factory).parameters
            except (TypeError, ValueError):
                parameters = {}
            self.takes = set(parameters)
        else:
            raise ValueError(f"by={by!r} is no activation; use a name, a class or a module")
        if isinstance(by, str):
            entry = get_entry(by)
            self.needs_width, self.pointwise = entry.needs_channels, entry.pointwise
            if entry.kind != "activation":
                raise ValueError(
                    f"by={by!r} is a {entry.kind} and no activation; use create({by!r}, ...) where it belongs"
                )
        else:
            self.needs_width, self.pointwise = "num_channels" in self.takes and "num_channels" not in options, False

    def make(self, name: str, old: nn.Module, calls: list[Call], ran: bool, model: nn.Module) -> nn.Module:
        place, why = self._place(name, old, calls, ran)
        needed = self.needs_width or ("channel_dim" in self.takes and not self.pointwise)
        if place is None and needed and not (self._never_called(calls, ran) and not self.needs_width):
            raise ValueError(
                f"where the channels of {name!r} ({old!r}) are cannot be known: {why}; "
                f"give channel_dim={{{name!r}: ...}}, an example_input, or keep=[{name!r}]"
            )
        if self.needs_width and place.num_channels is None:
            widths = sorted({one.shape[place.channel_dim] for one in calls})
            raise ValueError(
                f"{name!r} ({old!r}) is used with {' and '.join(map(str, widths)) or 'unknown'} channels, and what "
                f"comes in has parameters a channel: wanted one number; use keep=[{name!r}]"
            )
        if isinstance(self.by, str) and get_entry(self.by).mixes_positions and calls:
            one = calls[-1]
            if one.channels.last and len(one.shape) > 2:
                raise ValueError(
                    f"{self.by!r} lets the positions of a sample see each other, and {name!r} acts on tokens: its "
                    f"input {one.shape} comes from {one.channels.source!r}; use another activation, or keep=[{name!r}]"
                )
        if place is not None:
            self.places[name] = place
        made = self._fit(name, place, calls)
        like = calls[-1] if calls else next(model.parameters(), torch.zeros(()))
        kind = like.dtype if like.dtype.is_floating_point or like.dtype.is_complex else None
        device = next((one.device for one in model.parameters()), like.device) if not calls else like.device
        return made.to_empty(device="meta") if device.type == "meta" else made.to(device=device, dtype=kind)

    @staticmethod
    def _never_called(calls, ran) -> bool:
        return ran and not calls

    def _place(self, name, old, calls, ran) -> tuple[Place | None, str]:
        given = self.given
        if given is None and isinstance(old, _ALONG) and old.dim is not None:
            # The old module says itself which axis it acts on.
            given = old.dim
        if isinstance(given, Mapping):
            given = next((axis for rule, axis in given.items() if fnmatch.fnmatchcase(name, rule)), None)
        if not calls and given is None:
            return None, "this example never calls it" if ran else "nothing was run, as no sizes could be made"
        known = [one for one in calls if one.channels.axes is not None and len(one.channels.axes) == 1]
        if given is None:
            lost = next((one for one in calls if one not in known), None)
            if lost is not None:
                heads = lost.channels.axes is not None
                why = f"they are split over axes {sorted(lost.channels.axes)}" if heads else lost.channels.lost
                return None, f"its input has shape {lost.shape}, and {why}"
            choices = [{axis, axis - len(one.shape)} for one in known for axis in one.channels.axes]
            both = set.intersection(*choices)
            if not both:
                seen = sorted({f"axis {next(iter(one.channels.axes))} of {one.shape}" for one in known})
                return None, f"its calls have them on {' and on '.join(seen)}"
            # Where both say the same, as the layer before counts: so it stays right for inputs of other ranks.
            wanted = (-1, 1) if known[-1].channels.last else (1, -1)
            given = next((axis for axis in wanted if axis in both), max(both))
        else:
            for one in known:
                if given not in {axis for a in one.channels.axes for axis in (a, a - len(one.shape))}:
                    self.made_on[name] = next(iter(one.channels.axes)) - len(one.shape)
                    self.warned.append(
                        f"channel_dim={given} was given for {name!r}, whose input {one.shape} has the channels of "
                        f"{one.channels.source!r} on axis {next(iter(one.channels.axes))}"
                    )
                    break
        for one in calls:
            if not -len(one.shape) <= given < len(one.shape):
                raise ValueError(f"channel_dim={given} of {name!r} is outside its input of shape {one.shape}")
        widths = {one.shape[given] for one in calls}
        source = known[-1].channels.source if known else ""
        return Place(given, widths.pop() if len(widths) == 1 else None, source), ""

    def _fit(self, name, place, calls) -> nn.Module:
        widths = sorted({one.shape[place.channel_dim] for one in calls}) if place is not None else []
        made = self._create(name, place, place.num_channels if place is not None else None)
        for width in widths:
            problem = _does_not_fit(made, width, place, calls)
            if problem is None:
                continue
            if self.remainder == "refuse" or len(widths) > 1:
                raise ValueError(
                    f"{made!r} does not fit {name!r}, whose {width} channels lie on axis {place.channel_dim}"
                    + (f" (made by {place.source!r})" if place.source else "")
                    + f": {problem}{_options(made, width)}"
                )
            for less in range(width - 1, 0, -1):
                made = self._create(name, place, less)
                if _does_not_fit(made, less, place, calls) is None:
                    return PassRemainder(made, less, place.channel_dim)
            raise ValueError(f"no number of channels below {width} fits {made!r} for {name!r}: {problem}")
        return made

    def _create(self, name, place, width) -> nn.Module:
        options = dict(self.options)
        if place is not None and "channel_dim" in self.takes:
            options.setdefault("channel_dim", place.channel_dim)
        if isinstance(self.by, str):
            made = create(self.by, width, **options)
        elif isinstance(self.by, nn.Module):
            made = copy.deepcopy(self.by)
        else:
            if self.needs_width:
                options["num_channels"] = width
            made = self.by(**options)
        if not isinstance(made, nn.Module):
            raise ValueError(
                f"by={self.by!r} makes {type(made).__name__}, not a Module; use a name, a class or a module"
            )
        own = getattr(made, "channel_dim", None)
        if place is not None and isinstance(own, int) and own != place.channel_dim and not isinstance(self.by, str):
            raise ValueError(
                f"{made!r} has channel_dim={own}, and the channels of {name!r}"
                + (f", made by {place.source!r}," if place.source else "")
                + f" lie on {place.channel_dim}; give by=... with channel_dim={place.channel_dim}, or a name or class, "
                "which get the axis from here"
            )
        return made


@torch.no_grad()
def _does_not_fit(made, width, place, calls) -> str | None:
    """Why an activation does not take this number of channels to the same shape; None if it does."""
    one = calls[-1]
    # One position of two samples will do, whatever the size of the input.
    shape = [min(2, size) for size in one.shape]
    shape[place.channel_dim] = width
    training = made.training
    try:
        out = made.eval()(torch.zeros(shape, dtype=next((p.dtype for p in made.parameters()), torch.float32)))
    except (ValueError, RuntimeError) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    finally:
        made.train(training)
    return None if list(out.shape) == shape else f"it makes shape {tuple(out.shape)} of {tuple(shape)}"


def _options(made, width) -> str:
    """The nearest ways to fit cones."""
    size = getattr(made, "dim", None)
    if not isinstance(size, int):
        return "; use another activation, remainder='pass', or keep=..."
    dims = [dim for dim in range(2, width + 1) if width % dim == 0]
    near = sorted(sorted(dims, key=lambda dim: (abs(dim - size), dim))[:3])
    shared = [dim for dim in range(2, width + 1) if (width - 1) % (dim - 1) == 0 and hasattr(made, "share_axis")]
    shared = sorted(sorted(shared, key=lambda dim: (abs(dim - size), dim))[:2])
    ways = [f"dim={dim}" for dim in near]
    ways += [f"share_axis=True with dim={' or '.join(map(str, shared))}"] if shared else []
    return "; use " + ", ".join([*ways, "remainder='pass'"]) + ", or keep=..."


class _Swap:
    """Puts modules in their places, and takes them out again."""

    def __init__(self, model, found, new) -> None:
        self.root, self.model, self.found, self.new = model, model, found, new
        self.undo: list[Callable[[], None]] = []
        self.switched_off: list[str] = []

    def do(self, new: Mapping[int, nn.Module] | None = None) -> None:
        """Put ``new`` in, or what the swap is for."""
        new = self.new if new is None else new
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


def _prove(model, example, found, new, swap, axes, flow, report) -> None:
    """Prove what can be proved, or raise; the model is as it was afterwards."""
    before = {mode: proofs.run(model, example, mode) for mode in proofs.MODES}
    refused = {mode: one.error for mode, one in before.items() if one.error}
    modes = [mode for mode in before if mode not in refused]

    same = {key: copy.deepcopy(module) for key, module in {id(module): module for _, module in found}.items()}
    with swap.during(same) as swapped:
        differ = [mode for mode in modes if not proofs.equal(before[mode], proofs.run(swapped, example, mode))]
    for mode in differ:
        if proofs.equal(before[mode], proofs.run(model, example, mode)):
            raise ValueError(f"a swap by copies of the same modules changes the result in {mode}; nothing was changed")
        report.unproved["identity"] = f"two runs of the model itself differ in {mode}"
    if not differ:
        report.proofs["identity"] = f"a swap by copies of the old modules is bitwise equal in {', '.join(modes)}"
    for mode, error in refused.items():
        report.unproved[f"identity in {mode}"] = f"the model itself refuses the example there: {error}"

    moved, why = proofs.other_sample(example)
    stood = None if moved is None else proofs.samples_moved(model, example, moved)
    keys = set(model.state_dict())
    modules = list({id(one): one for one in new.values()}.values())
    names = {id(new[id(module)]): name for name, module in reversed(found)}
    called_before = {id(new[id(module)]): bool(flow.calls.get(id(module))) for _, module in found}
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
                if called_before[id(module)] and not often[id(module)]:
                    raise ValueError(
                        f"{names[id(module)]!r} is called by the model, and what comes in is not: the model holds the "
                        "old module elsewhere too; nothing was changed"
                    )
            idle = [names[id(one)] for one in modules if not often[id(one)]]
            distance = proofs.gap(with_gradients, without)
            if distance > proofs.rounding(without.outputs):
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
        _prove_rows(modules, inputs, names, axes, found, new, flow, report)
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
        call(model.eval(), copy.copy(example))
    return inputs


@torch.no_grad()
def _prove_rows(modules, inputs, names, axes, found, new, flow, report) -> None:
    origin = {id(new[id(module)]): flow.calls.get(id(module), []) for _, module in found}
    rows = mixing = 0
    for module in modules:
        x = inputs.get(id(module))
        if x is None or not x.is_floating_point():
            continue
        name = names[id(module)]
        axis = axes.get(name)
        training = [one.training for one in module.modules()]
        inner = module.maps if isinstance(module, OnMaps) and x.dim() > 2 else module
        moved = proofs.rows_moved(inner.eval(), x, axis)
        # Tokens must not meet in an activation; pixels may, where it is made for that.
        pixels = axis is not None and x.dim() > 2 and not origin[id(module)][-1].channels.last
        mixes = bool(moved) and pixels and not proofs.rows_moved(inner, x, None)
        for one, mode in zip(module.modules(), training, strict=True):
            one.training = mode
        if not moved or mixes:
            rows += moved == 0
            mixing += mixes
            continue
        raise ValueError(
            f"{module!r} at {name!r} moves {moved} other rows of its input {tuple(x.shape)} when one row is another, "
            "so positions or samples would see each other; give channel_dim=... or another activation; nothing was "
            "changed"
        )
    if rows:
        report.proofs["rows"] = f"another row moves no other row in {rows} new modules"
    else:
        report.unproved["rows"] = "no activation was called on more than one row"
    if mixing:
        report.warnings.append(f"{mixing} new modules mix neighbouring positions of an image, by design")


def _misfit(example, error) -> str:
    shapes = ", ".join(f"{tuple(one.shape)} {one.dtype}" for one in tensors_in(example)) or type(example).__name__
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"the model does not run on example_input ({shapes}): {text}; give what its forward takes; nothing was changed"
    )
