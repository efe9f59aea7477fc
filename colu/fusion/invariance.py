"""Whether the elements of a specification leave the function of a network as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from .samples import call
from .spec import Spec, apply
from .states import copied, unwrapped

__all__ = ["assert_invariant_under", "double_example", "double_model", "invariance_error", "telling"]


def double_model(model: nn.Module) -> nn.Module:
    """A copy in float64 and evaluation mode."""
    return copied(unwrapped(model)).double().eval()


def double_example(example):
    """Inputs whose floating tensors are in float64; integers and what is no tensor stay."""
    return tree_map(lambda one: one.double() if isinstance(one, Tensor) and one.is_floating_point() else one, example)


class _Double(TorchDispatchMode):
    """Float64 stays where a network asks for float32, so that rounding is not taken for a difference."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        single = func is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.float32
        if single and args[0].dtype == torch.float64:
            kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)


def outputs(model: nn.Module, state: Mapping, example) -> list[Tensor]:
    """All floating tensors that a fresh copy of a network in float64 puts out with a state."""
    # A copy each time: some networks keep values of an earlier call.
    model = copied(model)
    values = OrderedDict(state)
    # Some modules read from it which version of them wrote the state.
    values._metadata = model.state_dict()._metadata
    model.load_state_dict(values, strict=False)
    with torch.no_grad(), _Double():
        result = call(model, example)
    plain = dict(result) if hasattr(result, "to_tuple") else result
    return [one for one in tree_leaves(plain) if isinstance(one, Tensor) and one.is_floating_point() and one.numel()]


def check_outputs(found: list[Tensor], title: str) -> None:
    """Raise ``ValueError`` for outputs on which nothing can be tried: none, zeros alone, NaN or infinity."""
    if not all(one.isfinite().all() for one in found):
        raise ValueError(f"{title} puts out NaN or infinity on the example; check the weights and the inputs")
    if not any((one != 0).any() for one in found):
        raise ValueError(
            f"{title} puts out nothing but zeros on the example, or nothing at all: no group can be tried; "
            "give example=, a few samples as the model is used with"
        )


def difference(before: list[Tensor], after: list[Tensor]) -> float:
    """The largest difference of outputs, each by its own largest value."""
    gaps = [((y - x).abs().max() / x.abs().max().clamp_min(1e-300)).item() for x, y in zip(before, after, strict=True)]
    return max((gap if gap == gap else float("inf") for gap in gaps), default=0.0)


def telling(spec: Spec, seed: int = 0, *, draws: int = 16) -> dict:
    """Random elements that move as many channels as any of some draws: of two channels each second draw moves none.

    Examples
    --------
    >>> from colu.fusion import FIXED, Permutation
    >>> spec = Spec({"0": Permutation(2)}, {"0.weight": ("0", FIXED), "1.weight": (FIXED, "0")})
    >>> all(telling(spec, seed)["0"].permutation.tolist() == [1, 0] for seed in range(20))
    True
    """
    drawn, generator = spec.random(seed), torch.Generator().manual_seed(seed)
    for name, group in spec.groups.items():
        # Of more channels a random permutation hardly moves few.
        values = torch.arange(1.0, group.size + 1 if group.size <= 64 else 1, dtype=torch.float64)
        most = _moving(group, drawn[name], values)
        for _ in range(draws):
            if most == len(values):
                break
            other = group.random(generator)
            if (count := _moving(group, other, values)) > most:
                drawn[name], most = other, count
    return drawn


def _moving(group, element, values: Tensor) -> int:
    return int((group.act(element, values, 0) != values).sum()) if len(values) else 0


@torch.no_grad()
def invariance_error(
    model: nn.Module, spec: Spec, x, elements: Mapping | None = None, *, seed: int = 0
) -> float:
    r"""How far the function moves when the weights do, in float64.

    .. math:: \max_x \lvert f_{Q\theta}(x) - f_\theta(x)\rvert / \max_x \lvert f_\theta(x)\rvert

    Parameters
    ----------
    model : Module
        Copied; not changed.
    spec : Spec
    x : Tensor, tuple or dict
        Inputs; a tuple holds arguments, a dict arguments by name. All floating outputs are compared.
    elements : dict, optional
        By default random ones from ``seed``.

    Returns
    -------
    float
        About 1e-15 for a right specification; of order 1 for a wrong one.
    """
    model = double_model(model)
    state = model.state_dict()
    moved = apply(spec, telling(spec, seed) if elements is None else elements, state)
    x = double_example(x)
    return difference(*(outputs(model, values, x) for values in (state, moved)))


def assert_invariant_under(
    spec: Spec, model: nn.Module, x, *, tol: float = 1e-9, seed: int = 0
) -> None:
    """Raise ``AssertionError`` unless random elements of every group leave the function as it is.

    Each group is also tried alone, so that the message names the one whose axes are wrong.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> assert_invariant_under(from_sequential(model), model, torch.ones(5, 2))
    """
    drawn = telling(spec, seed)
    if invariance_error(model, spec, x, drawn) <= tol:
        return
    for name in spec.groups:
        error = invariance_error(model, spec, x, spec.identity() | {name: drawn[name]})
        if not error <= tol:
            everywhere = [one[:2] for one in spec.occurrences(name) + spec.scattered(name)]
            everywhere += [(one.parameter, one.axis) for one in spec.products(name)]
            places = ", ".join(f"{parameter} axis {axis}" for parameter, axis in everywhere)
            raise AssertionError(
                f"group {name!r} moves the function by {error:.2g} > {tol:g}; its axes: {places}"
            )
    raise AssertionError(f"the groups together move the function by more than {tol:g}")
