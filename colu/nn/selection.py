"""Which activations of a model a swap means, and which it leaves alone, each with its reason."""

import fnmatch
import functools
import re
from collections.abc import Callable, Iterator, Mapping

from torch import nn

from .flow import FUNCTIONS, Call, Flow
from .registry import get_entry, has_symmetry, list_activations
from .wrappers import OnMaps, PassRemainder

__all__ = ["POLICIES"]

#: Activations that a comparison of activations means to leave alone, by name: what they are.
POLICIES = {
    "squeeze-excitation": "inside squeeze and excitation, where it acts on one vector an image",
    "time-embedding": "acts on the vector that tells the time, and not on features",
    "output": "squashes what the model returns, and its range is meant",
    "gate": "multiplies another signal",
}
USUAL = ("squeeze-excitation", "time-embedding", "output")
_SQUEEZE = re.compile(r"squeeze.?excit|^(effective)?se(module|layer|block)$", re.IGNORECASE)
_TIME = re.compile(r"time_?(step)?_?(emb|mlp|proj)", re.IGNORECASE)
_SQUASHING = (nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Softmax, nn.LogSoftmax, nn.Softplus)


def predicate(which) -> Callable[[str, nn.Module], bool]:
    if isinstance(which, str):
        entry = get_entry(which)
        source, others = _source(entry), {_source(one) for one in list_activations()}
        # Other libraries have classes of their own for the same maps: timm's GELU, GELUActivation of transformers.
        names = {name.replace("-", "") for name in (entry.name, *entry.aliases)}
        # A variant, such as "gelu-tanh", is its class with these options.
        options = getattr(entry.factory, "keywords", {})
        own = {name for name, _ in entry.factory().named_parameters()} if options and not entry.needs_channels else None

        def meant(name: str, module: nn.Module) -> bool:
            # ReLU6 is a Hardtanh by its class, and another activation by its name.
            if next((one for one in type(module).__mro__ if one in others), None) is source:
                alike = own is None or own == {name for name, _ in module.named_parameters()}
                return alike and all(getattr(module, key, value) == value for key, value in options.items())
            return _bare(module) and _plain(module) in names

        return meant
    if isinstance(which, list):
        one_of = [predicate(one) for one in which]
        return lambda name, module: any(matches(name, module) for matches in one_of)
    if isinstance(which, type) or (isinstance(which, tuple) and all(isinstance(one, type) for one in which)):
        return lambda name, module: isinstance(module, which)
    if callable(which) and not isinstance(which, nn.Module) and not any(which is one for one in FUNCTIONS):
        return which
    raise ValueError(f"which={which!r} selects nothing; use a class, a tuple of them, a registered name or a predicate")


@functools.cache
def _source(entry) -> type:
    """The class of an entry; what refines a class of torch's stands for that class too."""
    source = getattr(entry.factory, "func", entry.factory)
    source = source if isinstance(source, type) else type(entry.factory())
    return next((one for one in source.__mro__ if one.__module__ == "torch.nn.modules.activation"), source)


def _bare(module: nn.Module) -> bool:
    """Whether a module has neither parts nor parameters, as activations mostly do."""
    return not module._modules and not module._parameters


def _plain(module: nn.Module) -> str:
    """The name of a class as a registry would have it."""
    return type(module).__name__.lower().replace("_", "").removesuffix("activation")


_NO_ACTIVATION = re.compile("identity|drop|flatten|pool|pad|upsample|shuffle|rotary|permute|ident|loss|fold")


def activations_of(model) -> str:
    counts: dict[str, int] = {}
    for module in model.modules():
        if has_symmetry(module) or _bare(module):
            if not _NO_ACTIVATION.search(_plain(module)):
                counts[type(module).__name__] = counts.get(type(module).__name__, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "no module"


class Selection:
    """Which modules are meant, and which of them are left alone, each with its reason."""

    def __init__(self, model, matches, keep, only, policies) -> None:
        self.model, self.policies = model, policies
        self.kept: dict[str, str] = {}
        keep = [keep] if isinstance(keep, (str, type)) else list(keep or ())
        only = [only] if isinstance(only, (str, type)) else only
        # Aliases of one module are listed under each of their names, and all get the same replacement.
        named = [
            (name, module) for name, module in model.named_modules(remove_duplicate=False) if matches(name, module)
        ]
        # A wrapper of an earlier swap is meant where what it holds is, and not by its own name.
        named = [(name, module) for name, module in named if not isinstance(module, (OnMaps, PassRemainder))]
        named = [(name, module) for name, module in named if not _below(name, named)]
        # What passes a remainder is there for one activation, and goes with it.
        named = [_whole(model, name, module) for name, module in named]
        self.rules = [one for one in (*keep, *(only or ())) if isinstance(one, str)]
        self.found = []
        for name, module in named:
            path = [model, *_path(model, name)]
            inside = [type(one).__name__ for one in path[1:]]
            if _listed(model, name, keep):
                self.kept[name] = "asked for by keep"
            elif only is not None and not _listed(model, name, list(only)):
                self.kept[name] = "not below what only= names"
            elif name.endswith("vectors") and isinstance(path[-2], OnMaps):
                self.kept[name] = "left there by an earlier swap"
            elif "ParametrizationList" in inside:
                self.kept[name] = "computes a weight, and acts on no features"
            elif "squeeze-excitation" in policies and any(map(_SQUEEZE.search, inside)):
                self.kept[name] = f"policy squeeze-excitation: {POLICIES['squeeze-excitation']}"
            elif "time-embedding" in policies and (_TIME.search(name) or any(map(_TIME.search, inside))):
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
        told = any(len(one.shape) == 2 and _TIME.search(one.channels.source) for one in calls)
        return "time-embedding" in self.policies and told and any(len(one.shape) > 2 for one in calls)

    def unmatched(self, channel_dim) -> list[str]:
        """Rules that name no module, each in a sentence."""
        names = [name for name, _ in self.model.named_modules(remove_duplicate=False)]
        rules = [*self.rules, *(channel_dim if isinstance(channel_dim, Mapping) else ())]
        return [f"{rule!r} names no module of the model" for rule in rules if not fnmatch.filter(names, rule)]


def _whole(model, name, module) -> tuple[str, nn.Module]:
    parent = name.rpartition(".")[0]
    holder = model.get_submodule(parent) if name else module
    return (parent, holder) if isinstance(holder, PassRemainder) and holder is not module else (name, module)


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
