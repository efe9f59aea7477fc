"""One network in the widths and the order of another, by transport plans, and what is left of it there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from .part import FIXED
from .plan import KEPT, DiffusePlanWarning, Plan
from .spec import Spec, State, gathered
from .states import plain_state

__all__ = ["carry", "norm_kept"]


def carry_tensor(
    spec: Spec,
    plans: Mapping[str, Plan],
    parameter: str,
    tensor: Tensor,
    only: str | None = None,
    target: Spec | None = None,
) -> Tensor:
    """One entry of a state in the widths of B, in float64; with ``only="in"`` on the axes that read, no others."""
    moved = tensor.detach().double()
    for axis, parts in enumerate(spec.axes.get(parameter, ())):
        if all(part.name == FIXED or only not in (None, _side(part, axis)) for part in parts):
            continue
        last = moved.movedim(axis, 0)
        if parts[0].at is not None:
            goals = (spec if target is None else target).axes[parameter][axis]
            moved = _scattered(plans, parts, goals, last, axis, parameter).movedim(0, axis)
            continue
        pieces, offset = [], 0
        for part in parts:
            size = spec.length(part)
            stretch = last[offset:] if size is None else last[offset : offset + size]
            offset += len(stretch)
            side = _side(part, axis)
            if part.name != FIXED and only in (None, side):
                beside = stretch.unflatten(0, (-1, part.repeat)).flatten(1)
                carried = plans[part.name].carry(beside, side, part.even)
                stretch = carried.unflatten(1, (part.repeat, *last.shape[1:])).flatten(0, 1)
            pieces.append(stretch)
        moved = torch.cat(pieces).movedim(0, axis)
    return moved


def _side(part, axis: int) -> str:
    return part.side or ("in" if axis else "out")


def _scattered(plans, parts, goals, last: Tensor, axis: int, parameter: str) -> Tensor:
    """Channels that do not follow each other, taken from their places and put to those that they have in B."""
    tables = [
        [torch.tensor(part.at, device=last.device).view(-1, part.repeat) for part in some] for some in (parts, goals)
    ]
    held, wanted = (torch.cat([one.flatten() for one in some]) for some in tables)
    held, wanted = held[held >= 0], wanted[wanted >= 0]
    length = len(last) - len(held) + len(wanted)
    if len(wanted) and int(wanted.max()) >= length:
        raise ValueError(f"axis {axis} of {parameter} has entries in B that are none in A; give equal widths there")
    result = last.new_zeros(length, *last.shape[1:])
    free = [torch.ones(size, dtype=torch.bool, device=last.device) for size in (len(last), length)]
    free[0][held], free[1][wanted] = False, False
    result[free[1]] = last[free[0]]
    for part, places, to in zip(parts, *tables, strict=True):
        beside = gathered(last, 0, places).flatten(1)
        carried = plans[part.name].carry(beside, _side(part, axis), part.even)
        carried = carried.unflatten(1, (part.repeat, *last.shape[1:])).flatten(0, 1)
        if len(carried) != to.numel():
            raise ValueError(f"the places of {part.name!r} on axis {axis} of {parameter} are others in B; give target=")
        here = to.flatten() >= 0
        result[to.flatten()[here]] = carried[here]
    return result


def norm_kept(spec_a: Spec, state_a: State, carried: State) -> dict[str, float]:
    r"""For each matrix of weights, the share of its norm that a hard plan between these widths would leave.

    .. math:: \frac{\lVert W'\rVert}{\lVert W\rVert}\,\sqrt{\frac{n_{out}}{m_{out}}\cdot\frac{m_{in}}{n_{in}}}

    with n channels before and m after: copies of a unit have its weights, and share its outgoing ones.
    A hard plan of equal widths keeps 1; the mean of k uncorrelated units keeps :math:`1/\sqrt k` on each side.

    Parameters
    ----------
    spec_a : Spec
    state_a, carried : dict of str to Tensor
        Before and after :func:`colu.fusion.carry`.

    Examples
    --------
    >>> from colu.fusion import Permutation
    >>> spec = Spec({"h": Permutation(2)}, {"w": ("h", FIXED)})
    >>> round(norm_kept(spec, {"w": torch.eye(2)}, {"w": torch.full((2, 2), 0.5)})["w"], 3)
    0.707
    """
    found = {}
    for name, tensor in state_a.items():
        if not tensor.is_floating_point() or tensor.dim() < 2 or not tensor.any():
            continue
        moved, expected = carried[name], 1.0
        for axis, parts in enumerate(spec_a.axes.get(name, ())):
            before, after = tensor.shape[axis], moved.shape[axis]
            expected *= (before / after if _side(parts[0], axis) == "in" else after / before) ** 0.5
        found[name] = (moved.double().norm() / tensor.double().norm() / expected).item()
    return found


def carry(
    spec_a: Spec, plans: Mapping[str, Plan], state_a: State, target: Spec | None = None
) -> dict[str, Tensor]:
    """A in the widths (and the order) of B.

    Parameters
    ----------
    spec_a : Spec
    plans : dict
        One plan for each group, from :func:`colu.fusion.transport_plans`.
    state_a : dict of str to Tensor
        Not changed.
    target : Spec, optional
        Of B, where widths differ and channels stand apart from each other, as those of attention heads do.

    Returns
    -------
    dict of str to Tensor
        A state for the architecture of B: mix it with B by :func:`colu.fusion.lerp`.
        Judge it alone first, by :func:`colu.fusion.compare`: a soft plan shrinks what it averages, and a fused network
        hides that.

    Raises
    ------
    ValueError
        Plans missing, or not of this specification.

    Warns
    -----
    DiffusePlanWarning
        Where a layer keeps less than half of the norm that a hard plan leaves.

    Examples
    --------
    >>> from torch import nn
    >>> from colu.fusion import from_sequential, transport_plans
    >>> small = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> large = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> spec, x = from_sequential(small), torch.randn(50, 5)
    >>> plans = transport_plans(spec, from_sequential(large), small, large, x)
    >>> large.load_state_dict(carry(spec, plans, small.state_dict()))
    <All keys matched successfully>
    >>> torch.allclose(large(x), small(x), atol=1e-5)
    True
    """
    state_a, spec_a = plain_state(state_a, spec_a.axes), spec_a.plain()
    target = None if target is None else target.plain()
    spec_a.check(state_a, "the state of A")
    if set(plans) != set(spec_a.groups):
        raise ValueError(f"plans for {sorted(plans)}, wanted one for each of {sorted(spec_a.groups)}")
    for name, plan in plans.items():
        if plan.source != spec_a.groups[name]:
            raise ValueError(
                f"the plan of {name!r} starts from {plan.source}, not from {spec_a.groups[name]}"
            )
    carried = {
        name: carry_tensor(spec_a, plans, name, tensor, target=target).to(tensor.dtype).contiguous()
        if tensor.is_floating_point()
        else tensor.detach().clone()
        for name, tensor in state_a.items()
    }
    if all(plan.solver != "naive" for plan in plans.values()):
        _warn(norm_kept(spec_a, state_a, carried))
    return carried


def lost(kept: Mapping[str, float]) -> str | None:
    """What is to be said of layers that keep less than ``KEPT`` of their norm."""
    less = {name: share for name, share in kept.items() if share < KEPT}
    if not less:
        return None
    least = min(less, key=less.__getitem__)
    return (
        f"{len(less)} of {len(kept)} layers keep less than {KEPT:g} of the norm that a hard plan leaves, "
        f"{least} {less[least]:.2g}: the carried network is hardly its parent; measure it alone with compare, "
        "and take solver='emd' or less eps"
    )


def _warn(kept: Mapping[str, float]) -> None:
    if said := lost(kept):
        warnings.warn(said, DiffusePlanWarning, stacklevel=3)
