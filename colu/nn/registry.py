"""Every activation by name, with what is known of it.

Families add their entries with :func:`register` at the bottom of their own file.
"""

import difflib
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from colu.families import public_names
from colu.geometry import Symmetry

__all__ = [
    "ActivationEntry",
    "activation_layer",
    "create",
    "get_entry",
    "has_symmetry",
    "list_activations",
    "register",
    "register_symmetry",
    "symmetry_of",
]


# Without docstrings, which the reference would take for those of methods.
def _none(channels: int) -> int:
    return 0


def _unknown(module: nn.Module, channels: int) -> None:
    return None  # the symmetry of what holds a linear map, say: channels go in and others come out


@dataclass(frozen=True)
class ActivationEntry:
    """What the registry knows of one activation.

    Parameters
    ----------
    name : str
        Lower-case name for :func:`create`; hyphens and underscores are the same.
    factory : callable
        Makes the module from its options; takes ``num_channels`` first where ``needs_channels``.
    formula : str
        LaTeX, without dollar signs.
    citation : str
        Key in the bibliography; empty if there is none.
    parameters : callable
        Number of learnable parameters with the default options as a function of the channels ``C``.
    symmetry : callable
        From a module and its number of channels to the :class:`colu.geometry.Symmetry` of these; to None if unknown.
    homogeneity : str
        ``"positive"`` for f(kx) = k f(x) with k > 0, ``"none"``, or another description.
    lipschitz : float or None
        Best known bound of the Lipschitz constant at the start, with the default options; None if unbounded or unknown.
    lipschitz_all : float or None
        The same for whatever values its parameters take; None if unbounded or unknown.
        Where there are no parameters it is the first.
    pointwise : bool
        Whether each output entry depends on one input entry.
    mixes_positions : bool
        Whether a position of a sample changes the outputs at others, be they pixels or tokens, wherever the channels
        are: a causal model cannot use it.
    family : str
        File of :mod:`colu.nn` it is in.
    needs_channels : bool
        Whether the factory takes ``num_channels``.
    parameter_formula : str
        The parameter count in LaTeX as a function of ``C``, for the table.
    notes : str
        One sentence for the table, such as what differs from print.
    aliases : tuple of str
        Further names.
    kind : {"activation", "layer", "penalty"}
        Layers hold a linear map as well and take ``C`` to ``C`` channels; penalties take a weight.
    unfit : str
        Why it does not take ``(N, C)`` to ``(N, C)`` one example at a time, as a verb phrase; empty if it does.
    """

    name: str
    factory: Callable[..., nn.Module]
    formula: str
    citation: str = ""
    parameters: Callable[[int], int] = _none
    symmetry: Callable[[nn.Module, int], Symmetry | None] = _unknown
    homogeneity: str = "none"
    lipschitz: float | None = None
    lipschitz_all: float | None = None
    pointwise: bool = False
    mixes_positions: bool = False
    family: str = ""
    needs_channels: bool = False
    parameter_formula: str = "0"
    notes: str = ""
    aliases: tuple[str, ...] = ()
    kind: str = "activation"
    unfit: str = ""


_ENTRIES: dict[str, ActivationEntry] = {}
# By class, as modules are also made without a name.
_SYMMETRIES: dict[type, Callable[[nn.Module, int], Symmetry]] = {}
_ALIASES: dict[str, str] = {}


def register(name: str, factory: Callable[..., nn.Module], formula: str, **facts) -> ActivationEntry:
    r"""Add an activation to the registry; the fields of :class:`ActivationEntry` by keyword.

    Registering a name again replaces its entry only with a factory of the same name (a reload).

    Raises
    ------
    ValueError
        A name that is not lower-case or is taken by another factory.

    Examples
    --------
    ``register("relu", nn.ReLU, r"\max(x, 0)", homogeneity="positive", lipschitz=1.0, pointwise=True)``
    """
    source = getattr(factory, "func", factory)
    facts.setdefault("family", getattr(source, "__module__", "").rpartition(".")[2])
    if "parameters" not in facts:
        facts.setdefault("lipschitz_all", facts.get("lipschitz"))
    entry = ActivationEntry(_normalise(name), factory, formula, **facts)
    for key in map(_normalise, (name, *entry.aliases)):
        if key != key.lower() or not key.replace("-", "").isalnum():
            raise ValueError(f"activation name {key!r}; use lower-case letters, digits and hyphens")
        holder = _ENTRIES.get(_ALIASES.get(key, key))
        if holder is not None and (holder.name != entry.name or _identity(holder.factory) != _identity(factory)):
            raise ValueError(f"activation name {key!r} is taken by {_identity(holder.factory)}; choose another")
    _ENTRIES[entry.name] = entry
    if entry.symmetry is not _unknown:
        _SYMMETRIES[source] = entry.symmetry
    _ALIASES.update({_normalise(alias): entry.name for alias in entry.aliases})
    return entry


def register_symmetry(module_class: type[nn.Module], symmetry: Callable[[nn.Module, int], Symmetry]) -> None:
    """Say how the channels of a class that has no name in the registry may be moved.

    Examples
    --------
    >>> from torch import nn
    >>> class Mine(nn.ReLU):
    ...     pass
    >>> register_symmetry(Mine, lambda module, channels: Symmetry("units", channels))
    """
    _SYMMETRIES[module_class] = symmetry


def symmetry_of(module: nn.Module, channels: int) -> Symmetry | None:
    """How the channels of an activation may be moved, or None if that is not known.

    Parameters
    ----------
    module : Module
        Of a registered class, ours or torch's, or of a class made from one.
    channels : int
        That go in.

    Examples
    --------
    >>> from torch import nn
    >>> from colu.nn import CoLU
    >>> symmetry_of(nn.Tanh(), 8), symmetry_of(CoLU(), 8).width(), symmetry_of(nn.Softmax(1), 8)
    (Symmetry(kind='units', channels=8, signs=True), 8, None)
    """
    rule = _rule(module)
    return None if rule is None else rule(module, channels)


def has_symmetry(module: nn.Module) -> bool:
    """Whether :func:`symmetry_of` knows the class of a module, for any number of channels.

    Examples
    --------
    >>> from torch import nn
    >>> has_symmetry(nn.Mish()), has_symmetry(nn.Linear(2, 2))
    (True, False)
    """
    return _rule(module) is not None


def _rule(module: nn.Module) -> Callable[[nn.Module, int], Symmetry] | None:
    load_families()
    return next((_SYMMETRIES[one] for one in type(module).__mro__ if one in _SYMMETRIES), None)


def _normalise(name: str) -> str:
    return name.replace("_", "-")


def _identity(factory) -> str:
    return f"{getattr(factory, '__module__', '')}.{getattr(factory, '__qualname__', repr(factory))}"


@functools.cache
def load_families() -> dict[str, object]:
    """Import every file of :mod:`colu.nn` once, so that its entries are there; returns its public names."""
    return public_names(__package__, [os.path.dirname(__file__)])


def get_entry(name: str) -> ActivationEntry:
    """The entry of ``name``, alias or not.

    Raises
    ------
    ValueError
        An unknown name; the message has the nearest known ones.

    Examples
    --------
    >>> from colu.nn import get_entry
    >>> get_entry("colu").pointwise
    False
    """
    load_families()
    key = _normalise(str(name).lower())
    key = _ALIASES.get(key, key)
    if key not in _ENTRIES:
        near = difflib.get_close_matches(key, [*_ENTRIES, *_ALIASES], n=3, cutoff=0.4)
        hint = f"nearest: {', '.join(near)}" if near else "see list_activations()"
        raise ValueError(f"unknown activation {name!r}; {hint}")
    return _ENTRIES[key]


def create(name: str, num_channels: int | None = None, **options) -> nn.Module:
    """Make an activation by name.

    Parameters
    ----------
    name : str
        See :func:`list_activations`; case does not matter.
    num_channels : int, optional
        Channels; needed by activations with parameters a channel, ignored by the others.
    **options
        Of the module's constructor.

    Returns
    -------
    nn.Module

    Raises
    ------
    ValueError
        An unknown name (with the nearest known ones), missing ``num_channels``, or an unknown option.

    Examples
    --------
    >>> from colu.nn import create
    >>> create("colu", dim=8)
    CoLU(dim=8)
    """
    entry = get_entry(name)
    if entry.needs_channels and num_channels is None:
        raise ValueError(f"activation {entry.name!r} has parameters a channel; give num_channels=...")
    try:
        return entry.factory(num_channels, **options) if entry.needs_channels else entry.factory(**options)
    except TypeError as error:
        raise ValueError(f"activation {entry.name!r} does not take these options: {error}") from error


def activation_layer(name: str, **options) -> Callable[..., nn.Module]:
    """A factory for ``activation_layer=`` of torchvision and ``act_layer=`` of timm.

    It drops ``inplace``, which those libraries pass to every activation.

    Parameters
    ----------
    name : str
        See :func:`list_activations`.
    **options
        Of the module's constructor; ``num_channels`` if it needs one.

    Returns
    -------
    callable

    Examples
    --------
    >>> from colu.nn import activation_layer
    >>> activation_layer("colu", dim=8)(inplace=True)
    CoLU(dim=8)
    """
    get_entry(name)

    def make(*, inplace: bool = False, **more) -> nn.Module:
        return create(name, **(options | more))

    return make


def list_activations(filter: str | Callable[[ActivationEntry], bool] | None = None) -> list[ActivationEntry]:
    """The entries in alphabetical order.

    Parameters
    ----------
    filter : str or callable, optional
        Part of a name or family, or a predicate of the entry.

    Examples
    --------
    >>> from colu.nn import list_activations
    >>> [entry.name for entry in list_activations("conic")][:3]
    ['colu', 'colu-firm', 'colu-log']
    """
    load_families()
    entries = sorted(_ENTRIES.values(), key=lambda entry: entry.name)
    if filter is None:
        return entries
    if isinstance(filter, str):
        part = filter.lower()
        return [entry for entry in entries if part in entry.name or part in entry.family]
    return [entry for entry in entries if filter(entry)]
