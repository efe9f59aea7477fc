"""Printed statements held against records, by one rule for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .records import Record, find_records
from .statistics import PairedDifference, paired_difference
from .tables import ENOUGH, metric_of, one_setting

__all__ = ["ENOUGH", "Judgement", "Published", "judge", "load_published"]

PUBLISHED = Path(__file__).parent / "published.yml"
_SAYS = ("higher", "lower", "equal", "unstable")


@dataclass(frozen=True)
class Published:
    """A statement in print and the records that can speak to it; fields as in ``published.yml``."""

    id: str
    statement: str
    source: str
    where: str
    experiment: str
    presets: list[str]
    metric: str
    arm: str
    baseline: str
    says: str
    setting: str
    command: str
    only: dict = field(default_factory=dict)
    baseline_metric: str = ""
    other_task: bool = False

    def __post_init__(self) -> None:
        if self.says not in _SAYS:
            raise ValueError(f"{self.id}: says is {self.says!r}, choose one of {_SAYS}")
        if not isinstance(self.presets, list):
            raise ValueError(f"{self.id}: presets is {self.presets!r}, wanted a list such as [full, laptop]")

    @property
    def metrics(self) -> tuple[str, str]:
        """What is compared: of the arm, and of the baseline."""
        return self.metric, self.baseline_metric or self.metric

    def records(self, root: str | Path | None = None) -> list[Record]:
        """Finished records of the two arms that have the metric, of one setting.

        Which one is said by :func:`colu.lab.results.one_setting`: the largest with enough runs.
        """
        arms = (self.arm, self.baseline)
        found = find_records(self.experiment, root, arms=arms, where=self.only)
        told = [
            r for r in found if r.preset in self.presets and None not in [metric_of(r, name) for name in self.metrics]
        ]
        return one_setting(told, arms)


@dataclass(frozen=True)
class Judgement:
    """What records say of a statement.

    Attributes
    ----------
    verdict : {"reproduced", "not reproduced at this budget", "contradicted", "too few runs", "not tested"}
    difference : PairedDifference or None
        Arm minus baseline on common seeds; None below two pairs, and for statements on stability.
    n : int
        Pairs, or runs of the arm for a statement on stability.
    failed : int or None
        Runs of the arm that failed, for a statement on stability.
    devices : tuple of str
    """

    verdict: str
    difference: PairedDifference | None
    n: int
    failed: int | None = None
    devices: tuple[str, ...] = ()


def load_published(path: Path | None = None) -> list[Published]:
    """The statements of ``published.yml``, in its order.

    Raises
    ------
    ValueError
        If an entry lacks a field, has an unknown one, or an unknown direction.

    Examples
    --------
    >>> load_published()[0].arm
    'colu'
    """
    entries = yaml.safe_load((path or PUBLISHED).read_text(encoding="utf8"))
    try:
        return [Published(key, **entry) for key, entry in entries.items()]
    except TypeError as error:
        raise ValueError(f"{(path or PUBLISHED).name}: {error}") from error


def _by_seed(records: Sequence[Record], arm: str, metric: str) -> dict[int, float]:
    return {r.seed: float(metric_of(r, metric)) for r in records if r.arm == arm}


def judge(published: Published, records: Sequence[Record]) -> Judgement:
    r"""Hold a statement against records.

    With :math:`d` the mean paired difference, arm minus baseline, and :math:`I` its 95 % interval over seeds:
    *reproduced* if :math:`0 \notin I` and :math:`d` has the printed sign; *contradicted* if :math:`0 \notin I` and
    it has the other one; *not reproduced at this budget* if :math:`0 \in I`.
    A printed equality is *contradicted* if :math:`0 \notin I`, and otherwise no difference was shown here either:
    *reproduced*.  *Unstable* is *reproduced* if a run of the arm ends worse than every run of the baseline.
    Below five pairs: *too few runs*, except that one failed run is enough to show that runs fail.

    Parameters
    ----------
    published : Published
    records : sequence of Record
        Of the two arms, one configuration each; see :meth:`Published.records`.

    Returns
    -------
    Judgement

    Examples
    --------
    >>> judge(load_published()[0], []).verdict
    'not tested'
    """
    devices = tuple(sorted({str(r.device.get("name") or r.device["type"]) for r in records}))
    arms = (published.arm, published.baseline)
    arm, baseline = (_by_seed(records, *pair) for pair in zip(arms, published.metrics, strict=True))
    if not arm or not baseline:
        return Judgement("not tested", None, 0)
    if published.says == "unstable":
        failed = sum(value > max(baseline.values()) for value in arm.values())
        few = "too few runs" if len(arm) < ENOUGH else "not reproduced at this budget"
        return Judgement("reproduced" if failed else few, None, len(arm), failed, devices)
    seeds = sorted(set(arm) & set(baseline))
    if len(seeds) < 2:
        return Judgement("too few runs", None, len(seeds), None, devices)
    difference = paired_difference([arm[s] for s in seeds], [baseline[s] for s in seeds])
    if len(seeds) < ENOUGH:
        verdict = "too few runs"
    elif published.says == "equal":
        verdict = "contradicted" if difference.decided else "reproduced"
    elif not difference.decided:
        verdict = "not reproduced at this budget"
    else:
        verdict = "reproduced" if (difference.mean > 0) == (published.says == "higher") else "contradicted"
    return Judgement(verdict, difference, len(seeds), None, devices)
