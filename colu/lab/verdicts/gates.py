"""Gates: what has to hold of the runs before anything is said of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass as plain
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from colu.lab.experiments import get_arm
from colu.lab.fields import CLOSED, Name, Text, number
from colu.lab.results import Record, Summary, less_is_better, metric_of, summarise

__all__ = ["Below", "Gate", "Needs", "Passed", "Reaches", "best_rate", "one_processor"]


@plain(frozen=True)
class Passed:
    """Whether a gate holds, and what was found, as a sentence."""

    holds: bool
    found: str


def _spelt(metric: str) -> str:
    """A metric in words: ``train_loss_last`` is the loss of the last batches."""
    return {"train_loss_last": "last training loss"}.get(metric, metric.replace("_", " "))


def _gained(better: dict[int, float], worse: dict[int, float], metric: str) -> Summary | None:
    """By how much one is better than the other, seed by seed; None below two common seeds."""
    seeds = sorted(better.keys() & worse.keys())
    sign = 1 if less_is_better(metric) else -1
    return summarise([sign * (worse[s] - better[s]) for s in seeds]) if len(seeds) >= 2 else None


def _values(records: Sequence[Record], arm: str, metric: str) -> dict[int, float]:
    found = {r.seed: metric_of(r, metric) for r in records if r.arm == arm}
    return {seed: float(value) for seed, value in found.items() if value is not None}


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Reaches:
    r"""An arm's mean is as good as the printed figure, or better, to within a margin.

    For the baseline, and for the loss of training at its end: a run that is further from it is not the paper's.
    """

    gate: Literal["reaches"]
    arm: Name
    metric: Text
    printed: number()
    within: number(ge=0)

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that it looks at."""
        return (self.arm,)

    def check(self, records: Sequence[Record]) -> Passed:
        """Hold it against finished runs."""
        values = list(_values(records, self.arm, self.metric).values())
        if len(values) < 2:
            return Passed(False, f"{self.arm} has {len(values)} runs with {self.metric}, wanted at least 2")
        found = summarise(values)
        lacking = (found.mean - self.printed) * (1 if less_is_better(self.metric) else -1)
        told = f"{found.mean:.4g} ± {found.half_width:.2g} (n = {found.n})"
        words = f"{_spelt(self.metric)} of {get_arm(self.arm).label} is {told}, printed {self.printed:g}"
        return Passed(lacking <= self.within, words)


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Needs:
    """The task needs what is tested: a control without it is worse than an arm by a stated amount, seed by seed."""

    gate: Literal["needs"]
    arm: Name
    control: Name
    metric: Text
    by: number(gt=0)

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that it looks at."""
        return self.arm, self.control

    def check(self, records: Sequence[Record]) -> Passed:
        """Hold it against finished runs."""
        lost = _gained(*(_values(records, name, self.metric) for name in self.arms), self.metric)
        if lost is None:
            return Passed(False, f"{self.arm} and {self.control} share fewer than 2 seeds with {self.metric}")
        told = f"{lost.mean:.3g} ± {lost.half_width:.2g} (n = {lost.n})"
        labels = [get_arm(name).label for name in (self.control, self.arm)]
        words = f"{labels[0]} loses {told} of {_spelt(self.metric)} to {labels[1]}, wanted {self.by:g}"
        return Passed(lost.low >= self.by, words)


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Below:
    """An arm is better than a figure that its own runs carry, such as the error of as many principal components."""

    gate: Literal["below"]
    arm: Name
    metric: Text
    line: Text

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that it looks at."""
        return (self.arm,)

    def check(self, records: Sequence[Record]) -> Passed:
        """Hold it against finished runs."""
        gained = _gained(*(_values(records, self.arm, name) for name in (self.metric, self.line)), self.metric)
        if gained is None:
            return Passed(False, f"{self.arm} has fewer than 2 runs with {self.metric} and {self.line}")
        told = f"{gained.mean:.3g} ± {gained.half_width:.2g} (n = {gained.n})"
        words = f"{get_arm(self.arm).label} is {told} better in {_spelt(self.metric)} than {_spelt(self.line)}"
        return Passed(gained.low > 0, words)


Gate = Annotated[Reaches | Needs | Below, Field(discriminator="gate")]


def one_processor(records: Sequence[Record], arms: tuple[str, str]) -> Passed:
    """Whether no pair of runs crosses two kinds of processor; says which computed."""
    kinds: dict[int, set[str]] = {}
    for record in records:
        if record.arm in arms:
            kinds.setdefault(record.seed, set()).add(str(record.device.get("name") or record.device["type"]))
    names = sorted(set().union(*kinds.values()))
    crossed = sorted(seed for seed, found in kinds.items() if len(found) > 1)
    if crossed:
        return Passed(False, f"the runs of seed {crossed[0]} are of {' and of '.join(sorted(kinds[crossed[0]]))}")
    return Passed(True, f"all runs on {names[0]}" if len(names) == 1 else f"pairs on {' and on '.join(names)}")


def best_rate(scores: dict[float, Sequence[float]], metric: str) -> float:
    """The rate with the best mean of a metric; a rate without a finished run is out, and if none has any, the least.

    Examples
    --------
    >>> best_rate({0.1: [1.0, 3.0], 0.2: [1.5, 1.7]}, "validation_loss")
    0.2
    """
    sign = 1 if less_is_better(metric) else -1
    means = {rate: sign * float(np.mean(values)) for rate, values in scores.items() if len(values)}
    return min(means, key=lambda rate: (means[rate], rate), default=min(scores))
