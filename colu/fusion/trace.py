"""The symmetry of a network, found by running it once."""

from __future__ import annotations

from torch import nn

from colu.checks import check_int, check_number

from .example import example_for
from .fold import Folding
from .invariance import check_outputs, difference, double_example, double_model, outputs, telling
from .samples import like
from .spec import Spec
from .states import copied, unwrapped
from .subgroups import written
from .tracing.structure import Structure
from .tracing.watch import follow

__all__ = ["from_sequential", "trace_spec"]


def trace_spec(
    model: nn.Module,
    example=None,
    *,
    strict: bool = False,
    folding: Folding | None = None,
    tol: float | None = 1e-10,
    seed: int = 0,
) -> Spec:
    """The specification of a network, found by following its channels through one forward pass.

    Every operation says what it leaves of the freedom of its channels: a sum ties them, a function of single entries
    leaves permutations (and signs where it is odd), a norm of all of them orthogonal maps, a product of queries and
    keys holds the channels of each head together. The largest group that these demands leave is taken, layer by
    layer, and each group is then tried on the example: one that moves the function is given up, and named.

    Parameters
    ----------
    model : Module
        Copied in float64 and evaluation mode; not changed. Wrappers are looked through: torch.compile, DataParallel
        and the like.
    example : Tensor, tuple or dict, optional
        Inputs: one argument, several, or arguments by name. A few samples, of the size that the model is used with.
        By default random ones of a size that the first layer reads, where it says so.
    strict : bool
        Refuse a model with an operation that is not understood; by default the channels that it touches stay fixed.
    folding : Folding, optional
        Of :func:`colu.fusion.norm_folding`, for states that it has been applied to: gains that are one leave a stream
        all orthogonal maps (that fix the ones, under a LayerNorm), where others leave permutations.
    tol : float, optional
        By how much of its largest output a random element of a group may move the function. None tries no group, and
        runs the model itself, where memory is too short for copies: try the elements that are used.
    seed : int
        Of these elements.

    Returns
    -------
    Spec
        Groups are named as the layer that first makes their channels; ``notes`` say what keeps each from being
        larger, ``still`` which channels no group moves.

    Raises
    ------
    ValueError
        No example, and none that could be guessed, or one on which the model puts out nothing, zeros alone, or NaN;
        a gain of ``folding`` that is not one in the model; with ``strict``, what is not understood, by operation and
        module.

    Notes
    -----
    The pass takes about as long as a few forward passes, and memory for four copies of the model in float64.
    Constants that are no parameters are compared by their values, so that channels which meet equal ones may be
    exchanged.
    Groups of a grouped convolution are exchanged as a whole, and inside each what it reads and what it makes; query
    heads that share a key move with it, and change places among themselves.

    Examples
    --------
    >>> import torch
    >>> from colu.lab.models import CIFARResNet
    >>> spec = trace_spec(CIFARResNet(8, widths=(4, 8, 8)), torch.randn(2, 3, 16, 16))
    >>> {name: group.size for name, group in spec.groups.items()}
    {'conv': 4, 'blocks.0.conv1': 4, 'blocks.1.conv1': 8, 'blocks.1.conv2[4:]': 4, 'blocks.2.conv1': 8}
    """
    seed, model = check_int("seed", seed, 0), unwrapped(model)
    title = type(model).__name__
    if example is None and (example := example_for(model)) is None:
        raise ValueError(f"no example for {title} could be made that it runs on; give example=, inputs that it takes")
    ones = _ones(model, folding)
    if tol is None:
        followed = follow(model, like(model, example), ones)
    else:
        tol = check_number("tol", tol, 0)
        model, example = double_model(model), double_example(example)
        followed = follow(copied(model), example, ones)
    if strict and followed.unknown:
        listed = ", ".join(dict.fromkeys(followed.unknown))
        raise ValueError(
            f"{title} uses what is not understood: {listed}; "
            "without strict=True the channels that it touches stay fixed"
        )
    structure = Structure(followed)
    spec = structure.spec()
    if tol is None:
        return spec
    trial = _Trial(model, example, tol, title)
    refused = trial.refused(spec, seed)
    if refused:
        spec = structure.spec(refused)
        trial.whole(spec, seed)
    return spec


def _ones(model: nn.Module, folding: Folding | None) -> frozenset[str]:
    if folding is None:
        return frozenset()
    state = model.state_dict()
    for gain in folding.readers:
        if (state[gain] != 1).any():
            raise ValueError(f"{gain} is not 1 in the model: load the state that the folding was applied to")
    return frozenset(folding.readers)


class _Trial:
    """Random elements on the example: which groups leave the function as it is."""

    def __init__(self, model: nn.Module, example, tol: float, title: str):
        self.model, self.example, self.tol, self.title = model, example, tol, title
        self.state = model.state_dict()
        self.before = outputs(model, self.state, example)
        check_outputs(self.before, title)

    def error(self, spec: Spec, drawn, names) -> float:
        """How far elements of some groups move the function."""
        moved = dict(self.state)
        for name in names:
            moved.update(spec.act(name, drawn[name], moved))
        return difference(self.before, outputs(self.model, moved, self.example))

    def refused(self, spec: Spec, seed: int) -> dict[str, str]:
        """Groups that move the function after all, found by halves, with how far they do."""
        drawn, found = telling(spec, seed), {}

        def search(names: list[str]) -> None:
            error = self.error(spec, drawn, names)
            if error <= self.tol:
                return
            if len(names) == 1:
                found[names[0]] = f"{written(spec.groups[names[0]])} would move the function by {error:.2g}"
                return
            search(names[: len(names) // 2])
            search(names[len(names) // 2 :])
            if len(names) == len(spec.groups) and not found:
                raise ValueError(
                    f"the groups of {self.title} move the function by {error:.2g} together and none does alone: "
                    "raise tol= if this is rounding, else write the Spec by hand"
                )

        search(list(spec.groups))
        return found

    def whole(self, spec: Spec, seed: int) -> None:
        """Raise ``ValueError`` unless all groups together leave the function as it is."""
        error = self.error(spec, telling(spec, seed), spec.groups)
        if error > self.tol:
            raise ValueError(
                f"the groups of {self.title} that are left move the function by {error:.2g}: "
                "raise tol= if this is rounding, else write the Spec by hand"
            )


def from_sequential(model: nn.Sequential, example=None, *, strict: bool = False) -> Spec:
    """:func:`trace_spec` of a chain of layers, which names what is none.

    Examples
    --------
    >>> from colu.fusion import Conic
    >>> from colu.nn import CoLU
    >>> spec = from_sequential(nn.Sequential(nn.Linear(2, 8), CoLU(dim=4), nn.Linear(8, 1)))
    >>> spec.groups == {"0": Conic(groups=2, dim=4)}
    True
    """
    if not isinstance(unwrapped(model), nn.Sequential):
        raise ValueError(f"a {type(unwrapped(model)).__name__} is no chain of layers; use trace_spec")
    return trace_spec(model, example, strict=strict)
