"""What is made of states that lie in one frame: means, scaled differences from a base, and TIES."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from colu.checks import check_choice, check_number

from .lazy import Made
from .spec import State

__all__ = ["MERGES", "merged"]

#: The mean; the base and the sum of the differences from it; the same of trimmed differences of one sign.
MERGES = ("average", "task", "ties")


def merged(
    states: Sequence[State],
    merge: str = "average",
    *,
    shares: Sequence[float] | None = None,
    base: State | None = None,
    scale: float = 1.0,
    density: float = 0.2,
) -> Made:
    r"""A merge of states that lie in one frame, made entry by entry.

    With :math:`\tau_i = \theta_i - \theta_0` for a base :math:`\theta_0`,

    .. math:: \text{average: } & \sum_i w_i\theta_i, \\
              \text{task: } & \theta_0 + \lambda \sum_i n w_i\tau_i, \\
              \text{ties: } & \theta_0 + \lambda \frac{\sum_{i \in A_p} \hat\tau_{i,p}}{\lvert A_p\rvert}

    TIES trims each difference to the ``density`` of entries that are largest in magnitude, over the whole network;
    elects at each place p the sign of the sum of what is left; and averages the entries :math:`A_p` of that sign.
    Where nothing is left, or the sum is 0, the base stays.

    Parameters
    ----------
    states : sequence of dict of str to Tensor
        Not changed.
    merge : {"average", "task", "ties"}
    shares : sequence of float, optional
        The weights :math:`w_i`, which sum to 1; equal by default. TIES has none.
    base : dict of str to Tensor, optional
        What the states were fine-tuned from, in the same frame; not for ``average``.
    scale : float
        :math:`\lambda`.
    density : float
        Above 0, at most 1.

    Returns
    -------
    mapping of str to Tensor
        In the dtypes of the first state; entries that are no floating numbers are those of the first.
        ``dict(...)`` makes all of it.

    References
    ----------
    Ilharco et al., "Editing Models with Task Arithmetic", ICLR 2023, arXiv 2212.04089 (``ilharco2023task``), whose
    vectors are the differences; Yadav et al., "TIES-Merging: Resolving Interference When Merging Models", NeurIPS 2023,
    arXiv 2306.01708 (``yadav2023ties``), as in the authors' code (github.com/prateeky2806/ties-merging, their
    ``topk20_mass_dis-mean``), which gives a sum of 0 the sign of the majority of places.

    Examples
    --------
    >>> base, one, other = ({"w": torch.tensor(values)} for values in ([0.0, 0.0], [1.0, 4.0], [3.0, -1.0]))
    >>> dict(merged([one, other]))["w"]
    tensor([2.0000, 1.5000])
    >>> dict(merged([one, other], "task", base=base, scale=0.5))["w"]
    tensor([2.0000, 1.5000])
    >>> dict(merged([one, other], "ties", base=base, density=1.0))["w"]
    tensor([2., 4.])
    """
    check_choice("merge", merge, MERGES)
    number = len(states)
    if not number:
        raise ValueError("a merge of no states; give at least one")
    weights = [1 / number] * number if shares is None else [float(share) for share in shares]
    if len(weights) != number:
        raise ValueError(f"{len(weights)} shares for {number} networks; give one each")
    if abs(sum(weights) - 1) > 1e-6:
        raise ValueError(f"the shares {weights} sum to {sum(weights):g}; they should to 1")
    if (base is None) != (merge == "average"):
        needs = "reads no base" if base is not None else "needs the base that the networks were fine-tuned from"
        raise ValueError(f"merge={merge!r} {needs}; give base= with 'task' and 'ties', and with no other")
    scale = check_number("scale", scale, "use a finite number, such as 1.0", gt=-float("inf"), lt=float("inf"))
    density = check_number("density", density, "use a share of the entries, such as 0.2", gt=0, le=1)
    bounds = [_threshold(state, base, density) for state in states] if merge == "ties" else []

    def make(name: str) -> Tensor:
        first = states[0][name]
        if not first.is_floating_point():
            return first.detach().clone()
        values = (state[name].detach().to(first.device).double() for state in states)
        if merge == "average":
            if 1.0 in weights:
                return states[weights.index(1.0)][name].detach().to(first).clone()
            total = weights[0] * next(values)
            for weight, value in zip(weights[1:], values, strict=True):
                total += weight * value
            return total.to(first.dtype)
        origin = base[name].detach().to(first.device).double()
        if merge == "task":
            change = sum(number * weight * (value - origin) for weight, value in zip(weights, values, strict=True))
        else:
            changes = (value - origin for value in values)
            change = _disjoint([x * (x.abs() >= bound) for x, bound in zip(changes, bounds, strict=True)])
        return (origin + scale * change).to(first.dtype)

    return Made(states[0], make)


def _threshold(state: State, base: State, density: float) -> float:
    """The least magnitude that is among the ``density`` largest of a whole difference."""
    sizes = [
        (tensor.detach().double() - base[name].detach().to(tensor.device).double()).abs().float().flatten().cpu()
        for name in state
        if (tensor := state[name]).is_floating_point()
    ]
    whole = torch.cat(sizes)
    keep = max(1, round(density * len(whole)))
    # A hair below, since magnitudes were rounded to float32.
    return whole.kthvalue(len(whole) - keep + 1).values.item() * (1 - 1e-7)


def _disjoint(trimmed: list[Tensor]) -> Tensor:
    elected = sum(trimmed).sign()
    agreeing = [change * (change.sign() == elected) for change in trimmed]
    count = sum((change != 0).double() for change in agreeing)
    return sum(agreeing) / count.clamp_min(1)
