"""Loss and accuracy of states, of ensembles, and along the line between two networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.checks import as_int

from .carry import carry, norm_kept
from .matching import Alignment
from .plan import Plan, softness
from .samples import outputs_of, pairs
from .spec import Spec, State
from .states import check_tensors, copied, plain_state, unwrapped

__all__ = [
    "BARRIER",
    "BarrierCurve",
    "FusionMetrics",
    "Metrics",
    "barrier",
    "compare",
    "evaluate",
    "evaluate_ensemble",
    "lerp",
]

Loss = Callable[[Tensor, Tensor], Tensor]

#: The definition that every curve states.
BARRIER = (
    "maximum over the lambdas of (loss((1 - lambda) A + lambda B) - ((1 - lambda) loss(A) + lambda loss(B))); "
    "for accuracy the sign is turned"
)


@dataclass(frozen=True)
class Metrics:
    """Mean cross-entropy in nats (or of a loss that was given), share of right answers, and of how many samples.

    ``confidence`` is the mean of the largest probability. With a loss of one's own there is no accuracy and none.
    """

    loss: float
    accuracy: float | None
    samples: int
    confidence: float | None = None


def lerp(a: State, b: State, t: float) -> dict[str, Tensor]:
    r"""The state :math:`(1 - t) A + t B`; entries that are no floating numbers are those of A.

    Parameters
    ----------
    a, b : dict of str to Tensor
        States with equal names and shapes; not changed.
    t : float
        0 gives A and 1 gives B, bit for bit.

    Returns
    -------
    dict of str to Tensor
        New tensors on the device and in the dtype of A.

    Raises
    ------
    ValueError
        For states that differ in names or shapes.

    Examples
    --------
    >>> lerp({"w": torch.zeros(2)}, {"w": torch.ones(2)}, 0.25)
    {'w': tensor([0.2500, 0.2500])}
    """
    b = plain_state(b, a, "the second state")
    a = plain_state(a, b, "the first state")
    for label, state in (("the first state", a), ("the second state", b)):
        check_tensors(state, label)
    differing = sorted(n for n in {*a, *b} if n not in a or n not in b or a[n].shape != b[n].shape)
    if differing:
        raise ValueError(f"the states differ in {differing}; interpolate between equal architectures")
    if t == 0 or t == 1:
        source = b if t else a
        return {n: (source[n] if a[n].is_floating_point() else a[n]).detach().to(a[n]).clone() for n in a}
    return {
        name: ((1 - t) * one.detach().double() + t * b[name].detach().to(one.device).double()).to(one.dtype)
        if one.is_floating_point()
        else one.detach().clone()
        for name, one in a.items()
    }


@torch.no_grad()
def _measure(predict: Callable[[Tensor, Tensor], Tensor], data, loss: Loss | None = None) -> Metrics:
    total = right = sure = count = answers = 0
    for x, y in pairs(data):
        if any(t.is_floating_point() and t.isnan().any() for t in (x.values() if isinstance(x, Mapping) else (x,))):
            raise ValueError("the inputs that were given hold NaN; check what reads and scales them")
        outputs = predict(x, y)
        y, count = y.to(outputs.device), count + len(y)
        if loss is not None:
            total += float(loss(outputs, y)) * len(y)
            continue
        rows = outputs.movedim(_class_axis(outputs, y), -1).flatten(0, -2)
        _check_classes(y, rows.shape[-1])
        flat, top = y.reshape(-1).long(), rows.max(-1)
        total += F.nll_loss(rows, flat, reduction="sum").item()
        right, sure = right + (top.indices == flat).sum().item(), sure + top.values.exp().sum().item()
        answers += len(flat)
    if not math.isfinite(total):
        raise ValueError(
            f"the loss on the data is {total}: the network, or a loss of your own, gives NaN or infinity on them; "
            "check both on the first batch"
        )
    if not count:
        raise ValueError(
            "the data hold no samples; give at least one batch, in a form that can be read again"
        )
    if loss is not None:
        return Metrics(total / count, None, count)
    return Metrics(total / answers, right / answers, count, sure / answers)


def _check_classes(labels: Tensor, classes: int) -> None:
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"labels are {labels.dtype}; cross-entropy reads whole numbers of classes, or give a loss")
    # That of torch for what does not count.
    labels = labels[labels != -100]
    if labels.numel() and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"labels go from {labels.min().item()} to {labels.max().item()}, and the network has {classes} classes, "
            f"0 to {classes - 1}: check that they belong together"
        )


def _class_axis(outputs: Tensor, labels: Tensor) -> int:
    """Classes are on axis 1, or last where there is a label for each token of a sample."""
    return -1 if outputs.dim() > 2 and labels.shape == outputs.shape[:-1] else 1


def _copied(model: nn.Module) -> nn.Module:
    return copied(unwrapped(model)).eval()


def _predictor(copied: nn.Module, state: State, plain: bool = False) -> Callable[[Tensor, Tensor], Tensor]:
    """Log probabilities, or outputs as they are, by a copy that is good until it takes another state."""
    copied.load_state_dict(dict(plain_state(state, copied.state_dict())))

    def predict(x: Tensor, y: Tensor) -> Tensor:
        outputs = outputs_of(copied, x).double()
        return outputs if plain else outputs.log_softmax(_class_axis(outputs, y))

    return predict


def evaluate(model: nn.Module, state: State, data, *, loss: Loss | None = None) -> Metrics:
    """Loss and accuracy of one state.

    Parameters
    ----------
    model : Module
        A classifier, logits of shape (samples, classes); copied, not changed.
    state : dict of str to Tensor
    data : (inputs, labels), or iterable of such batches
        Batches must be iterable more than once where curves are asked for.
    loss : callable, optional
        ``loss(outputs, labels)``, the mean over samples; cross-entropy of classes by default.

    Returns
    -------
    Metrics

    Examples
    --------
    >>> model = nn.Linear(2, 2)
    >>> state = {"weight": torch.eye(2), "bias": torch.zeros(2)}
    >>> evaluate(model, state, (torch.eye(2), torch.arange(2))).accuracy
    1.0
    """
    return _measure(_predictor(_copied(model), state, loss is not None), data, loss)


def evaluate_ensemble(
    model: nn.Module | Sequence[nn.Module], states: Sequence[State], data, *, loss: Loss | None = None
) -> Metrics:
    """The mean of the probabilities (with a loss of one's own, of the outputs) of several states.

    The upper reference of any fusion. One network for all, or one for each state.

    It costs as many networks as it has members; a fused network costs one.

    Examples
    --------
    >>> model, data = nn.Linear(2, 2), (torch.eye(2), torch.arange(2))
    >>> state = model.state_dict()
    >>> abs(evaluate_ensemble(model, [state, state], data).loss - evaluate(model, state, data).loss) < 1e-12
    True
    """
    if not states:
        raise ValueError("an ensemble of no states; give at least one")
    models = [model] * len(states) if isinstance(model, nn.Module) else model
    plain = loss is not None
    members = [_predictor(_copied(one), state, plain) for one, state in zip(models, states, strict=True)]

    def predict(x: Tensor, y: Tensor) -> Tensor:
        found = torch.stack([member(x, y) for member in members])
        return found.mean(0) if plain else found.logsumexp(0) - math.log(len(members))

    return _measure(predict, data, loss)


@dataclass(frozen=True)
class BarrierCurve:
    """Loss and accuracy along the line between two states.

    Parameters
    ----------
    lambdas, loss, accuracy : tuple of float
    split : str
        What the samples are, such as ``test``.
    samples : int
    definition : str
    """

    lambdas: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    split: str
    samples: int
    definition: str = BARRIER

    def _highest(self, values: Sequence[float]) -> float:
        first, last = values[0], values[-1]
        return max(v - (1 - t) * first - t * last for t, v in zip(self.lambdas, values, strict=True))

    @property
    def loss_barrier(self) -> float:
        """In nats; 0 where no point lies above the chord."""
        return self._highest(self.loss)

    @property
    def accuracy_barrier(self) -> float | None:
        """As a share, not in points; None with a loss of one's own."""
        return self._highest([-value for value in self.accuracy]) if self.accuracy else None

    def to_dict(self) -> dict:
        """All of it as plain values, for JSON."""
        return asdict(self) | {"loss_barrier": self.loss_barrier, "accuracy_barrier": self.accuracy_barrier}


def barrier(
    model: nn.Module,
    a: State,
    b: State,
    data,
    *,
    split: str,
    lambdas: int | Sequence[float] = 25,
    adjust: Callable[[dict, float], State] | None = None,
    loss: Loss | None = None,
) -> BarrierCurve:
    r"""The curve between two states, and how high it rises above the chord.

    .. math:: \max_\lambda\; & \mathcal L\bigl((1-\lambda)A + \lambda B\bigr) \\
              & - (1-\lambda)\mathcal L(A) - \lambda \mathcal L(B)

    Parameters
    ----------
    model : Module
    a, b : dict of str to Tensor
        B already in the frame of A.
    data : (inputs, labels), or iterable of such batches
    split : str
        Name of the samples, kept in the result.
    lambdas : int or sequence of float
        How many from 0 to 1, or which: ascending, with both ends.
    adjust : callable, optional
        ``adjust(state, lambda)`` between the ends, such as a repair of the statistics.
    loss : callable, optional
        As for :func:`colu.fusion.evaluate`.

    Returns
    -------
    BarrierCurve

    References
    ----------
    Frankle et al., "Linear Mode Connectivity and the Lottery Ticket Hypothesis", ICML 2020, arXiv 1912.05671;
    Ainsworth, Hayase and Srinivasa, "Git Re-Basin", ICLR 2023, definition 2.1.

    Examples
    --------
    >>> model, data = nn.Linear(2, 2), (torch.eye(2), torch.arange(2))
    >>> state = model.state_dict()
    >>> barrier(model, state, state, data, split="toy", lambdas=3).loss_barrier < 1e-6
    True
    """
    number = as_int(lambdas)
    points = list(lambdas) if number is None else torch.linspace(0, 1, number, dtype=torch.float64).tolist()
    if len(points) < 3 or points[0] != 0 or points[-1] != 1 or points != sorted(points):
        raise ValueError(
            f"lambdas={lambdas!r}: wanted at least three, ascending from 0 to 1, or their number"
        )
    # One copy for all points: making it takes longer than the loss of a small network.
    copied, metrics = _copied(model), []
    for t in points:
        state = lerp(a, b, t)
        if adjust is not None and 0 < t < 1:
            state = adjust(state, t)
        metrics.append(_measure(_predictor(copied, state, loss is not None), data, loss))
    return BarrierCurve(
        tuple(points),
        tuple(m.loss for m in metrics),
        tuple(m.accuracy for m in metrics) if loss is None else (),
        split,
        metrics[0].samples,
    )


@dataclass(frozen=True)
class FusionMetrics:
    """What a fusion did, with the aligned parent alone beside the fused network.

    Fused accuracy by itself misleads: where an alignment destroys the second parent,
    the mean behaves like the first one and still looks well.

    Attributes
    ----------
    norm_ratios : dict
        Norm of each matrix of the second parent after alignment, by that before.
    softness, norm_kept : dict, optional
        Of plans: partners of a unit (:func:`colu.fusion.softness`), and the share of each norm that is left
        (:func:`colu.fusion.norm_kept`).
    """

    parent_a: Metrics
    parent_b: Metrics
    aligned_alone: Metrics
    fused: Metrics
    ensemble: Metrics
    norm_ratios: Mapping[str, float]
    split: str
    softness: Mapping[str, Mapping[str, float]] | None = None
    norm_kept: Mapping[str, float] | None = None

    @property
    def keeps_the_parent(self) -> bool:
        """Whether the aligned parent alone answers as the parent does, which hard alignment must reach.

        Up to rounding in float32: one answer in a thousand, and 1e-5 of the loss.
        """
        alone, parent = self.aligned_alone, self.parent_b
        close = abs(alone.loss - parent.loss) <= 1e-5 * max(1.0, parent.loss)
        return close and abs(alone.accuracy - parent.accuracy) <= 1e-3

    def to_dict(self) -> dict:
        """All of it as plain values, for JSON."""
        return asdict(self) | {"keeps_the_parent": self.keeps_the_parent}


def compare(
    model: nn.Module,
    spec: Spec,
    a: State,
    b: State,
    alignment: Alignment | Mapping[str, Plan],
    data,
    *,
    split: str,
    t: float = 0.5,
    adjust: Callable[[dict, float], State] | None = None,
    model_b: nn.Module | None = None,
) -> FusionMetrics:
    """Both parents, the second one aligned and alone, the fused network, and the ensemble.

    Parameters are those of :func:`colu.fusion.barrier`; ``b`` is the second parent before alignment.
    ``alignment`` may be the plans of :func:`colu.fusion.transport_plans` from the second network to the first;
    ``spec`` is that of the second, and where its widths are others, ``model_b`` is its network.

    Examples
    --------
    >>> from colu.fusion import from_sequential, random_alignment
    >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> data = (torch.eye(2), torch.arange(2))
    >>> spec, state = from_sequential(model), model.state_dict()
    >>> compare(model, spec, state, state, random_alignment(spec), data, split="toy").keeps_the_parent
    True
    """
    hard = isinstance(alignment, Alignment)
    moved = alignment.apply(spec, b) if hard else carry(spec, alignment, b)
    fused = lerp(a, moved, t)
    if adjust is not None:
        fused = adjust(fused, t)
    ratios = {
        name: (moved[name].double().norm() / b[name].double().norm().clamp_min(1e-300)).item()
        for name in b
        if b[name].is_floating_point() and b[name].dim() > 1
    }
    copied = _copied(model)
    other = copied if model_b is None else _copied(model_b)
    seen = ((copied, a), (other, b), (copied, moved), (copied, fused))
    return FusionMetrics(
        *(_measure(_predictor(net, state), data) for net, state in seen),
        evaluate_ensemble([model, model if model_b is None else model_b], [a, b], data),
        ratios,
        split,
        None if hard else softness(alignment),
        None if hard else norm_kept(spec, b, moved),
    )
