"""Matching: the group element that brings one network nearest to another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from colu.checks import check_choice, check_int
from colu.geometry import ConicElement

from .groups import MODES
from .invariance import double_model
from .lazy import Moved, groups_on
from .observe import observed, points
from .samples import call, inputs_of
from .spec import Spec, State, apply, check_states, gathered
from .states import plain_state, unwrapped
from .wreath import Wreath, WreathElement

__all__ = ["Alignment", "match_activations", "match_weights", "random_alignment"]


@dataclass(frozen=True, eq=False)
class Alignment:
    r"""Elements that move the second model towards the first, and how they were found.

    Parameters
    ----------
    elements : dict
        One element a group.
    mode : str
        ``naive``, ``permutation``, ``conic``, or ``random`` for the control.
    source : str
        ``weights`` or ``activations``.
    trace : tuple of float
        The objective :math:`\langle A, Q B\rangle` at the start and after each update; it never falls.
    sweeps : int
        Passes over all groups.
    converged : bool
        Whether the last sweep gained less than the tolerance.
    seed : int
        Of the order of updates.
    """

    elements: Mapping
    mode: str
    source: str
    trace: tuple[float, ...]
    sweeps: int
    converged: bool
    seed: int

    @property
    def objective(self) -> float:
        """The last value of the trace."""
        return self.trace[-1]

    def apply(self, spec: Spec, state: State) -> dict[str, Tensor]:
        """The second model in the frame of the first; see :func:`colu.fusion.apply`."""
        return apply(spec, self.elements, state)

    def describe(self) -> dict:
        """Plain figures for a report: units moved, reflections, sweeps."""
        groups = {}
        for name, element in self.elements.items():
            if isinstance(element, ConicElement):
                moved = element.permutation != torch.arange(element.num_groups)
                reflected = torch.linalg.det(element.rotations) < 0 if element.dim > 1 else torch.zeros(1)
                groups[name] = {"units": element.num_groups, "dim": element.dim, "moved": int(moved.sum()),
                                "reflections": int(reflected.sum())}  # fmt: skip
            elif isinstance(element, WreathElement):
                groups[name] = _figures(element)
            else:
                moved = int(not element.is_identity())
                groups[name] = {"units": 1, "dim": len(element.matrix), "moved": moved,
                                "reflections": int(torch.linalg.det(element.matrix) < 0)}  # fmt: skip
        names = ("mode", "source", "sweeps", "converged", "seed")
        return {name: getattr(self, name) for name in names} | {
            "objective": [self.trace[0], self.objective],
            "groups": groups,
        }


def _figures(element: WreathElement) -> dict[str, int]:
    """Units moved, units inside which anything is done, and reflections among the maps that mix channels."""
    inside = torch.zeros(element.num_groups, dtype=torch.bool)
    reflections = 0
    for one, matrices in element.sets():
        if matrices is not None:
            eye = torch.eye(one.size, dtype=matrices.dtype)
            inside |= (matrices - eye).abs().flatten(1).amax(1) > 1e-9
            reflections += int((torch.linalg.det(matrices) < 0).sum()) if one.turns else 0
    moved = int((element.permutation != torch.arange(element.num_groups)).sum())
    return {"units": element.num_groups, "dim": element.dim, "moved": moved, "inside": int(inside.sum()),
            "reflections": reflections}  # fmt: skip


def random_alignment(spec: Spec, seed: int = 0) -> Alignment:
    """Random elements, the control that every matching has to beat.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> random_alignment(from_sequential(model)).mode
    'random'
    """
    return Alignment(spec.random(seed), "random", "none", (float("nan"),), 0, True, seed)


def _as_rows(tensor: Tensor, axis: int, offset: int, size: int, repeat: int) -> Tensor:
    stretch = tensor.narrow(axis, offset, size * repeat).unflatten(axis, (size, repeat))
    return stretch.movedim(axis, 0).flatten(1)


def _covariance(spec: Spec, name: str, a: State, b: State) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum over all axes that carry a group of what the two models have there, and what its solver takes apart."""
    group = spec.groups[name]
    size = group.size
    total, apart = None, {}
    for parameter, axis, offset, repeat, _ in spec.occurrences(name):
        if parameter in spec.unmatched:
            continue
        total = _added(total, *(_as_rows(state[parameter], axis, offset, size, repeat) for state in (a, b)))
    for parameter, axis, places, _, even in spec.scattered(name):
        if parameter in spec.unmatched:
            continue
        rows = (gathered(state[parameter], axis, places).movedim(axis, 0).flatten(1) for state in (a, b))
        if even and isinstance(group, Wreath):
            apart["even"] = _added(apart.get("even"), *rows)
        else:
            total = _added(total, *rows)
    # Entries that do not see signs are left out here: what they lose by an update is seen in the objective.
    pairs = [
        (one.sets, *(one.take(state[one.parameter]).double() for state in (a, b)))
        for one in spec.products(name) if one.parameter not in spec.unmatched and not one.even
    ]  # fmt: skip
    if pairs:
        apart["products"] = pairs
    if total is None:
        total = next(iter(a.values())).new_zeros(size, size, dtype=torch.float64)
    return total, apart


# Entries that are widened to float64 at a time: a stretch of 4 MB.
STRETCH = 2**19


def _added(total: Tensor | None, one: Tensor, other: Tensor) -> Tensor:
    """The sum of products so far and one more, in float64; its factors are widened a stretch of columns at a time."""
    total = one.new_zeros(len(one), len(other), dtype=torch.float64) if total is None else total
    step = max(1, STRETCH // max(len(one), 1))
    for left, right in zip(one.split(step, 1), other.split(step, 1), strict=True):
        total.addmm_(left.double(), right.double().T)
    return total


def _inner(one: Tensor, other: Tensor) -> float:
    """The inner product of two entries, in float64, a stretch at a time."""
    parts = zip(one.flatten().split(STRETCH), other.flatten().split(STRETCH), strict=True)
    return math.fsum((left.double() * right.double()).sum().item() for left, right in parts)


def _is_quadratic(spec: Spec, name: str) -> bool:
    """Whether a parameter carries a group on two axes, or twice on one."""
    if spec.products(name):
        return True
    places = [*spec.occurrences(name), *spec.scattered(name)]
    return any(one[0] == other[0] and one[1] != other[1] for one in places for other in places)


def match_weights(
    spec: Spec,
    a: State,
    b: State,
    *,
    mode: str = "conic",
    seed: int = 0,
    max_sweeps: int = 100,
    tol: float = 1e-9,
    start: Mapping | None = None,
) -> Alignment:
    r"""Bring ``b`` nearest to ``a`` in weight space, by block coordinate ascent.

    .. math:: & \max_Q \sum_\theta \langle \theta_A, (Q\theta_B)\rangle, \\
              & \mathrm{gain}(i,j) = M_{aa} + \lVert M_{ss}\rVert_*

    One group at a time, the others fixed, the problem is linear in its element and solved exactly:
    an assignment over cones (SciPy) and a polar factor for each (SVD; reflections allowed).
    Where entries belong to two sets of channels of a unit, as the rows of query heads that share a key do, each pair
    of units has such a problem inside it.

    Parameters
    ----------
    spec : Spec
    a, b : dict of str to Tensor
        State dicts of one architecture, on any device; not changed. Mappings that are no dict, such as
        :class:`colu.fusion.StoredState`, are read entry by entry: no network is ever held whole.
    mode : {"conic", "permutation", "naive"}
        The whole group; permutations of channels or of cones only; nothing.
    seed : int
        Of the random order in which groups are updated; other orders end in other local optima.
    max_sweeps : int
        Rotations converge linearly, not in finitely many steps as permutations do.
    tol : float
        Stop when a sweep gains less than this share of :math:`\lVert A\rVert \lVert B\rVert`.
    start : dict, optional
        Elements to start from; the identity by default. In mode ``permutation`` it should hold no rotations.

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        States that differ in architecture, hold NaN, or do not fit the specification.

    Notes
    -----
    Objective and linear algebra are in float64.
    The trace is the objective of the moved weights, computed anew after each update.
    If a parameter carries one group on two axes, the objective is quadratic in it;
    an update that would lower it is then not made, so that the trace never falls.
    Each update costs :math:`O(C^2 D)` for the covariance, :math:`O(G^2 S^3)` for the singular values,
    :math:`O(G^3)` for the assignment: at C = 2048 about one second, measured as 2.7, 2.1 and 1.9 s of CPU time
    for a sweep over both hidden layers of a 784-2048-2048-10 perceptron with S = 1, 4 and 16
    (AMD EPYC, one thread).

    References
    ----------
    Ainsworth, Hayase and Srinivasa, "Git Re-Basin", ICLR 2023, arXiv 2209.04836
    (``ainsworth2023rebasin``), section 3.2 and algorithm 1.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> spec, state = from_sequential(model), model.state_dict()
    >>> moved = apply(spec, spec.random(seed=1), state)
    >>> back = match_weights(spec, state, moved).apply(spec, moved)
    >>> all(torch.equal(back[name], state[name]) for name in state)
    True
    """
    check_choice("mode", mode, MODES)
    max_sweeps, seed = check_int("max_sweeps", max_sweeps, 1), check_int("seed", seed, 0)
    a, b = plain_state(a, spec.axes, "the first model"), plain_state(b, spec.axes, "the second model")
    check_states(spec, a, b)
    touched = spec.touched()
    elements = dict(spec.identity() if start is None else start)
    moving = Moved(spec, elements, b, wide=True)
    fixed = Moved(spec, {}, a, wide=True)
    # What is in memory is held in float64; what lies on a disk is read, entry by entry, each time it is asked for.
    held = isinstance(a, dict) and isinstance(b, dict)
    if held:
        device = next(iter(a.values())).device
        moving = {name: moving[name].to(device) for name in touched}
        fixed = {name: fixed[name] for name in touched}
    matched = sorted(touched - set(spec.unmatched))

    def product(name: str, value: Tensor) -> float:
        return _inner(fixed[name], value)

    parts, squares = {}, [0.0, 0.0]
    for name in matched:
        value = moving[name]
        parts[name] = product(name, value)
        squares = [squares[0] + _inner(fixed[name], fixed[name]), squares[1] + _inner(value, value)]
    scale = squares[0] ** 0.5 * squares[1] ** 0.5
    trace = [math.fsum(parts.values())]
    names, generator = list(spec.groups), torch.Generator().manual_seed(seed)
    acting = groups_on(spec)
    affected = {name: [parameter for parameter in acting if name in acting[parameter]] for name in names}
    twice = {name for name in names if _is_quadratic(spec, name)}
    sweep, converged, due = 0, mode == "naive", set(names)
    while sweep < max_sweeps and not converged:
        before = trace[-1]
        for index in torch.randperm(len(names), generator=generator).tolist():
            name = names[index]
            # What surrounds it is as it was when it was solved, and so is its optimum.
            if name not in due:
                continue
            due.discard(name)
            covariance, apart = _covariance(spec, name, fixed, moving)
            element = spec.groups[name].solve(covariance, mode, **apart)
            tried, changed = dict(parts), {}
            for parameter in affected[name]:
                acted = spec.act(name, element, {parameter: moving[parameter]})[parameter]
                if parameter in parts:
                    tried[parameter] = product(parameter, acted)
                if held:
                    changed[parameter] = acted
            if (value := math.fsum(tried.values())) > trace[-1]:
                elements[name] = element.compose(elements[name])
                parts = tried
                due.update(other for parameter in affected[name] for other in acting[parameter] if other != name)
                due.update(twice & {name})
                if held:
                    moving.update(changed)
            trace.append(max(value, trace[-1]))
        sweep += 1
        converged = trace[-1] - before <= tol * scale
    return Alignment(elements, mode, "weights", tuple(trace), sweep, converged, seed)


def match_activations(
    spec: Spec,
    model_a: nn.Module,
    model_b: nn.Module,
    batches: Iterable | Tensor,
    *,
    mode: str = "conic",
    centre: bool = False,
) -> Alignment:
    r"""Bring ``model_b`` nearest to ``model_a`` in what its layers put out on given samples.

    .. math:: \max_Q \mathbb E\,\langle h_A(x), Q\, h_B(x)\rangle

    Each group has a problem of its own, so one solution is the optimum and no sweeps are needed.

    Parameters
    ----------
    spec : Spec
        Its parameters must be those of modules: the outputs of these layers, before the activation, are
        compared.
    model_a, model_b : Module
        Copied in float64 and evaluation mode; not changed.
    batches : Tensor or iterable of Tensor or of tuples
        Inputs, or tuples that start with inputs. Statistics are streamed: memory does not grow with the
        samples.
    mode : {"conic", "permutation", "naive"}
    centre : bool
        Subtract means. They are covariant too and carry the direction of the bias, so they stay by default.

    Returns
    -------
    Alignment
        With the objective at the identity and at the optimum as trace.

    Raises
    ------
    ValueError
        Fewer rows (samples times pixels) than the dimension S - 1 of a section:
        rotations would not be determined; or what :func:`colu.fusion.match_weights` refuses.

    Examples
    --------
    >>> from colu.fusion import from_sequential
    >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> found = match_activations(from_sequential(model), model, model, torch.randn(64, 5))
    >>> all(element.is_identity() for element in found.elements.values())
    True
    """
    check_choice("mode", mode, MODES)
    model_a, model_b = unwrapped(model_a), unwrapped(model_b)
    check_states(spec, model_a.state_dict(), model_b.state_dict())
    places = points(spec, model_a)
    models = [double_model(model_a), double_model(model_b)]
    sums = {name: 0.0 for name in places}
    means: list[dict] = [dict.fromkeys(places, 0.0), dict.fromkeys(places, 0.0)]
    counts = dict.fromkeys(places, 0)
    stream = [batches] if isinstance(batches, Tensor | Mapping) else batches
    with torch.no_grad():
        for batch in stream:
            seen: list[dict[str, Tensor]] = [{}, {}]
            for model, store in zip(models, seen, strict=True):

                def see(name, values, store=store):
                    store[name] = torch.cat([store[name], values]) if name in store else values

                with observed(model, places, see):
                    for x in inputs_of([batch], model):
                        call(model, x)
            for name, one in seen[0].items():
                other = seen[1][name].to(one.device)
                sums[name] = sums[name] + one.T @ other
                for mean, values in zip(means, (one, other), strict=True):
                    mean[name] = mean[name] + values.sum(0)
                counts[name] += len(one)
    return _solve_covariances(spec, places, sums, means, counts, mode, centre)


def _solve_covariances(spec, places, sums, means, counts, mode, centre) -> Alignment:
    covariances: dict[str, Tensor] = {}
    products: dict[str, list] = {name: [] for name in spec.groups}
    available: dict[str, int] = {}
    for module, parts in places.items():
        if not counts[module]:
            raise ValueError(f"layer {module!r} saw no samples; give at least one batch that reaches it")
        matrix = sums[module] / counts[module]
        if centre:
            matrix = matrix - torch.outer(means[0][module], means[1][module]) / counts[module] ** 2
        for name, at, *sets in parts:
            at = at.to(matrix.device)
            available[name] = max(available.get(name, 0), counts[module] - centre)
            if sets:
                products[name].append((*sets, *_rows_of(matrix, at)))
                continue
            here = (at >= 0).to(matrix.dtype)
            block = matrix[at[:, None], at] * here[:, None] * here
            covariances[name] = covariances[name] + block if name in covariances else block
    for name, group in spec.groups.items():
        if products[name] and name not in covariances:
            covariances[name] = matrix.new_zeros(group.size, group.size)
    unseen = [name for name in spec.groups if name not in covariances]
    if unseen:
        raise ValueError(f"no layer puts out the channels of {unseen}; use match_weights")
    elements, trace = {}, [0.0, 0.0]
    for name, group in spec.groups.items():
        needed = group.rows
        if mode == "conic" and available[name] < needed:
            raise ValueError(
                f"{available[name]} samples do not determine rotations of {needed} dimensions for {name!r}; "
                f"give at least {needed}, better ten times as many, or use mode='permutation'"
            )
        if not torch.isfinite(covariances[name]).all():
            raise ValueError(
                f"the activations of {name!r} hold NaN or infinity; check the inputs and the weights"
            )
        apart = {"products": products[name]} if products[name] else {}
        elements[name] = group.solve(covariances[name], mode, **apart)
        for sets, stays, moving in products[name]:
            trace[0] += (stays * moving).sum().item()
            trace[1] += (stays * elements[name].apply_sets(moving, sets)).sum().item()
        trace[0] += covariances[name].diagonal().sum().item()
        trace[1] += group.act(elements[name], covariances[name].mT.contiguous(), 0).diagonal().sum().item()
    return Alignment(elements, mode, "activations", tuple(trace), 1, True, 0)


def _rows_of(matrix: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Two sets of rows at some places ``(G, k, l)`` whose products are those of a matrix."""
    flat = at.flatten()
    here = (flat >= 0).to(matrix.dtype)
    block = matrix[flat[:, None], flat] * here[:, None] * here
    return block.view(*at.shape, -1), torch.eye(len(flat), dtype=matrix.dtype, device=matrix.device).view(*at.shape, -1)
