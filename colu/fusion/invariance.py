"""Whether the elements of a specification leave the function of a network as it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .spec import Spec, apply
from .states import unwrapped

__all__ = ["assert_invariant_under", "double_model", "invariance_error"]


def double_model(model: nn.Module) -> nn.Module:
    """A copy in float64 and evaluation mode."""
    return copy.deepcopy(unwrapped(model)).double().eval()


@torch.no_grad()
def invariance_error(
    model: nn.Module, spec: Spec, x: Tensor, elements: Mapping | None = None, *, seed: int = 0
) -> float:
    r"""How far the function moves when the weights do, in float64.

    .. math:: \max_x \lvert f_{Q\theta}(x) - f_\theta(x)\rvert / \max_x \lvert f_\theta(x)\rvert

    Parameters
    ----------
    model : Module
        Copied; not changed.
    spec : Spec
    x : Tensor
        Inputs.
    elements : dict, optional
        By default random ones from ``seed``.

    Returns
    -------
    float
        About 1e-15 for a right specification; of order 1 for a wrong one.
    """
    model = double_model(model)
    state = model.state_dict()
    moved = apply(spec, spec.random(seed) if elements is None else elements, state)
    x = x.double() if x.is_floating_point() else x
    before, after = (torch.func.functional_call(model, dict(values), (x,)) for values in (state, moved))
    return ((after - before).abs().max() / before.abs().max().clamp_min(1e-300)).item()


def assert_invariant_under(
    spec: Spec, model: nn.Module, x: Tensor, *, tol: float = 1e-9, seed: int = 0
) -> None:
    """Raise ``AssertionError`` unless random elements of every group leave the function as it is.

    Each group is also tried alone, so that the message names the one whose axes are wrong.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> assert_invariant_under(from_sequential(model), model, torch.ones(5, 2))
    """
    drawn = spec.random(seed)
    if invariance_error(model, spec, x, drawn) <= tol:
        return
    for name in spec.groups:
        error = invariance_error(model, spec, x, spec.identity() | {name: drawn[name]})
        if not error <= tol:
            everywhere = spec.occurrences(name) + spec.views(name)
            places = ", ".join(f"{parameter} axis {axis}" for parameter, axis, *_ in everywhere)
            raise AssertionError(
                f"group {name!r} moves the function by {error:.2g} > {tol:g}; its axes: {places}"
            )
    raise AssertionError(f"the groups together move the function by more than {tol:g}")
