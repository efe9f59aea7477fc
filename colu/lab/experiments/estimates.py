"""What runs would take that were not run, timed on a few updates."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from colu.files import held, write_atomically
from colu.lab.results import check_root, environment, result_files, results_root

from .experiment import Config, get_experiment

__all__ = ["Estimate", "estimate", "keep_estimate", "read_estimates"]


@dataclass(frozen=True)
class Estimate:
    """Time of a run, extrapolated from a few updates.

    Attributes
    ----------
    experiment, preset, arm : str
    device : str
        Its name.
    threads, updates, steps : int
        Updates that were timed, and that a run has.
    seconds_per_update, seconds : float
        Median, and times the steps; evaluation aside.
    commit : str or None
    started : str
    settings : dict
        What differs from the preset's.
    """

    experiment: str
    preset: str
    arm: str
    device: str
    threads: int
    updates: int
    steps: int
    seconds_per_update: float
    seconds: float
    commit: str | None
    started: str
    settings: dict = field(default_factory=dict)


@torch.enable_grad()
def estimate(config: Config, updates: int = 3) -> Estimate:
    """Time a few updates of a run after one that does not count; nothing is trained to the end.

    On a CPU this is processor time over threads, what an idle machine would take; on a GPU it is the clock's.

    Parameters
    ----------
    config : Config
        In full precision; with another the time is an upper bound.
    updates : int

    Raises
    ------
    ValueError
        If ``updates`` is out of range, or the configuration cannot be run here.

    Examples
    --------
    >>> estimate(get_experiment("rotation").config("laptop", "relu", 0)).steps
    1500
    """
    if not 1 <= updates <= 10_000:
        raise ValueError(f"updates is {updates}, wanted 1 to 10,000")
    config.check_here()
    # On a CPU the time of the process, which other processes of a busy machine do not lengthen.
    clock = time.process_time if config.device == "cpu" else time.perf_counter
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        task = get_experiment(config.experiment).build(config)
        optimiser = torch.optim.Adam(task.model.parameters(), lr=1e-6)
        seconds = []
        for step in range(updates + 1):
            began = clock()
            optimiser.zero_grad()
            task.loss(task.model, task.batch(step)).backward()
            optimiser.step()
            if config.device == "cuda":
                torch.cuda.synchronize()
            seconds.append((clock() - began) / (config.threads if clock is time.process_time else 1))
        facts = environment(config.device)
    finally:
        torch.set_num_threads(before)
    each = statistics.median(seconds[1:])
    return Estimate(
        config.experiment,
        config.preset,
        config.arm,
        str(facts["device"]["name"]),
        config.threads,
        updates,
        config.plan.steps,
        each,
        each * config.plan.steps,
        facts["commit"],
        facts["started"],
    )


#: Where ``colu cost --keep`` writes below the folder of records, one JSON a line.
FILE = "costs/estimates.jsonl"


def keep_estimate(found: Estimate, root: str | Path | None = None) -> Path:
    """Add an estimate to the file of estimates, which is replaced whole."""
    path = check_root(root if root is not None else results_root()) / FILE
    with held(path.parent.parent / ".unfinished" / "estimates.lock", wait=True):
        before = path.read_bytes() if path.is_file() else b""
        write_atomically(path, before + json.dumps(asdict(found)).encode() + b"\n")
    return path


def read_estimates(root: str | Path | None = None) -> list[Estimate]:
    """Estimates that were kept, in order; none where there is no file."""
    lines = [line for file in result_files(FILE, root) for line in file.read_text(encoding="utf8").splitlines()]
    return [Estimate(**json.loads(line)) for line in lines if line]
