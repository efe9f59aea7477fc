"""Soft alignment and different widths: optimal transport over units, or over cones and their rotations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from colu.blocks import join, split
from colu.checks import check_choice, check_int, check_number

from .groups import Conic, Permutation
from .invariance import double_model
from .observe import inputs_of, observed, points
from .solve import polar
from .spec import FIXED, Spec, State
from .states import plain_state

__all__ = ["SOLVERS", "Plan", "carry", "check_coupling", "transport_plans"]

#: Exact transport; entropic transport; the mean of k disjoint assignments; the first units as they stand.
SOLVERS = ("emd", "sinkhorn", "partners", "naive")


def check_coupling(coupling: Tensor, tol: float = 1e-4) -> float:
    r"""The largest relative error of the marginals of a coupling, which should be uniform.

    Parameters
    ----------
    coupling : Tensor
        Shape ``(G_A, G_B)``: mass that unit g of A sends to unit h of B; total 1.
    tol : float
        Largest error that is let pass.

    Raises
    ------
    ValueError
        For NaN, negative or zero mass, or marginals that are off: such a plan must not fuse anything.

    Examples
    --------
    >>> check_coupling(torch.full((2, 4), 0.125))
    0.0
    """
    if not torch.isfinite(coupling).all():
        raise ValueError("the plan holds NaN or infinity; raise eps, or use solver='emd'")
    if (coupling < 0).any():
        raise ValueError(f"the plan holds the negative mass {coupling.min():.2g}; the solver failed")
    errors = [(coupling.sum(axis) * coupling.shape[1 - axis] - 1).abs().max().item() for axis in (0, 1)]
    if max(errors) > tol:
        raise ValueError(
            f"the marginals of the plan are off by {max(errors):.2g} of a unit's mass (rows {errors[1]:.2g}, "
            f"columns {errors[0]:.2g}, wanted {tol:g}): it did not converge; raise eps or max_iterations, "
            "or use solver='emd'"
        )
    return max(errors)


@dataclass(frozen=True, eq=False)
class Plan:
    r"""How the cones of one layer of A become those of the same layer of B.

    Parameters
    ----------
    source, target : Permutation or Conic
        The groups of the layer in A and in B; equal but for the number of units.
    coupling : Tensor
        Shape ``(G_A, G_B)``, total mass 1.
    rotations : Tensor
        Shape ``(G_B, G_A, S-1, S-1)``: turns the section of g into the frame of h.
    solver : str
    eps : float
        Of the entropy, relative to the largest cost; 0 where there is none.
        It is not comparable between layers of different numbers of units.
    """

    source: Permutation | Conic
    target: Permutation | Conic
    coupling: Tensor
    rotations: Tensor
    solver: str
    eps: float = 0.0

    @property
    def perplexity(self) -> float:
        """Partners of a unit of B on geometric average; 1 for a hard plan.

        Units of B without any, which the solver ``naive`` leaves where B is wider, do not count.
        """
        coupling = self.coupling[:, self.coupling.sum(0) > 0]
        share = coupling / coupling.sum(0)
        entropy = -(share * share.clamp_min(1e-300).log()).sum(0)
        return entropy.mean().exp().item()

    def operator(self, side: str) -> Tensor:
        r"""The ``(C_B, C_A)`` matrix for an axis that makes (``out``) or reads (``in``) the channels.

        .. math:: O^{out}_{hg} = \frac{T_{gh}}{\sum_{g'} T_{g'h}} R_{hg}, \qquad
                  O^{in}_{hg} = \frac{T_{gh}}{\sum_{h'} T_{gh'}} R_{hg}

        A unit of B is a mean of units of A; a unit of A shares its outgoing weights among its copies.
        Using one of the two on both sides scales the next layer by :math:`G_B / G_A`.
        """
        check_choice("side", side, ("out", "in"))
        mass = self.coupling.sum(0 if side == "out" else 1, keepdim=True)
        weight = (self.coupling / mass.clamp_min(1e-300)).T
        size = self.source.dim - 1
        sections = weight[..., None, None] * self.rotations
        if self.source.share_axis:
            matrix = torch.zeros(self.target.size, self.source.size, dtype=torch.float64)
            matrix[0, 0] = 1
            matrix[1:, 1:] = sections.permute(0, 2, 1, 3).reshape(len(weight) * size, -1)
            return self._in_frame(matrix)
        # Columns first: axis and section of every cone of A, then rows: of every cone of B.
        count = weight.shape[1]
        axis = join(weight[..., None], torch.zeros(*weight.shape, size, dtype=torch.float64), 1, False,
                    self.source.layout)  # fmt: skip
        section = join(torch.zeros(len(weight), size, count, 1, dtype=torch.float64),
                       sections.transpose(1, 2), 2, False, self.source.layout)  # fmt: skip
        return self._in_frame(join(axis[:, None], section, 0, False, self.target.layout))

    def _in_frame(self, matrix: Tensor) -> Tensor:
        return self.target._turn(self.source._turn(matrix, 1), 0)


def _blocks(source, target, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Axis products ``(G_B, G_A)`` and section blocks of a covariance of B's channels with A's."""
    turned = target._turn(source._turn(covariance, 1), 0)

    def cut(x: Tensor, axis: int, group) -> tuple[Tensor, Tensor]:
        return split(x, axis, group.groups, group.dim, group.share_axis, group.layout)

    axis, section = cut(turned, 0, target)
    return cut(axis, 2, source)[0].squeeze(3).squeeze(1), cut(section, 2, source)[1].permute(0, 2, 1, 3)


def _units(group, second: Tensor) -> Tensor:
    """Mean square norm of each cone, from the mean squares of channels in the turned frame."""
    axis, section = split(second, 0, group.groups, group.dim, group.share_axis, group.layout)
    return section.sum(1) if group.share_axis else axis.squeeze(1) + section.sum(1)


def _couple(
    cost: Tensor, gain: Tensor, solver: str, eps: float, partners: int, max_iterations: int
) -> Tensor:
    """The coupling ``(G_A, G_B)`` for a cost of the same shape."""
    import ot

    rows, columns = cost.shape
    if solver == "naive":
        return torch.eye(rows, columns, dtype=torch.float64) / max(rows, columns)
    if not torch.isfinite(cost).all():
        raise ValueError("costs hold NaN or infinity; check the weights and the samples")
    scaled = (cost / cost.abs().max().clamp_min(1e-300)).numpy()
    a, b = (
        torch.full((rows,), 1 / rows).double().numpy(),
        torch.full((columns,), 1 / columns).double().numpy(),
    )
    if solver == "emd":
        return torch.as_tensor(ot.emd(a, b, scaled, numItermax=max(max_iterations, 10**6)))
    if solver == "sinkhorn":
        # On tensors POT sums exponentials with PyTorch, ten times as fast as with SciPy.
        tensors = (torch.as_tensor(x) for x in (a, b, scaled))
        return ot.sinkhorn(
            *tensors, eps, method="sinkhorn_log", numItermax=max_iterations, stopThr=1e-7, warn=False
        )
    from scipy.optimize import linear_sum_assignment

    if rows != columns or partners > rows:
        raise ValueError(
            f"partners={partners} for {rows} and {columns} units; wanted equal widths of at least that"
        )
    left, coupling = gain.T.clone(), torch.zeros(rows, columns, dtype=torch.float64)
    # Taken pairs cost more than any set of free ones could gain.
    penalty = 4 * rows * left.abs().max().clamp_min(1e-300)
    for _ in range(partners):
        pairs = linear_sum_assignment(left.numpy(), maximize=True)
        coupling[pairs] += 1 / (partners * rows)
        left[pairs] -= penalty
    return coupling


def transport_plans(
    spec_a: Spec,
    spec_b: Spec,
    model_a: nn.Module,
    model_b: nn.Module,
    batches: Iterable | Tensor,
    *,
    mode: str = "conic",
    solver: str = "emd",
    eps: float = 0.01,
    partners: int = 1,
    max_iterations: int = 5000,
    tol: float = 1e-4,
) -> dict[str, Plan]:
    r"""Plans from each hidden layer of A to that of B, from what both put out on given samples.

    .. math:: \mathrm{cost}(g,h) = \min_R \mathbb E\lVert u_g - R^\top v_h\rVert^2
              = \lVert u_g\rVert^2 + \lVert v_h\rVert^2 - 2\,\mathrm{gain}(h,g)

    Parameters
    ----------
    spec_a, spec_b : Spec
        With the same group names; the numbers of units may differ.
    model_a, model_b : Module
        Copied in float64 and evaluation mode; not changed.
    batches : Tensor or iterable
        Inputs, or tuples that start with them; streamed.
    mode : {"conic", "permutation"}
        With the best rotation for each pair of cones, or with none.
    solver : {"emd", "sinkhorn", "partners", "naive"}
        Exact transport (POT); entropic transport in the log domain (POT);
        the mean of ``partners`` disjoint assignments (SciPy), to compare at one softness;
        the first units as they stand, padded with zeros or cut off, as a baseline.
    eps : float
        Entropy relative to the largest cost.
    max_iterations : int
    tol : float
        Largest relative error of the marginals.

    Returns
    -------
    dict of str to Plan

    Raises
    ------
    ValueError
        Specifications that do not correspond; too few samples; a plan that did not converge.

    References
    ----------
    Singh and Jaggi, "Model Fusion via Optimal Transport", NeurIPS 2020, arXiv 1910.05653, section 4.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> small = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> large = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> specs = from_sequential(small), from_sequential(large)
    >>> plans = transport_plans(*specs, small, large, torch.randn(50, 5))
    >>> plans["0"].coupling.shape, round(plans["0"].perplexity, 6)
    (torch.Size([4, 8]), 1.0)
    """
    check_choice("mode", mode, ("conic", "permutation"))
    check_choice("solver", solver, SOLVERS)
    partners = check_int("partners", partners, 1)
    if solver == "sinkhorn":
        eps = check_number("eps", eps, "use a number above 0, such as 0.01, or solver='emd'", gt=0, lt=math.inf)
    _check_correspond(spec_a, spec_b)
    statistics = _second_moments(spec_a, spec_b, double_model(model_a), double_model(model_b), batches)
    plans = {}
    for name, source in spec_a.groups.items():
        target = spec_b.groups[name]
        covariance, second_a, second_b, count = statistics[name]
        if mode == "conic" and source.rotate and count < source.dim - 1:
            raise ValueError(
                f"{count} samples do not determine rotations of {source.dim - 1} dimensions for {name!r}; "
                "give more"
            )
        axis, section = _blocks(source, target, covariance)
        gain = torch.zeros_like(axis) if source.share_axis else axis.clone()
        rotating = mode == "conic" and source.rotate and source.dim > 1 and solver != "naive"
        if source.dim > 1:
            values = torch.linalg.svdvals(section) if rotating else section.diagonal(dim1=-2, dim2=-1)
            gain = gain + values.sum(-1)
        cost = _units(source, second_a)[:, None] + _units(target, second_b)[None] - 2 * gain.T
        coupling = _couple(cost, gain, solver, eps, partners, max_iterations)
        if solver != "naive":
            check_coupling(coupling, tol)
        eye = torch.eye(source.dim - 1, dtype=torch.float64).expand(*section.shape)
        plans[name] = Plan(source, target, coupling, polar(section) if rotating else eye, solver,
                           eps if solver == "sinkhorn" else 0.0)  # fmt: skip
    return plans


def _check_correspond(spec_a: Spec, spec_b: Spec) -> None:
    if list(spec_a.groups) != list(spec_b.groups) or set(spec_a.axes) != set(spec_b.axes):
        raise ValueError(
            f"the specifications name groups {list(spec_a.groups)} and {list(spec_b.groups)}; "
            "transport needs layers that correspond by name"
        )
    for name, one in spec_a.groups.items():
        other = spec_b.groups[name]
        for group in (one, other):
            if not isinstance(group, Permutation | Conic) or group.blocks > 1:
                raise ValueError(f"transport knows units and cones without blocks, not {group} of {name!r}")
        same = None
        if type(one) is type(other):
            same = replace(one, **{"n" if isinstance(one, Permutation) else "groups": other.groups})
        if same != other:
            raise ValueError(f"{name!r} is {one} in A and {other} in B; only the number of units may differ")
    views = sorted({place[0] for name in spec_a.groups for place in spec_a.views(name)})
    if views:
        raise ValueError(f"transport knows every channel of a group, and {views} have only its units or sections")
    for parameter, rules in spec_a.axes.items():
        if rules != spec_b.axes[parameter]:
            raise ValueError(
                f"{parameter} has axes {rules} in A and {spec_b.axes[parameter]} in B; they must agree"
            )


def _second_moments(spec_a: Spec, spec_b: Spec, model_a, model_b, batches) -> dict:
    """For each group: E[b a^T], the mean squares of both in the turned frame, and the number of rows."""
    places = (points(spec_a, model_a), points(spec_b, model_b))
    common = [name for name in places[0] if name in places[1]]
    found: dict[str, list] = {}
    counted: dict[str, int] = {}
    with torch.no_grad():
        for batch in [batches] if isinstance(batches, Tensor) else batches:
            seen: list[dict[str, Tensor]] = [{}, {}]
            for model, store in zip((model_a, model_b), seen, strict=True):
                with observed(model, common, store.__setitem__):
                    for x in inputs_of([batch], model):
                        model(x)
            for module in common:
                one, other = (store[module].cpu() for store in seen)
                for (name, at), (_, to) in zip(places[0][module], places[1][module], strict=True):
                    source, target = spec_a.groups[name], spec_b.groups[name]
                    a, b = one[:, at : at + source.size], other[:, to : to + target.size]
                    sums = [b.T @ a, source._turn(a, 1).square().sum(0), target._turn(b, 1).square().sum(0)]
                    found[name] = (
                        [x + y for x, y in zip(found[name], sums, strict=True)] if name in found else sums
                    )
                    counted[name] = counted.get(name, 0) + len(a)
    missing = [name for name in spec_a.groups if name not in found]
    if missing:
        raise ValueError(f"layers of {missing} saw no samples; give at least one batch")
    return {name: (*(value / counted[name] for value in sums), counted[name]) for name, sums in found.items()}


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
        Judge it alone first: a soft plan shrinks what it averages, and a fused network hides that.

    Raises
    ------
    ValueError
        Plans missing, or not of this specification.

    Examples
    --------
    >>> from colu.fusion import from_sequential
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
    operators = {(name, side): plan.operator(side) for name, plan in plans.items() for side in ("out", "in")}
    result = {}
    for parameter, tensor in state_a.items():
        moved = tensor.detach().clone()
        for axis, parts in enumerate(spec_a.axes.get(parameter, ())):
            if all(part.name == FIXED for part in parts):
                continue
            last, pieces, offset = moved.double().movedim(axis, -1), [], 0
            for part in parts:
                size = part.size if part.name == FIXED else spec_a.groups[part.name].size
                stretch = last[..., offset : offset + size * part.repeat]
                offset += size * part.repeat
                if part.name != FIXED:
                    operator = operators[part.name, part.side or ("in" if axis else "out")].to(moved.device)
                    grid = stretch.unflatten(-1, (size, part.repeat))
                    stretch = torch.einsum("hg,...gr->...hr", operator, grid).flatten(-2)
                pieces.append(stretch)
            moved = torch.cat(pieces, -1).movedim(-1, axis).to(tensor.dtype).contiguous()
        result[parameter] = moved
    return result
