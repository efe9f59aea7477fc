"""The runs of a protocol: first the tuning, the same for every arm, then those that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from colu.lab.experiments import Config, get_experiment
from colu.lab.results import Record, config_hash, metric_of
from colu.lab.results.tables import MACHINE, without

from .gates import best_rate
from .protocol import Protocol

__all__ = ["State", "configurations", "state_of", "tuning_configurations"]


def _settings(config: dict) -> str:
    """Identity of a run, whatever computes it."""
    return config_hash(without(config, *MACHINE))


def tuning_configurations(protocol: Protocol, **changes) -> list[Config]:
    """All runs of the tuning, those of one seed together; ``changes`` say what computes, such as ``device``."""
    experiment, task, tuning = get_experiment(protocol.task.experiment), protocol.task, protocol.tuning
    settings = task.settings | tuning.settings | changes
    return [
        experiment.config(task.preset, arm, seed, **{**settings, "learning_rate": rate})
        for seed in tuning.seeds
        for arm in protocol.arms
        for rate in tuning.learning_rates
    ]


def configurations(protocol: Protocol, rates: dict[str, float], **changes) -> list[Config]:
    """All runs that are compared, each arm at its rate, those of one seed together."""
    experiment, task = get_experiment(protocol.task.experiment), protocol.task
    settings = task.settings | changes
    return [
        experiment.config(task.preset, arm, seed, **{**settings, "learning_rate": rates[arm]})
        for seed in protocol.seeds
        for arm in protocol.arms
    ]


@dataclass(frozen=True)
class State:
    """How far the runs of a protocol are.

    Attributes
    ----------
    rates : dict of str to float
        The rate of each arm; empty until the tuning is done.
    records : list of Record
        Finished runs that are compared.
    failed : list of Record
        Of those, the runs that failed.
    left : list of Config
        What can be run now: of the tuning, or once that is done, of the rest.
    of : int
        Runs in all.
    """

    rates: dict[str, float]
    records: list[Record]
    failed: list[Record]
    left: list[Config]
    of: int

    @property
    def whole(self) -> bool:
        """Whether every run was done, or failed."""
        return bool(self.rates) and not self.left

    def remaining(self, protocol: Protocol) -> int:
        """How many runs are left; until the tuning is done nobody knows which those after it are, but how many."""
        return len(self.left) + (0 if self.rates else len(protocol.arms) * len(protocol.seeds))

    def edges(self, protocol: Protocol) -> list[str]:
        """Arms whose rate is the smallest or the largest of the grid: they may be better beyond it."""
        grid = protocol.tuning.learning_rates
        return [arm for arm, rate in self.rates.items() if rate in (grid[0], grid[-1])]


def state_of(protocol: Protocol, root: str | Path | None = None, **changes) -> State:
    """What of a protocol's runs is there.

    Raises
    ------
    ValueError
        If a record is of another setting, or of another rate than the tuning chose, or a run is there twice.
    """
    done, failed = protocol.records(root), protocol.failed(root)
    twice = {}
    for record in done:
        if (other := twice.setdefault(_settings(record.config), record)) is not record:
            raise ValueError(
                f"protocol {protocol.name}: {other.stem} and {record.stem} are one run twice; keep one of them"
            )
    at = {_settings(r.config): r for r in [*failed, *done]}  # a later try that ended counts
    tuning = tuning_configurations(protocol, **changes)
    of = len(tuning) + len(protocol.arms) * len(protocol.seeds)
    keys = {_settings(c.to_dict()): c for c in tuning}
    others = [r for key, r in at.items() if key not in keys]
    if left := [c for key, c in keys.items() if key not in at]:
        if others:
            raise ValueError(
                f"protocol {protocol.name}: record {others[0].stem} is of {others[0].arm}, whose tuning is not done: "
                f"{len(left)} runs of the tuning are left"
            )
        return State({}, [], [], left, of)
    rates = {}
    for arm in protocol.arms:
        scores: dict[float, list[float]] = {rate: [] for rate in protocol.tuning.learning_rates}
        for key, config in keys.items():
            value = metric_of(at[key], protocol.tuning.metric) if at[key].status == "done" else None
            if config.arm == arm and value is not None:
                scores[config.plan.learning_rate].append(value)
        # A rate at which some seeds fail is no rate to compare at.
        kept = {rate: values for rate, values in scores.items() if len(values) == len(protocol.tuning.seeds)}
        rates[arm] = best_rate(kept or scores, protocol.tuning.metric)
    wanted = {_settings(c.to_dict()): c for c in configurations(protocol, rates, **changes)}
    for record in others:
        if _settings(record.config) not in wanted:
            raise ValueError(
                f"protocol {protocol.name}: record {record.stem} is not of its runs: its rate is "
                f"{record.config['plan']['learning_rate']:g}, the tuning chose {rates.get(record.arm)} for {record.arm}"
            )
    left = [config for key, config in wanted.items() if key not in at]
    mine = [at[key] for key in wanted if key in at]
    return State(
        rates, [r for r in mine if r.status == "done"], [r for r in mine if r.status == "failed"], left, of
    )
