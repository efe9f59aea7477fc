"""What runs took, from their records."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from colu.lab.results import Record, config_hash
from colu.lab.results.tables import without

from .plans import all_records
from .rerun import rerun_commands

__all__ = ["Cost", "recorded_costs"]


@dataclass(frozen=True)
class Cost:
    """What the recorded runs of one setting took.

    Attributes
    ----------
    experiment, preset, device : str
    arms, runs : int
        How many.
    seconds, total_seconds : float
        Median of a run, and all together.
    peak_memory_bytes : int
        Largest; of the GPU where there is one, else of the process.
    commands : list of str
        Which make these runs again.
    """

    experiment: str
    preset: str
    device: str
    arms: int
    runs: int
    seconds: float
    total_seconds: float
    peak_memory_bytes: int
    commands: list[str]


def recorded_costs(root: str | Path | None = None) -> list[Cost]:
    """One entry for each experiment, setting and device that has records.

    Parameters
    ----------
    root : path, optional
        By default :func:`colu.lab.results.results_root`.
    """
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for r in all_records(root):
        device = str(r.device.get("name") or r.device["type"])
        groups[r.experiment, r.preset, device, config_hash(without(r.config, "arm", "seed"))].append(r)
    return [
        Cost(
            experiment,
            preset,
            device,
            arms=len({r.arm for r in group}),
            runs=len(group),
            seconds=statistics.median(r.seconds for r in group),
            total_seconds=sum(r.seconds for r in group),
            peak_memory_bytes=max(r.peak_memory_bytes for r in group),
            commands=rerun_commands(group),
        )
        for (experiment, preset, device, _), group in sorted(groups.items())
    ]
