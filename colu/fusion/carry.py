"""One network in the widths and the order of another, by transport plans, and what is left of it there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from .part import FIXED
from .plan import KEPT, DiffusePlanWarning, Plan
from .spec import Spec, State
from .states import plain_state

__all__ = ["carry", "norm_kept"]


def operators_of(plans: Mapping[str, Plan]) -> dict[tuple[str, str], Tensor]:
    """The operators of all plans, by group and side."""
    return {(name, side): plan.operator(side) for name, plan in plans.items() for side in ("out", "in")}


def carry_tensor(spec: Spec, operators: Mapping, parameter: str, tensor: Tensor, only: str | None = None) -> Tensor:
    """One entry of a state in the widths of B, in float64; with ``only="in"`` on the axes that read, no others."""
    moved = tensor.detach().double()
    for axis, parts in enumerate(spec.axes.get(parameter, ())):
        if all(part.name == FIXED for part in parts):
            continue
        last, pieces, offset = moved.movedim(axis, -1), [], 0
        for part in parts:
            size = part.size if part.name == FIXED else spec.groups[part.name].size
            stretch = last[..., offset:] if size is None else last[..., offset : offset + size * part.repeat]
            offset += stretch.shape[-1]
            side = part.side or ("in" if axis else "out")
            if part.name != FIXED and only in (None, side):
                operator = operators[part.name, side].to(moved.device)
                grid = stretch.unflatten(-1, (size, part.repeat))
                stretch = torch.einsum("hg,...gr->...hr", operator, grid).flatten(-2)
            pieces.append(stretch)
        moved = torch.cat(pieces, -1).movedim(-1, axis)
    return moved


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
            side = next((part.side for part in parts if part.side), None) or ("in" if axis else "out")
            expected *= (before / after if side == "in" else after / before) ** 0.5
        found[name] = (moved.double().norm() / tensor.double().norm() / expected).item()
    return found


def carry(spec_a: Spec, plans: Mapping[str, Plan], state_a: State) -> dict[str, Tensor]:
    """A in the widths (and the order) of B.

    Parameters
    ----------
    spec_a : Spec
    plans : dict
        One plan for each group, from :func:`colu.fusion.transport_plans`.
    state_a : dict of str to Tensor
        Not changed.

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
    state_a = plain_state(state_a, spec_a.axes)
    spec_a.check(state_a, "the state of A")
    if set(plans) != set(spec_a.groups):
        raise ValueError(f"plans for {sorted(plans)}, wanted one for each of {sorted(spec_a.groups)}")
    for name, plan in plans.items():
        if plan.source != spec_a.groups[name]:
            raise ValueError(
                f"the plan of {name!r} starts from {plan.source}, not from {spec_a.groups[name]}"
            )
    operators = operators_of(plans)
    carried = {
        name: carry_tensor(spec_a, operators, name, tensor).to(tensor.dtype).contiguous()
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
