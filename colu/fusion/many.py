"""More than two networks: a common frame, a mean chosen by its loss, and one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.checks import check_choice, check_int, check_number

from .groups import MODES
from .matching import match_weights
from .samples import pairs
from .spec import Spec, State, apply, check_states
from .states import check_tensors, loaded, plain_state

__all__ = [
    "FrankWolfe",
    "Universe",
    "cycle_error",
    "frank_wolfe_merge",
    "mean_state",
    "sequential_merge",
    "universe_match",
]


def mean_state(states: Sequence[State], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """The weighted mean of states; entries that are no floating numbers are those of the first.

    Examples
    --------
    >>> mean_state([{"w": torch.zeros(1)}, {"w": torch.ones(1)}], [0.25, 0.75])
    {'w': tensor([0.7500])}
    """
    if not states:
        raise ValueError("a mean of no states; give at least one")
    weights = [1 / len(states)] * len(states) if weights is None else list(weights)
    if len(weights) != len(states):
        raise ValueError(f"{len(weights)} weights for {len(states)} states; give one each")
    states = [plain_state(state, states[0]) for state in states]
    for place, state in enumerate(states):
        check_tensors(state, f"state {place}")
    return {
        name: sum(
            w * s[name].detach().double().to(first.device) for w, s in zip(weights, states, strict=True)
        ).to(first)
        if first.is_floating_point()
        else first.detach().clone()
        for name, first in states[0].items()
    }


@dataclass(frozen=True, eq=False)
class Universe:
    r"""One element for each model, into a frame that all share.

    The way from model q to model p is :math:`Q_p^{-1} Q_q`, so that ways round a cycle compose to the
    identity.

    Parameters
    ----------
    elements : tuple of dict
        For each model, one element a group.
    mode : str
    trace : tuple of float
        The sum over pairs of :math:`\langle Q_p\theta_p, Q_q\theta_q\rangle` after each sweep; it never
        falls.
    sweeps : int
    converged : bool
    """

    elements: tuple[Mapping, ...]
    mode: str
    trace: tuple[float, ...]
    sweeps: int
    converged: bool

    def states(self, spec: Spec, states: Sequence[State]) -> list[dict[str, Tensor]]:
        """All models in the common frame."""
        return [apply(spec, elements, state) for elements, state in zip(self.elements, states, strict=True)]

    def between(self, p: int, q: int) -> dict:
        """The elements that bring model q into the frame of model p."""
        return {
            name: self.elements[p][name].inverse().compose(self.elements[q][name])
            for name in self.elements[p]
        }


def universe_match(
    spec: Spec,
    states: Sequence[State],
    *,
    mode: str = "conic",
    seed: int = 0,
    max_sweeps: int = 50,
    tol: float = 1e-7,
) -> Universe:
    r"""A frame for all models at once, consistent round every cycle by construction.

    .. math:: \max_{Q_1,\dots,Q_n} \sum_{p<q} \langle Q_p\theta_p, Q_q\theta_q\rangle

    One model at a time is matched to the sum of the others; the start is the frame of the first model.

    Parameters
    ----------
    spec : Spec
    states : sequence of dict
        At least two; not changed.
    mode : {"conic", "permutation", "naive"}
    seed, tol
        As for :func:`colu.fusion.match_weights`.
    max_sweeps : int
        Passes over all models.

    Returns
    -------
    Universe

    Raises
    ------
    ValueError
        Fewer than two states, or what :func:`colu.fusion.match_weights` refuses.

    Notes
    -----
    C2M3 climbs the same objective by Frank-Wolfe steps over all layers together;
    here it is climbed block by block, which needs no relaxation and keeps the trace monotone.

    References
    ----------
    Crisostomi et al., "C2M3: Cycle-Consistent Multi-Model Merging", NeurIPS 2024, arXiv 2405.17897.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> spec, state = from_sequential(model), model.state_dict()
    >>> found = universe_match(spec, [state, *(apply(spec, spec.random(seed), state) for seed in (1, 2))])
    >>> cycle_error([found.between(0, 1), found.between(1, 2), found.between(2, 0)]) < 1e-12
    True
    """
    check_choice("mode", mode, MODES)
    max_sweeps = check_int("max_sweeps", max_sweeps, 1)
    if len(states) < 2:
        raise ValueError(f"{len(states)} states have no common frame to find; give at least two")
    states = [plain_state(state, spec.axes) for state in states]
    for other in states[1:]:
        check_states(spec, states[0], other)
    wide = [
        {n: t.detach().double() if t.is_floating_point() else t for n, t in state.items()} for state in states
    ]
    elements = [dict(spec.identity())]
    elements += [
        dict(match_weights(spec, wide[0], state, mode=mode, seed=seed, tol=tol).elements)
        for state in wide[1:]
    ]
    moved = [apply(spec, own, state) for own, state in zip(elements, wide, strict=True)]
    matched = sorted(spec.touched() - set(spec.unmatched))

    def objective() -> float:
        total = {name: sum(state[name] for state in moved) for name in matched}
        squares = sum(state[name].square().sum() for state in moved for name in matched)
        return ((sum(value.square().sum() for value in total.values()) - squares) / 2).item()

    scale = sum(state[name].square().sum().item() for state in wide for name in matched)
    trace, sweep, converged = [objective()], 0, mode == "naive"
    while sweep < max_sweeps and not converged:
        for p, state in enumerate(wide):
            others = mean_state([other for q, other in enumerate(moved) if q != p])
            found = match_weights(
                spec, others, state, mode=mode, seed=seed + sweep, tol=tol, start=elements[p]
            )
            elements[p] = dict(found.elements)
            moved[p] = apply(spec, elements[p], state)
        sweep += 1
        value = objective()
        # Rounding of a sweep that changed nothing is no fall.
        trace.append(max(value, trace[-1]) if value > trace[-1] - 1e-12 * scale else value)
        converged = trace[-1] - trace[-2] <= tol * scale
    return Universe(tuple(elements), mode, tuple(trace), sweep, converged)


def cycle_error(ways: Sequence[Mapping]) -> float:
    """How far a round trip is from the identity.

    Parameters
    ----------
    ways : sequence of dict
        Elements that are applied one after the other, the last first.

    Returns
    -------
    float
        Mean square displacement of the unit vectors: 0 where all come home, about 2 where none does.

    Examples
    --------
    >>> from colu.fusion import Permutation
    >>> way = {"h": Permutation(4).random(torch.Generator().manual_seed(0))}
    >>> cycle_error([way, {"h": way["h"].inverse()}])
    0.0
    """
    displaced = count = 0.0
    for name in ways[0]:
        trip = ways[0][name]
        for way in ways[1:]:
            trip = trip.compose(way[name])
        matrix = trip.matrix if hasattr(trip, "matrix") else trip.as_matrix()
        displaced += (matrix - torch.eye(len(matrix), dtype=matrix.dtype)).square().sum().item()
        count += len(matrix)
    return displaced / count


@dataclass(frozen=True, eq=False)
class FrankWolfe:
    """A convex combination of models and how its loss fell.

    Parameters
    ----------
    state : dict of str to Tensor
    weights : tuple of float
        Of each model; they sum to 1.
    trace : tuple of float
        Loss at the start and after each step; it never rises.
    gap : float
        The Frank-Wolfe gap at the end: for a convex loss, at most this much is left to gain.
    """

    state: Mapping[str, Tensor]
    weights: tuple[float, ...]
    trace: tuple[float, ...]
    gap: float


def frank_wolfe_merge(
    model: nn.Module, states: Sequence[State], data, *, steps: int = 20, tol: float = 1e-6
) -> FrankWolfe:
    r"""The convex combination of models with the least loss on given samples.

    .. math:: i_k &= \arg\min_i \langle \nabla L(\theta_k), \theta_i\rangle, \\
              \theta_{k+1} &= (1-\gamma_k)\,\theta_k + \gamma_k\,\theta_{i_k}

    with :math:`\gamma_k` the best of 0, 1/2, ..., 1/64 and 1, from the plain mean.

    Parameters
    ----------
    model : Module
        A classifier; copied, evaluated in evaluation mode, not changed.
    states : sequence of dict
        Already in one frame; not changed.
    data : (inputs, labels), or iterable of such batches
        A few hundred samples; read several times.
    steps : int
    tol : float
        Stop when the gap is below this.

    Returns
    -------
    FrankWolfe

    References
    ----------
    Chen et al., "FW-Merging: Scaling Model Merging with Frank-Wolfe Optimization", arXiv 2503.12649, in the
    variant
    that picks one whole model a step.

    Examples
    --------
    >>> model, data = nn.Linear(2, 2), (torch.eye(2), torch.arange(2))
    >>> good, bad = ({"weight": sign * torch.eye(2), "bias": torch.zeros(2)} for sign in (3, -3))
    >>> frank_wolfe_merge(model, [good, bad], data).weights
    (1.0, 0.0)
    """
    steps = check_int("steps", steps, 1)
    batches = list(pairs(data))
    if not batches:
        raise ValueError("no samples to measure the loss on; give some hundreds")
    if not states:
        raise ValueError("nothing to merge; give at least one state")
    work = loaded(model, states[0]).eval()
    states = [plain_state(state, work.state_dict()) for state in states]
    names = [name for name, _ in work.named_parameters()]

    def at(weights: Tensor) -> dict[str, Tensor]:
        return mean_state(states, weights.tolist())

    def measure(weights: Tensor, slopes: bool):
        work.load_state_dict(at(weights))
        work.zero_grad()
        with torch.set_grad_enabled(slopes):
            loss, count = 0.0, sum(len(y) for _, y in batches)
            for x, y in batches:
                part = F.cross_entropy(work(x), y, reduction="sum") / count
                if slopes:
                    part.backward()
                loss += part.item()
        if not slopes:
            return loss, None
        parameters = dict(work.named_parameters())
        gradients = {n: parameters[n].grad for n in names if parameters[n].grad is not None}
        return loss, torch.tensor(
            [sum((g.double() * state[n].to(g.device).double()).sum().item() for n, g in gradients.items())
             for state in states],
            dtype=torch.float64,
        )  # fmt: skip

    weights = torch.full((len(states),), 1 / len(states), dtype=torch.float64)
    loss, slopes = measure(weights, True)
    trace, gap = [loss], float("inf")
    for _ in range(steps):
        chosen = slopes.argmin()
        gap = ((weights * slopes).sum() - slopes[chosen]).item()
        if gap <= tol:
            break
        corner = F.one_hot(chosen, len(states)).double()
        trials = [(1 - g) * weights + g * corner for g in (1.0, *(2.0**-k for k in range(1, 7)))]
        losses = [measure(trial, False)[0] for trial in trials]
        best = min(range(len(losses)), key=losses.__getitem__)
        if losses[best] >= trace[-1]:
            break
        weights = trials[best]
        loss, slopes = measure(weights, True)
        trace.append(min(loss, trace[-1]))
    return FrankWolfe(at(weights), tuple(weights.tolist()), tuple(trace), gap)


def sequential_merge(base: State, states: Sequence[State], *, share: float = 0.5) -> dict[str, Tensor]:
    r"""Merge fine-tuned copies of one model one after the other, each in the complement of those before it.

    .. math:: \Delta &\leftarrow \lambda\,(\lambda'^{-1}\Delta + \Delta_\perp), \\
              \Delta_\perp &= (I - U_r U_r^\top)\,\Delta_t\,(I - V_r V_r^\top)

    U and V are the leading singular vectors of what is merged so far,
    as many as carry ``share`` of the sum of its singular values;
    :math:`\lambda` keeps the norm at the mean norm of the single changes.

    Parameters
    ----------
    base : dict of str to Tensor
        The model before fine-tuning.
    states : sequence of dict
        Fine-tuned copies, all in the frame of the base, in the order of arrival; only one need be held at a
        time.
    share : float
        From 0, which projects nothing away, to 1.

    Returns
    -------
    dict of str to Tensor
        Vectors such as biases are averaged.

    References
    ----------
    Tang et al., "Merging Models on the Fly Without Retraining", NeurIPS 2025, arXiv 2501.09522;
    their projection also keeps some pairs of leading and other directions, which are dropped here.

    Examples
    --------
    >>> zero, one = {"w": torch.zeros(2, 2)}, {"w": torch.diag(torch.tensor([1.0, 0.0]))}
    >>> sequential_merge(zero, [one])["w"]
    tensor([[1., 0.],
            [0., 0.]])
    """
    if not states:
        raise ValueError("nothing to merge; give at least one fine-tuned state")
    share = check_number("share", share, "use a number from 0 to 1", ge=0, le=1)
    states = [plain_state(state, base) for state in states]
    for label, state in [("the base", base), *((f"state {k}", state) for k, state in enumerate(states))]:
        check_tensors(state, label)
    result = {}
    for name, start in base.items():
        if not start.is_floating_point():
            result[name] = start.detach().clone()
            continue
        origin = start.detach().double()
        changes = [state[name].detach().to(start.device).double() - origin for state in states]
        merged = _in_complements(changes, share) if origin.dim() > 1 else sum(changes) / len(changes)
        result[name] = (origin + merged).to(start.dtype)
    return result


def _in_complements(changes: list[Tensor], share: float) -> Tensor:
    shape = changes[0].shape
    total, norms = changes[0].flatten(1), [changes[0].norm()]
    for change in changes[1:]:
        new = change.flatten(1)
        if share > 0 and total.any():
            u, values, vh = torch.linalg.svd(total, full_matrices=False)
            rank = int((values.cumsum(0) < share * values.sum()).sum()) + 1
            u, v = u[:, :rank], vh[:rank].mT
            new = new - u @ (u.mT @ new)
            new = new - (new @ v) @ v.mT
        total = total + new
        norms.append(change.norm())
    length = total.norm()
    return (total * (sum(norms) / len(norms) / length) if length > 0 else total).view(shape)
