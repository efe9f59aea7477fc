"""Every activation by name, with what is known of it.

Families add their entries with :func:`register` at the bottom of their own file.
"""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn


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
    equivariance : str
        Group (LaTeX, without dollar signs) that commutes with the map; empty if unknown.
    homogeneity : str
        ``"positive"`` for f(kx) = k f(x) with k > 0, ``"none"``, or another description.
    lipschitz : float or None
        Best known bound of the Lipschitz constant with the default options; None if unbounded or unknown.
    pointwise : bool
        Whether each output entry depends on one input entry.
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
    """

    name: str
    factory: Callable[..., nn.Module]
    formula: str
    citation: str = ""
    parameters: Callable[[int], int] = field(default=lambda channels: 0)
    equivariance: str = ""
    homogeneity: str = "none"
    lipschitz: float | None = None
    pointwise: bool = False
    family: str = ""
    needs_channels: bool = False
    parameter_formula: str = "0"
    notes: str = ""
    aliases: tuple[str, ...] = ()
    kind: str = "activation"


_ENTRIES: dict[str, ActivationEntry] = {}
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
    entry = ActivationEntry(_normalise(name), factory, formula, **facts)
    for key in map(_normalise, (name, *entry.aliases)):
        if key != key.lower() or not key.replace("-", "").isalnum():
            raise ValueError(f"activation name {key!r}; use lower-case letters, digits and hyphens")
        holder = _ENTRIES.get(_ALIASES.get(key, key))
        if holder is not None and (holder.name != entry.name or _identity(holder.factory) != _identity(factory)):
            raise ValueError(f"activation name {key!r} is taken by {_identity(holder.factory)}; choose another")
    _ENTRIES[entry.name] = entry
    _ALIASES.update({_normalise(alias): entry.name for alias in entry.aliases})
    return entry


def _normalise(name: str) -> str:
    return name.replace("_", "-")


def _identity(factory) -> str:
    return f"{getattr(factory, '__module__', '')}.{getattr(factory, '__qualname__', repr(factory))}"


@functools.cache
def _load_families() -> None:
    """Import every family once, so that its entries are there."""
    package = importlib.import_module("colu.nn")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"colu.nn.{module.name}")


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
    _load_families()
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
    _load_families()
    entries = sorted(_ENTRIES.values(), key=lambda entry: entry.name)
    if filter is None:
        return entries
    if isinstance(filter, str):
        part = filter.lower()
        return [entry for entry in entries if part in entry.name or part in entry.family]
    return [entry for entry in entries if filter(entry)]
