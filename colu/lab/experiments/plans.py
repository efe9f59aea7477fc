"""What of the planned runs has no record yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colu.lab.results import Record, config_hash, find_records
from colu.lab.results.tables import without

from .experiment import EXPERIMENTS, get_experiment
from .rerun import _seeds, _setting

__all__ = ["Missing", "all_records", "left_of", "missing_runs"]


def all_records(root: str | Path | None) -> list[Record]:
    """Records of every experiment that is known."""
    return [record for name in sorted(EXPERIMENTS) for record in find_records(name, root)]


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
    wanted = experiment.configs(preset, arms, range(seeds), **changes)
    runs = sorted(
        ((c.arm, c.seed) for c in wanted if _settings(c.to_dict()) not in done),
        key=lambda run: arms.index(run[0]),
    )
    chosen = experiment.preset(preset)
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
    done = {_settings(r.config) for r in all_records(root)}
    return [_left(done, *part) for part in parts]


def missing_runs(root: str | Path | None = None, presets: Iterable[str] = ("laptop", "full")) -> list[Missing]:
    """What ``colu run NAME --preset PRESET`` would still have to do, for all experiments.

    A run counts as done on whatever device it was done.
    """
    sizes = [(name, preset, EXPERIMENTS[name].preset(preset)) for name in sorted(EXPERIMENTS) for preset in presets]
    return [m for m in left_of(((name, size, p.arms, p.seeds, {}) for name, size, p in sizes), root) if m.runs]
