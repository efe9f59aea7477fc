"""Many runs on Dask: a local cluster by default, any cluster by address; what is recorded is not done again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from colu.lab.results import Record, read_record, results_root

from .experiment import Config, get_experiment
from .run import record_path, run

__all__ = ["SweepResult", "parse_seeds", "sweep"]


@dataclass
class SweepResult:
    """What a sweep did.

    Attributes
    ----------
    records : list of Record
        All that are finished, those of earlier sweeps too.
    done, skipped : int
        Runs done now, and runs whose record was there.
    failed : dict of str to str
        Error by run.
    """

    records: list[Record] = field(default_factory=list)
    done: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def parse_seeds(text: str) -> list[int]:
    """Seeds from ``0-4``, ``0,3,7`` or both.

    Examples
    --------
    >>> parse_seeds("0-2,7")
    [0, 1, 2, 7]
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        try:
            seeds += range(int(first), int(last or first) + 1)
        except ValueError:
            raise ValueError(f"seeds are {text!r}, wanted whole numbers such as 0-4 or 0,3,7") from None
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {text!r}, wanted each once and at least one")
    return seeds


def _on_worker(value: dict, root: str) -> str:
    """One run in a worker process; its result is the record's file."""
    config = Config(**value)
    run(config, root, say=lambda _: None)
    return str(record_path(config, root))


def sweep(
    experiment: str,
    preset: str = "smoke",
    *,
    arms: str | Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    root: str | Path | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    wait: float = 30.0,
    report: Callable[[str, str], None] | None = None,
    **changes,
) -> SweepResult:
    """Do all runs of arms times seeds that have no record yet.

    A worker that dies loses nothing: Dask gives its run to another, which goes on from the newest checkpoint.
    A driver that dies loses nothing either: the next sweep does what is missing.
    A run that fails is recorded with its error, and the others go on.

    Parameters
    ----------
    experiment, preset : str
    arms, seeds, **changes
        As of :meth:`colu.lab.experiments.Experiment.configs`.
    root : path, optional
        Folder of records, which all workers must see.
    scheduler : str, optional
        Address of a Dask scheduler; without it a cluster of processes is started on this machine.
    workers : int, optional
        Processes of that local cluster; by default one a core.
    wait : float
        Seconds in which the scheduler must answer.
    report : callable, optional
        Called with a run's name and ``skipped``, ``done``, ``failed: ...``.

    Returns
    -------
    SweepResult

    Raises
    ------
    ValueError
        For an unknown experiment, preset, arm or option, before anything starts.
    OSError
        If no scheduler answers at the address.
    """
    from distributed import Client, LocalCluster, as_completed

    configs = get_experiment(experiment).configs(preset, arms, seeds, **changes)
    root = Path(root if root is not None else results_root()).resolve()
    tell = report or (lambda name, event: None)
    result = SweepResult()
    waiting = []
    for config in configs:
        if record_path(config, root).is_file():
            result.skipped += 1
            result.records.append(read_record(record_path(config, root)))
            tell(config.label, "skipped")
        else:
            waiting.append(config)
    if not waiting:
        return result
    cluster = None
    if scheduler is None:
        cluster = LocalCluster(
            n_workers=min(workers or os.cpu_count() or 1, len(waiting)),
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        )
    try:
        with Client(cluster or scheduler, timeout=wait) as client:
            futures = {
                client.submit(
                    _on_worker, c.to_dict(), str(root), key=f"{c.experiment}-{c.hash}", pure=True, retries=0
                ): c
                for c in waiting
            }
            for future in as_completed(futures):
                config = futures[future]
                if future.status == "finished":
                    result.done += 1
                    result.records.append(read_record(future.result()))
                    tell(config.label, "done")
                else:
                    error = future.exception()
                    result.failed[config.label] = f"{type(error).__name__}: {error}"
                    tell(config.label, f"failed: {result.failed[config.label]}")
    finally:
        if cluster is not None:
            cluster.close()
    result.records.sort(key=lambda record: (record.arm, record.seed))
    return result
