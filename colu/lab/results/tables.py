"""Tables made from records only: an arm a row, intervals, differences, a verdict that can be "not told apart"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .records import Record, config_hash
from .statistics import Difference, Summary, paired_difference, summarise

__all__ = ["ENOUGH", "ArmTable", "arm_table", "less_is_better", "metric_of", "one_setting", "setting_text", "without"]

#: Pairs of runs below which nothing is decided.
ENOUGH = 5


def without(config: dict, *names: str) -> dict:
    """A configuration without some of its top-level entries."""
    return {key: value for key, value in config.items() if key not in names}


def metric_of(record: Record, metric: str) -> float | None:
    """A metric at the end of a run, or on its way: ``test_loss@0.25`` is its value after a quarter of the steps.

    Returns
    -------
    float or None
        None where the run does not have it; nothing is interpolated.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.
    """
    name, at, share = metric.partition("@")
    if not at:
        return record.metrics.get(metric)
    if not 0 < float(share) <= 1:
        raise ValueError(f"metric {metric!r}: wanted a share of the steps above 0 and at most 1 behind the @")
    step = round(float(share) * record.config["plan"]["steps"])
    return next((entry.get(name) for entry in record.curve if entry["step"] == step), None)


#: What computed a run, in its configuration.
MACHINE = ("device", "threads", "processes")


def _device(record: Record) -> str:
    return str(record.config.get("device", "cpu"))


def one_setting(records: Iterable[Record], arms: Sequence[str]) -> list[Record]:
    """Runs of one setting, where an experiment was recorded in several: the largest with enough runs.

    Among settings with at least ``ENOUGH`` seeds that all ``arms`` share, the one that saw most examples, that
    is steps times batch size; where none has so many, the one with the most seeds.
    The values of the metrics play no part.
    What computed a run is no part of its setting, but of a pair: all runs of a seed are of one device, of two
    that have it the one with more pairs.

    Parameters
    ----------
    records : iterable of Record
    arms : sequence of str
        What is to be compared.

    Returns
    -------
    list of Record
        All arms of that setting; empty if in no setting all ``arms`` share a seed.
    """
    groups: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        groups[config_hash(without(record.config, "arm", "seed", *MACHINE))][_device(record)].append(record)
    chosen = [_one_device_a_seed(by_device, arms) for by_device in groups.values()]

    def rank(group: list[Record]) -> tuple:
        plan = group[0].config["plan"]
        pairs = len(_common_seeds(group, arms))
        return min(pairs, ENOUGH), plan["steps"] * plan["batch_size"], pairs, group[0].config_hash

    return max(filter(None, chosen), key=rank, default=[])


def _common_seeds(group: Iterable[Record], arms: Sequence[str]) -> set[int]:
    group = list(group)
    return set.intersection(*({r.seed for r in group if r.arm == arm} for arm in arms))


def _one_device_a_seed(by_device: dict[str, list[Record]], arms: Sequence[str]) -> list[Record]:
    """Runs of one setting without a seed twice; none if ``arms`` share no seed on any device."""
    common = {device: _common_seeds(group, arms) for device, group in by_device.items()}
    order = sorted(common, key=lambda device: (-len(common[device]), device))
    if not common[order[0]]:
        return []
    # Pairs first, wherever they are; then the first device lends its other seeds.
    kept: list[Record] = []
    taken: set[int] = set()
    others = {r.seed for r in by_device[order[0]]}
    for device, seeds in [*((name, common[name]) for name in order), (order[0], others)]:
        kept += [r for r in by_device[device] if r.seed in seeds - taken]
        taken |= seeds
    return sorted(kept, key=lambda r: (r.arm, r.seed))


def setting_text(record: Record) -> str:
    """What a run was, in words, out of its configuration.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> setting_text(run_arms("rotation", arms=["relu"], seeds=[0], steps=2)[0])
    '2 updates of 256, width 3, angle 45.0, cap 90.0'
    """
    plan = record.config["plan"]
    said = [f"{plan['steps']:,} updates of {plan['batch_size']:,}"]
    for name, value in record.config["options"].items():
        if value and value is not True:
            shown = "-".join(map(str, value)) if isinstance(value, list) else f"{value}"
            said.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(said)


def less_is_better(metric: str) -> bool:
    """Whether a metric is an error, a loss, a bound or a barrier, by its name.

    Examples
    --------
    >>> [less_is_better(m) for m in ("test_accuracy", "test_nats", "accuracy_barrier_conic", "rfd_cnn")]
    [False, True, True, True]
    """
    parts = set(metric.split("_"))
    return bool(parts & {"barrier", "bce", "bits", "divergence", "error", "loss", "mse", "nats", "rfd"})


@dataclass(frozen=True)
class ArmTable:
    """Means and paired differences of one metric.

    Attributes
    ----------
    metric : str
    arms : dict of str to Summary
    values : dict of str to list of float
        What ``arms`` is the mean of, by seed.
    against : dict of str to Difference
        Arm minus ``baseline``, on the seeds that both have.
    pairs : dict of str to list of float
        What ``against`` is the mean of, a difference for each of those seeds in their order.
    baseline : str
    varies : str
        What differs between the runs of an arm.
    test : str
        Of the intervals.
    """

    metric: str
    arms: dict[str, Summary]
    values: dict[str, list[float]]
    against: dict[str, Difference]
    pairs: dict[str, list[float]]
    baseline: str
    higher_is_better: bool
    varies: str = "the seed: initial weights and order of the batches"
    test: str = "Student's t, two-sided, paired on the seed; not corrected for the number of comparisons"

    def verdict(self, arm: str, labels: dict[str, str] | None = None) -> str:
        """Whether ``arm`` is ahead of the baseline, that the two are not told apart, or that pairs are too few to say.

        Names are those of ``labels``; fewer than ``ENOUGH`` pairs decide nothing, whatever their interval.
        """
        first, second = ((labels or {}).get(name, name) for name in (arm, self.baseline))
        if (pairs := self.against[arm].n) < ENOUGH:
            return f"{pairs} pairs of {first} and {second} are too few for a verdict"
        return self.against[arm].verdict(first, second, higher_is_better=self.higher_is_better)

    def markdown(self, digits: int = 2, labels: dict[str, str] | None = None) -> str:
        """The table in Markdown, with a line on what varies and which test was used."""
        labels = labels or {}
        level = next(iter(self.arms.values())).level
        heading = self.metric.replace("_", " ") + (" (%)" if self.metric.endswith("accuracy") else "")
        rows = [
            f"| arm | {heading} | minus {labels.get(self.baseline, self.baseline)} | verdict |",
            "|---|---|---|---|",
        ]
        for arm, summary in self.arms.items():
            difference = self.against.get(arm)
            shown = f"{difference:+.{digits}f}" if difference else "—"
            verdict = "" if difference is None else self._short(difference)
            rows.append(f"| {labels.get(arm, arm)} | {summary:.{digits}f} | {shown} | {verdict} |")
        rows += ["", f"Mean ± half the {100 * level:g} % interval; what varies is {self.varies}. Test: {self.test}."]
        return "\n".join(rows)

    def _short(self, difference: Difference) -> str:
        if difference.n < ENOUGH:
            return "too few pairs"
        if not difference.decided:
            return "not told apart"
        return "ahead" if (difference.mean > 0) == self.higher_is_better else "behind"


def arm_table(
    records: Iterable[Record],
    metric: str,
    *,
    baseline: str = "relu",
    higher_is_better: bool = True,
    order: Sequence[str] | None = None,
    level: float = 0.95,
) -> ArmTable:
    """Summarise ``metric`` by arm and pair each arm with the baseline on equal seeds.

    Parameters
    ----------
    records : iterable of Record
        Of one experiment; everything but arm, seed and what computed it must be equal.
    metric : str
    baseline : str
    higher_is_better : bool
    order : sequence of str, optional
        Arms by row.
    level : float

    Raises
    ------
    ValueError
        If runs differ in more than arm, seed and device, a seed was run on two devices, two runs share arm and seed,
        the metric or the baseline is missing, or an arm has fewer than two seeds in common with the baseline.
    """
    records = list(records)
    if not records:
        raise ValueError("there are no records: run `colu run NAME` first, or look for them in another folder")
    settings = {config_hash(without(r.config, "arm", "seed", *MACHINE)) for r in records}
    if len(settings) > 1:
        raise ValueError(
            f"the records have {len(settings)} different settings beside arm and seed; choose one by where="
        )
    by_seed: dict[int, set[str]] = defaultdict(set)
    for record in records:
        by_seed[record.seed].add(_device(record))
    if mixed := [seed for seed, names in by_seed.items() if len(names) > 1]:
        devices = " and ".join(sorted(by_seed[mixed[0]]))
        raise ValueError(f"seed {mixed[0]} was run on {devices}; choose one by where={{'device': ...}}")
    values: dict[str, dict[int, float]] = {}
    for record in records:
        if metric not in record.metrics:
            raise ValueError(f"record {record.stem} has no metric {metric!r}; it has {sorted(record.metrics)}")
        seeds = values.setdefault(record.arm, {})
        if record.seed in seeds:
            raise ValueError(f"arm {record.arm!r} has two records of seed {record.seed}")
        seeds[record.seed] = record.metrics[metric]
    if baseline not in values:
        raise ValueError(f"there is no record of the baseline {baseline!r}; arms are {sorted(values)}")
    arms = [arm for arm in (order or sorted(values)) if arm in values]
    against, pairs = {}, {}
    for arm in arms:
        if arm != baseline:
            common = sorted(values[arm].keys() & values[baseline].keys())
            first, second = ([values[name][seed] for seed in common] for name in (arm, baseline))
            against[arm] = paired_difference(first, second, level=level)
            pairs[arm] = [one - other for one, other in zip(first, second, strict=True)]
    scores = {arm: [values[arm][seed] for seed in sorted(values[arm])] for arm in arms}
    summaries = {arm: summarise(row, level=level) for arm, row in scores.items()}
    varies = ArmTable.varies
    if len(set.union(*by_seed.values())) > 1:
        varies += "; and from pair to pair, but not within a pair, the device"
    return ArmTable(metric, summaries, scores, against, pairs, baseline, higher_is_better, varies)
