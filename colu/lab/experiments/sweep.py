"""Many runs: in processes of this machine, or on a cluster of Dask; what is recorded is not done again."""

from __future__ import annotations

import concurrent.futures
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from pathlib import Path

from colu.lab.results import Record, check_root, read_record, results_root
from colu.programs import leave_with

from .experiment import Config, get_experiment
from .run import record_path, recorded, run

__all__ = ["SweepResult", "on_cluster", "parse_seeds", "sweep"]

#: Of one command.
MOST_SEEDS = 10_000


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
    ranges = [re.fullmatch(r"(\d{1,20})(?:-(\d{1,20}))?", part.strip()) for part in text.split(",")]
    if None in ranges:
        raise ValueError(f"seeds are {text!r}, wanted whole numbers such as 0-4 or 0,3,7")
    bounds = [(int(found[1]), int(found[2] or found[1])) for found in ranges]
    if sum(last - first + 1 for first, last in bounds) > MOST_SEEDS:
        raise ValueError(f"seeds are {text!r}, wanted at most {MOST_SEEDS:,}")
    seeds = [seed for first, last in bounds for seed in range(first, last + 1)]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {text!r}, wanted each once and at least one")
    return seeds


def _on_worker(value: dict, root: str, stamp: dict | None = None) -> str:
    """One run in a worker process; its result is the record's file."""
    config = Config(**value)
    run(config, root, say=lambda _: None, stamp=stamp)
    return str(record_path(config, root, stamp))


def _begin(driver: int) -> None:
    """A local worker ends when its driver does, however it does; Ctrl-C is the driver's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with(driver, lambda: os._exit(1))


#: Pools of local workers in a row that may die without finishing a run.
MOST_DEATHS = 3


def _locally(configs: list[Config], root: Path, workers: int) -> Iterator[tuple[Config, BaseException | None]]:
    """Do the runs in processes of this machine, over pipes: no socket is opened."""
    left, deaths = list(configs), 0
    while left and deaths < MOST_DEATHS:
        deaths += 1
        others = set(active_children())
        pool = ProcessPoolExecutor(min(workers, len(left)), get_context("spawn"), _begin, (os.getpid(),))
        try:
            futures = {pool.submit(_on_worker, c.to_dict(), str(root)): c for c in left}
            for future in concurrent.futures.as_completed(futures):
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    continue  # a worker died: another pool goes on from the newest checkpoints
                deaths = 0
                left.remove(futures[future])
                yield futures[future], error
        except BrokenProcessPool:
            pass  # while runs were handed out
        finally:
            # Nothing is left to do for those that live, or the sweep was stopped while they run on.
            for worker in set(active_children()) - others:
                worker.kill()
            pool.shutdown(cancel_futures=True)
    for config in left:
        yield config, RuntimeError(f"its worker died {MOST_DEATHS} times, as for want of memory")


def on_cluster(
    configs: list[Config], root: Path, scheduler: str, wait: float, stamp: dict | None = None
) -> Iterator[tuple[Config, BaseException | None]]:
    """Do runs on a cluster of Dask, whose security is as its configuration says; each with its error.

    Parameters
    ----------
    configs : list of Config
    root : Path
        Which all workers must see.
    scheduler : str
        Its address.
    wait : float
        Seconds in which it must answer.
    stamp : dict, optional
        Of the protocol that asks for the runs.
    """
    from distributed import Client, as_completed

    with Client(scheduler, timeout=wait) as client:
        futures = {
            client.submit(_on_worker, c.to_dict(), str(root), stamp, key=_key(c, stamp), pure=True, retries=0): c
            for c in configs
        }
        for future in as_completed(futures):
            yield futures[future], None if future.status == "finished" else future.exception()


def _key(config: Config, stamp: dict | None) -> str:
    return f"{stamp['digest'] if stamp else config.experiment}-{config.hash}"


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

    A worker that dies loses nothing: its run is given to another, which goes on from the newest checkpoint.
    A driver that dies loses nothing either: its local workers end, and the next sweep does what is missing.
    A run that fails is recorded with its error, and the others go on.

    Parameters
    ----------
    experiment, preset : str
    arms, seeds, **changes
        As of :meth:`colu.lab.experiments.Experiment.configs`.
    root : path, optional
        Folder of records, which all workers must see.
    scheduler : str, optional
        Address of a Dask scheduler; without it processes are started on this machine.
    workers : int, optional
        How many of those, at least 1; by default one a core.
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
        For runs, workers or a folder that cannot be, before anything starts.
    OSError
        If no scheduler answers at the address.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, wanted at least 1; leave it out for one a core")
    if not 0 < wait < float("inf"):
        raise ValueError(f"wait is {wait}, wanted seconds, more than 0")
    configs = get_experiment(experiment).configs(preset, arms, seeds, **changes)
    root = check_root(root if root is not None else results_root()).resolve()
    tell = report or (lambda name, event: None)
    result, waiting = SweepResult(), []
    for config in configs:
        if (record := recorded(config, root)) is not None:
            result.skipped += 1
            result.records.append(record)
            tell(config.label, "skipped")
        else:
            # The machines of a cluster are not this one: there each run is checked where it is done.
            waiting.append(config if scheduler else config.check_here())
    if not waiting:
        return result
    workers = workers or os.cpu_count() or 1
    done = on_cluster(waiting, root, scheduler, wait) if scheduler else _locally(waiting, root, workers)
    with closing(done):
        for config, error in done:
            if error is None:
                result.done += 1
                result.records.append(read_record(record_path(config, root)))
                tell(config.label, "done")
            else:
                result.failed[config.label] = f"{type(error).__name__}: {error}"
                tell(config.label, f"failed: {result.failed[config.label]}")
    result.records.sort(key=lambda record: (record.arm, record.seed))
    return result
