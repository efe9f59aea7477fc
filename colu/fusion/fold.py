"""Gains of norms folded into the layers that read them, which leaves a residual stream all orthogonal maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .example import example_for
from .invariance import difference, double_example, double_model, outputs
from .spec import State
from .states import copied, plain_state, unwrapped
from .tracing.watch import follow

__all__ = ["Folding", "norm_folding"]


@dataclass(frozen=True)
class Folding:
    r"""Which gains go where: an exact rewriting of a state.

    .. math:: & W\,(\gamma \odot z + \beta) \\
              & \quad = (W \operatorname{diag}\gamma)\,(z + \beta / \gamma)

    Attributes
    ----------
    readers : dict of str to tuple
        For each gain the parameters that read what the norm makes, each with its axis.
    shifts : dict of str to str or None
        For each gain the shift of the same norm.
    kept : dict of str to str
        Gains that stay, and why.
    """

    readers: Mapping[str, tuple[tuple[str, int], ...]]
    shifts: Mapping[str, str | None]
    kept: Mapping[str, str]

    def apply(self, state: State) -> dict[str, Tensor]:
        """The state with gains of one; the same function. Computed in float64, in the dtypes of ``state``.

        Raises
        ------
        ValueError
            A gain with a zero whose shift is none: it cannot be divided by.
        """
        state = plain_state(state, [name for readers in self.readers.values() for name, _ in readers])
        result = {name: tensor.detach().clone() for name, tensor in state.items()}
        for gain, readers in self.readers.items():
            values = state[gain].double()
            shift = self.shifts[gain]
            if shift is not None:
                lost = (values.abs() < 1e-12 * values.abs().amax()) & (state[shift] != 0)
                if lost.any():
                    raise ValueError(
                        f"{gain} is 0 at {lost.nonzero().flatten().tolist()[:5]}, where {shift} is not; "
                        "leave this norm out of the folding"
                    )
                divided = torch.where(values == 0, 0.0, state[shift].double() / values.where(values != 0, 1.0))
                result[shift] = divided.to(state[shift].dtype)
            for name, axis in readers:
                shape = [-1 if place == axis else 1 for place in range(state[name].dim())]
                result[name] = (result[name].double() * values.view(shape)).to(state[name].dtype)
            result[gain] = torch.ones_like(state[gain])
        return result


def norm_folding(model: nn.Module, example=None, *, tol: float = 1e-10) -> Folding:
    """The norms of a model whose gains can be folded into the layers behind them.

    A LayerNorm without gain commutes with every orthogonal map that fixes the ones, an RMSNorm with every orthogonal
    map: :func:`colu.fusion.trace_spec` finds these when it is given the folding. A gain stays where something else than
    a layer reads what the norm makes, as the stream itself in a network that normalises last, or where a layer reads
    other values too, as an output layer does that shares its weight with the embedding.

    Parameters
    ----------
    model : Module
        Copied in float64 and evaluation mode; not changed.
    example : Tensor, tuple or dict, optional
        As for :func:`colu.fusion.trace_spec`.
    tol : float
        By how much of its largest output folding may change the function: more is an error.

    Raises
    ------
    ValueError
        No example; a folding that changes the function, as for norms that count their gain from one.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    >>> norm_folding(model).readers
    {'1.weight': (('2.weight', 1),)}
    """
    title, model = type(unwrapped(model)).__name__, double_model(model)
    example = example_for(model) if example is None else double_example(example)
    if example is None:
        raise ValueError(f"no example for {title} could be made that it runs on; give example=, inputs that it takes")
    found = follow(copied(model), example).operations
    readers, kept = {}, {}
    for gain in found.shifts:
        uses = found.norm_uses.get(gain, [])
        others = [use for use in uses if isinstance(use, str)]
        shared = [name for use in uses if not isinstance(use, str) for name in use[:1]
                  if found.weight_uses[name] != {gain}]  # fmt: skip
        if others or not uses:
            kept[gain] = f"read by {others[0]}" if others else "nothing reads it"
        elif shared:
            kept[gain] = f"{shared[0]} reads other values too"
        else:
            readers[gain] = tuple(dict.fromkeys(uses))
    folding = Folding(readers, {gain: found.shifts[gain] for gain in readers}, kept)
    state = model.state_dict()
    error = difference(outputs(model, state, example), outputs(model, folding.apply(state), example))
    if error > tol:
        raise ValueError(f"folding the gains of {list(readers)} changes {title} by {error:.2g} of its largest output")
    return folding
