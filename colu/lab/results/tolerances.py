"""How far apart two computations of one run may end, stated from pairs that were measured, and whether two agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from colu.files import held, write_atomically
from colu.lab.fields import CLOSED, Name, Text, number, said

from .compare import Comparison, compare_records
from .records import Record, config_hash
from .tables import ENOUGH, without

__all__ = ["Agreement", "Pair", "Tolerance", "Tolerances", "agreement", "load_tolerances", "measured", "seed_spread"]

STATED = Path(__file__).parent / "tolerances.yml"

#: Words of an agreement, the best first.
SAME, WITHIN, DIFFERENT = "same bits", "within the tolerance", "different"


@checked_dataclass(frozen=True, kw_only=True, config=CLOSED)
class Pair:
    """Two computations of one configuration, and how far apart they were.

    Attributes
    ----------
    experiment : str
    device : str
        Class of both devices.
    record : str
        Stem of the record that was one of the two.
    recorded, rerun : str
        The processors of the two.
    path : str
        Instructions that the rerun was restricted to; ``plain`` for those that its processor has.
    curve : float
        Largest :math:`|\\log(a/b)|` of the training losses at a step.
    metrics, on_the_way : dict of str to float
        Largest absolute difference of each metric at the end, and of each that the curve holds before it.
    """

    experiment: Name
    device: Literal["cpu", "cuda", "mps"]
    record: Text
    recorded: Text
    rerun: Text
    path: Text
    curve: number(ge=0)
    metrics: dict[str, number(ge=0)]
    on_the_way: dict[str, number(ge=0)]


@dataclass(frozen=True)
class Tolerance:
    """What one experiment may differ by on one class of devices.

    Attributes
    ----------
    curve : float
        For :math:`|\\log(a/b)|` of the training losses, about their relative difference.
    metrics, on_the_way : dict of str to float
        Absolute, in the unit of the metric: at the end, and before it. A metric that is not there must be equal.
    pairs : int
        How many were measured.
    """

    curve: float
    metrics: dict[str, float]
    on_the_way: dict[str, float]
    pairs: int


def _largest(several: Iterable[dict[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in several:
        for name, value in one.items():
            found[name] = max(value, found.get(name, 0.0))
    return found


@checked_dataclass(frozen=True, kw_only=True, config=CLOSED)
class Tolerances:
    """The measured pairs, and the factor between the largest difference among them and the tolerance."""

    factor: number(ge=1)
    pairs: list[Pair] = field(default_factory=list)

    def of(self, experiment: str, device: str) -> Tolerance | None:
        """The tolerance of an experiment on a class of devices; None where no pair was measured that differs in a bit.

        A rerun that was meant to differ and does not says nothing of how far one that does may go.

        Examples
        --------
        >>> load_tolerances().of("rotation", "cpu").metrics["num_parameters"]
        0.0
        """
        pairs = [p for p in self.pairs if (p.experiment, p.device) == (experiment, device)]
        if not any(p.curve for p in pairs):
            return None
        metrics, way = _largest(p.metrics for p in pairs), _largest(p.on_the_way for p in pairs)
        return Tolerance(
            self.factor * max(p.curve for p in pairs),
            {name: self.factor * value for name, value in metrics.items()},
            {name: self.factor * value for name, value in way.items()},
            len(pairs),
        )

    def extended(self, new: Iterable[Pair]) -> Tolerances:
        """With further pairs; one of the same record, processors and path is replaced."""
        pairs = {(p.experiment, p.record, p.recorded, p.rerun, p.path): p for p in [*self.pairs, *new]}
        return Tolerances(factor=self.factor, pairs=[pairs[key] for key in sorted(pairs)])

    def write(self, path: Path) -> None:
        """Write them as YAML, below the comment that the file begins with, if it does."""
        text = yaml.safe_dump(asdict(self), sort_keys=False, width=120, default_flow_style=None)
        with held(path.with_name(f".{path.name}.lock"), wait=True):
            lines = path.read_text(encoding="utf8").splitlines(keepends=True) if path.is_file() else []
            head = "".join(lines[: next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))])
            write_atomically(path, head + text)


def load_tolerances(path: Path | None = None) -> Tolerances:
    """The tolerances of ``tolerances.yml`` beside this file, or of another file.

    Raises
    ------
    ValueError
        If the file cannot be read, or does not match the schema; it names field, value and what was wanted.
    """
    path = path or STATED
    try:
        value = yaml.safe_load(path.read_text(encoding="utf8"))
        return TypeAdapter(Tolerances).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{path} does not match the schema of tolerances: {said(error)}") from None
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def _apart(first: Record, second: Record) -> tuple[dict[str, float], dict[str, float]]:
    """Absolute differences of metrics at the end, and the largest of those on the way."""
    end = {k: abs(float(first.metrics[k]) - float(second.metrics[k])) for k in first.metrics.keys() & second.metrics}
    others = {entry["step"]: entry for entry in second.curve[:-1]}
    way = _largest(
        {k: abs(a[k] - b[k]) for k in a.keys() & b.keys() - {"step", "loss", "seconds"}}
        for a in first.curve[:-1]
        if (b := others.get(a["step"]))
    )
    return dict(sorted(end.items())), dict(sorted(way.items()))


def measured(recorded: Record, rerun: Record, path: str) -> Pair:
    """The pair of a record and its rerun, to three digits.

    Raises
    ------
    ValueError
        If they are not of one configuration and one release of PyTorch: those differ by more than a path.
    """
    found = compare_records(recorded, rerun)
    if found.config or found.absent or "torch" in found.versions:
        raise ValueError(f"{recorded.stem} and its rerun are no pair: {found.text().splitlines()[0]}")
    metrics, way = _apart(recorded, rerun)
    return Pair(
        experiment=recorded.experiment,
        device=recorded.device["type"],
        record=recorded.stem,
        recorded=recorded.device["name"],
        rerun=rerun.device["name"],
        path=path,
        curve=_three_digits(found.curve),
        metrics={name: _three_digits(value) for name, value in metrics.items()},
        on_the_way={name: _three_digits(value) for name, value in way.items()},
    )


@dataclass(frozen=True)
class Agreement:
    """Whether a rerun agrees with its record.

    Attributes
    ----------
    word : {"same bits", "within the tolerance", "different"}
    comparison : Comparison
    text : str
        One line: the word, and of what is not the same how far, from where, and the likeliest reason.
    """

    word: str
    comparison: Comparison
    text: str


def _exceeded(apart: dict[str, float], tolerance: dict[str, float], where: str) -> list[str]:
    return [
        f"{name}{where} is off by {gap:.2g} (tolerance {tolerance.get(name, 0.0):.2g})"
        for name, gap in apart.items()
        if not gap <= tolerance.get(name, 0.0)
    ]


def agreement(recorded: Record, rerun: Record, tolerances: Tolerances) -> Agreement:
    """Hold a rerun against its record, by the tolerance that is stated for its experiment and class of devices.

    Where processor, kernel path and versions are the same and all losses are equal, every metric must be equal, too:
    a metric that alone is different was not computed by this run, however small the difference.

    Parameters
    ----------
    recorded, rerun : Record
    tolerances : Tolerances

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        For records of different experiments.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> first, second = run_arms("rotation", arms=["relu"], seeds=[0, 1], steps=20)
    >>> agreement(first, first, load_tolerances()).word
    'same bits'
    >>> agreement(first, second, load_tolerances()).text.split(";")[-1]
    ' likeliest reason: other seed (0 against 1)'
    """
    found = compare_records(recorded, rerun)
    if found.same_bits and not found.config:
        return Agreement(SAME, found, SAME)
    classes = {recorded.device["type"], rerun.device["type"]}
    stated = tolerances.of(recorded.experiment, *classes) if len(classes) == 1 else None
    limit = stated or Tolerance(0.0, {}, {}, 0)
    metrics, way = _apart(recorded, rerun)
    faults = [f"the rerun lacks {name}" for name in found.absent]
    faults += [] if found.curve <= limit.curve else [f"the loss is off by {found.curve:.2g} ({limit.curve:.2g})"]
    faults += _exceeded(metrics, limit.metrics, "") + _exceeded(way, limit.on_the_way, " on the way")
    alone = found.alike and found.curve == 0
    if not (faults or alone or found.config):
        return Agreement(WITHIN, found, f"{WITHIN}: {_worst(found, metrics, limit)}")
    worst = max([found.curve, *found.metrics.values()])
    start = "in metrics alone" if found.first_step is None else f"from step {found.first_step}"
    parts = [f"{DIFFERENT}, {start}, by up to {worst:.2g} in relative terms"]
    parts += [] if stated else [f"no tolerance is stated for {recorded.experiment} on {' and '.join(sorted(classes))}"]
    parts += faults[:2] if stated or found.absent else []
    why = "every loss is equal in every bit, so a metric was edited or is computed otherwise now"
    parts.append(f"likeliest reason: {why if alone else found.likeliest}")
    return Agreement(DIFFERENT, found, "; ".join(parts))


def _worst(found: Comparison, metrics: dict[str, float], limit: Tolerance) -> str:
    """How much of the tolerance was used, by the loss and by the metric that used most."""
    text = f"loss off by {found.curve:.2g} of {limit.curve:.2g} relative"
    used = {name: gap / limit.metrics[name] for name, gap in metrics.items() if gap}
    if used:
        name = max(used, key=used.get)
        text += f", {name} by {metrics[name]:.2g} of {limit.metrics[name]:.2g}"
    return text


def seed_spread(records: Iterable[Record], metric: str) -> float | None:
    """What another seed does to a metric: the standard deviation over seeds, its median over settings and arms.

    Parameters
    ----------
    records : iterable of Record
        Of one experiment.
    metric : str

    Returns
    -------
    float or None
        None where no setting has five seeds.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> seed_spread(run_arms("rotation", arms=["relu"], seeds=range(5), steps=2), "cap_mse") > 0
    True
    """
    groups: dict[str, list[float]] = {}
    for record in records:
        if metric in record.metrics:
            groups.setdefault(config_hash(without(record.config, "seed")), []).append(float(record.metrics[metric]))
    spreads = [np.std(values, ddof=1) for values in groups.values() if len(values) >= ENOUGH]
    return float(np.median(spreads)) if spreads else None
