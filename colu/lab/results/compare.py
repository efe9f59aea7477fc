"""Two records side by side: what differs, and from which step on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .records import Record

__all__ = ["Comparison", "compare_records"]

#: Of what differs between machines, what is the last to suspect: any later run has another commit.
_NO_CAUSE = ("commit", "changed files")


@dataclass(frozen=True)
class Comparison:
    """What distinguishes two records, in the order in which to look.

    Attributes
    ----------
    config : dict of str to tuple
        Entries of the configuration that differ, dotted names to the two values.
    versions, machine : dict of str to tuple
        Packages; device, threads, processes, commit, changed files, and of the conditions those that decide bits.
    first_step : int or None
        Of the first entry of the curves that differs in any bit of any value but the seconds; None if none does.
    curve : float
        Largest :math:`|\\log(a/b)|` of the training losses at common steps: about the relative difference.
    metrics : dict of str to float
        Relative difference of each metric that both have, against the larger of the two in size.
    absent : list of str
        Metrics, steps of the curve and values at common steps that the first has and the second has not; later code
        may measure more.
    """

    config: dict[str, tuple]
    versions: dict[str, tuple]
    machine: dict[str, tuple]
    first_step: int | None
    curve: float
    metrics: dict[str, float]
    absent: list[str]

    @property
    def same_bits(self) -> bool:
        """Whether all that the first has, curve and metrics, is equal in the second."""
        return self.first_step is None and not any(self.metrics.values()) and not self.absent

    @property
    def alike(self) -> bool:
        """Whether settings, processor, kernel path and versions are the same, as far as both records say."""
        causes = {name for name, values in self.machine.items() if name not in _NO_CAUSE and None not in values}
        return not self.config and not self.versions and not causes

    @property
    def likeliest(self) -> str:
        """The likeliest reason of a difference: settings, processor, kernel path, versions, commit, or none named."""
        for what, of in (("settings", self.config), ("machine", self.machine), ("versions", self.versions)):
            causes = [name for name in of if name not in _NO_CAUSE and None not in of[name]]
            if causes:
                kind = {"settings": "other ", "machine": "other ", "versions": "other version of "}[what]
                told = "CPU or GPU" if causes[0] == "device" else causes[0].replace("kernel", "kernel path")
                return f"{kind}{told} ({of[causes[0]][0]} against {of[causes[0]][1]})"
        if "commit" in self.machine or "changed files" in self.machine:
            commits = [str(c)[:7] for c in self.machine.get("commit", ("the same", "the same"))]
            changed = ", with changed files" if "changed files" in self.machine else ""
            return f"other commit ({commits[0]} against {commits[1]}{changed})"
        return "none that a record names: chance that should not be, or one of them was edited"

    def within(self, tolerance: float) -> bool:
        """Whether configurations are equal, and losses and metrics to a relative ``tolerance``.

        Raises
        ------
        ValueError
            If the tolerance is not positive.
        """
        if not tolerance > 0:
            raise ValueError(f"tolerance is {tolerance!r}, wanted a positive number")
        return not self.config and max([self.curve, *self.metrics.values()]) <= tolerance

    def text(self) -> str:
        """A line for each thing that differs, the likeliest cause first."""
        lines = []
        for what in ("config", "versions", "machine"):
            lines += [f"{what}: {name} is {a!r} against {b!r}" for name, (a, b) in getattr(self, what).items()]
        lines += [f"only the first has {name}" for name in self.absent]
        if self.first_step is None:
            lines.append("curve: equal in every bit")
        else:
            lines.append(f"curve: equal before step {self.first_step}, then up to {self.curve:.2g} in relative terms")
        worst = max(self.metrics, key=self.metrics.get, default=None)
        if worst is not None:
            lines.append(f"metrics: {worst} differs most, by {self.metrics[worst]:.2g} in relative terms")
        return "\n".join(lines)


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _different(first: dict, second: dict) -> dict[str, tuple]:
    a, b = dict(_leaves(first)), dict(_leaves(second))
    return {k: (a.get(k), b.get(k)) for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)}


def _machine(record: Record) -> dict:
    decides = ("kernel", "onednn", "matmul_precision")
    return {
        "device": record.device.get("name"),
        "threads": record.threads,
        "processes": record.processes,
        "commit": record.commit,
        "changed files": record.dirty,
        **{name: (record.conditions or {}).get(name) for name in decides},
    }


def _relative(a: float, b: float) -> float:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    gap = abs(a - b) / max(abs(a), abs(b))
    return gap if math.isfinite(gap) else math.inf


def _log_ratio(a: float, b: float) -> float:
    if a == b:
        return 0.0
    return abs(math.log(a / b)) if a > 0 and b > 0 and math.isfinite(a) and math.isfinite(b) else math.inf


def _entry_differs(first: dict, second: dict) -> bool:
    return any(first[name] != second[name] for name in first.keys() & second.keys() - {"seconds"})


def compare_records(first: Record, second: Record) -> Comparison:
    """Hold one record against another.

    Parameters
    ----------
    first, second : Record
        Of the same experiment; the standing one first.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        For records of different experiments.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> first, second = run_arms("rotation", arms=["relu"], seeds=[0, 1], steps=20)
    >>> compare_records(first, first).same_bits
    True
    >>> compare_records(first, second).config
    {'seed': (0, 1)}
    """
    if first.experiment != second.experiment:
        raise ValueError(
            f"the records are of {first.experiment!r} and {second.experiment!r}; compare runs of one experiment"
        )
    curves = [{entry["step"]: entry for entry in record.curve} for record in (first, second)]
    steps = sorted(curves[0].keys() & curves[1].keys())
    pairs = {step: (curves[0][step], curves[1][step]) for step in steps}
    common = first.metrics.keys() & second.metrics.keys()
    absent = [*sorted(first.metrics.keys() - common), *(f"step {s}" for s in sorted(curves[0].keys() - set(steps)))]
    absent += sorted({f"{name} on the curve" for a, b in pairs.values() for name in a.keys() - b.keys()})
    return Comparison(
        config=_different(first.config, second.config),
        versions=_different(first.versions, second.versions),
        machine=_different(_machine(first), _machine(second)),
        first_step=next((step for step, pair in pairs.items() if _entry_differs(*pair)), None),
        curve=max((_log_ratio(a["loss"], b["loss"]) for a, b in pairs.values()), default=0.0),
        metrics={k: _relative(float(first.metrics[k]), float(second.metrics[k])) for k in sorted(common)},
        absent=absent,
    )
