"""What runs took, from their records, and what those that were not run would take, timed on a few updates."""

from __future__ import annotations

import json
import shlex
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from colu.files import write_atomically
from colu.lab.results import Record, config_hash, environment, find_records, results_root
from colu.lab.results.tables import without

from .experiment import EXPERIMENTS, Config, get_experiment
from .rerun import _seeds, _setting, rerun_commands

__all__ = ["Cost", "Estimate", "Missing", "estimate", "left_of", "missing_runs", "read_estimates", "recorded_costs"]


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


def _all_records(root: str | Path | None) -> list[Record]:
    folder = Path(root if root is not None else results_root())
    return [r for name in sorted(EXPERIMENTS) if (folder / name).is_dir() for r in find_records(name, folder)]


def recorded_costs(root: str | Path | None = None) -> list[Cost]:
    """One entry for each experiment, setting and device that has records.

    Parameters
    ----------
    root : path, optional
        By default :func:`colu.lab.results.results_root`.
    """
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for r in _all_records(root):
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


@dataclass(frozen=True)
class Missing:
    """Runs of a preset that have no record with the preset's own settings, on any device.

    Attributes
    ----------
    experiment, preset : str
    runs : list of tuple
        Arm and seed of each.
    of : int
        Runs that the preset has.
    command : str
    """

    experiment: str
    preset: str
    runs: list[tuple[str, int]]
    of: int
    command: str


def _settings(config: dict) -> str:
    """Identity of a run, whatever computes it."""
    return config_hash(without(config, "device", "threads", "processes", "preset"))


def _left(done: set[str], name: str, preset: str, arms: Sequence[str], seeds: int, changes: dict) -> Missing:
    experiment = get_experiment(name)
    wanted = [(arm, seed) for arm in arms for seed in range(seeds)]
    runs = [(a, s) for a, s in wanted if _settings(experiment.config(preset, a, s, **changes).to_dict()) not in done]
    chosen = experiment.presets[preset]
    words = ["colu", "run", name, "--preset", preset]
    if changes or (tuple(arms), seeds) != (chosen.arms, chosen.seeds):
        absent = {arm for arm, _ in runs}
        words += ["--arms", ",".join(arm for arm in arms if arm in absent), "--seeds", _seeds(s for _, s in runs)]
        words += [word for k, v in sorted(changes.items()) for word in ("--set", _setting(k, v))]
    return Missing(name, preset, runs, len(wanted), shlex.join(words))


def left_of(
    parts: Iterable[tuple[str, str, Sequence[str], int, dict]], root: str | Path | None = None
) -> list[Missing]:
    """What of each part of a plan has no record yet.

    Parameters
    ----------
    parts : iterable of tuple
        Experiment, preset, arms, number of seeds, and changes to the preset's settings.
    root : path, optional
        By default :func:`colu.lab.results.results_root`.

    Returns
    -------
    list of Missing
        One a part, in their order; a run counts as done on whatever device it was done.

    Raises
    ------
    ValueError
        For an unknown experiment, arm or setting.

    Examples
    --------
    >>> left_of([("rotation", "laptop", ("relu",), 2, {"steps": 3})], "nowhere")[0].command
    'colu run rotation --preset laptop --arms relu --seeds 0-1 --set steps=3'
    """
    done = {_settings(r.config) for r in _all_records(root)}
    return [_left(done, *part) for part in parts]


def missing_runs(root: str | Path | None = None, presets: Iterable[str] = ("laptop", "full")) -> list[Missing]:
    """What ``colu run NAME --preset PRESET`` would still have to do, for all experiments.

    A run counts as done on whatever device it was done.
    """
    sizes = [(name, preset, EXPERIMENTS[name].presets[preset]) for name in sorted(EXPERIMENTS) for preset in presets]
    return [m for m in left_of(((name, size, p.arms, p.seeds, {}) for name, size, p in sizes), root) if m.runs]


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
        If ``updates`` is below 1.

    Examples
    --------
    >>> estimate(get_experiment("rotation").config("laptop", "relu", 0)).steps
    1500
    """
    if updates < 1:
        raise ValueError(f"updates is {updates}, wanted at least 1")
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


def estimates_file(root: str | Path | None = None) -> Path:
    """Where ``colu cost --keep`` writes, one JSON a line."""
    return Path(root if root is not None else results_root()) / "costs" / "estimates.jsonl"


def keep_estimate(found: Estimate, root: str | Path | None = None) -> Path:
    """Add an estimate to the file of estimates, which is replaced whole."""
    path = estimates_file(root)
    before = path.read_bytes() if path.is_file() else b""
    write_atomically(path, before + json.dumps(asdict(found)).encode() + b"\n")
    return path


def read_estimates(root: str | Path | None = None) -> list[Estimate]:
    """Estimates that were kept, in order; none where there is no file."""
    path = estimates_file(root)
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    return [Estimate(**json.loads(line)) for line in lines if line]
