"""From records back to the command that makes them."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict

from colu.lab.results import Record

from .experiment import Config, get_experiment

__all__ = ["is_current", "rerun_commands"]

#: Where a reader's own runs are recorded, by the commands that are printed.
MINE = "mine"


def _same(a: object, b: object) -> bool:
    """Equal as JSON: a tuple and a list of the same things are."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def _changes(record: Record) -> dict[str, object]:
    """What the record's configuration has other than its preset, except a GPU that ``auto`` would choose."""
    config = record.config
    preset = get_experiment(record.experiment).preset(record.preset)
    plan = asdict(preset.plan)
    changes = {k: v for k, v in config["plan"].items() if k not in plan or not _same(v, plan[k])}
    options = preset.options
    changes |= {k: v for k, v in config["options"].items() if k not in options or not _same(v, options[k])}
    if config["device"] != preset.device and not (preset.device == "auto" and config["device"] == "cuda"):
        changes["device"] = config["device"]
    usual = {"precision": preset.precision, "threads": 1}
    return changes | {k: config[k] for k, v in usual.items() if config[k] != v}


def is_current(record: Record) -> bool:
    """Whether today's code makes the record's configuration, to the letter, from its command.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> is_current(run_arms("mnist-mlp", arms=["relu"], seeds=[0], steps=2)[0])
    True
    """
    own = {k: record.config[k] for k in ("device", "processes")}
    try:
        config = get_experiment(record.experiment).config(
            record.preset, record.arm, record.seed, **{**_changes(record), **own}
        )
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(config, Config) and config.hash == record.config_hash


def _seeds(seeds: Iterable[int]) -> str:
    """``0-4``, ``0,2-3``: what :func:`colu.lab.experiments.sweep.parse_seeds` reads."""
    parts: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if parts and seed == parts[-1][1] + 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


def _setting(name: str, value: object) -> str:
    if not isinstance(value, str):
        return f"{name}={json.dumps(value, separators=(',', ':'))}"
    try:
        json.loads(value)
    except ValueError:
        return f"{name}={value}"
    return f"{name}={json.dumps(value)}"


def rerun_commands(records: Iterable[Record]) -> list[str]:
    """The shortest commands that make exactly these runs again, into a folder of the reader's own.

    Without that folder ``colu run`` would find the records and run nothing; ``colu compare ROW --results mine`` then
    holds the new ones against them, and ``colu verify`` does both at once.
    Written from the configurations and not from what was typed, so they hold wherever the records were made.
    A record of a GPU whose preset takes a GPU where there is one gets no setting for it: elsewhere the CPU is used.

    Parameters
    ----------
    records : iterable of Record

    Returns
    -------
    list of str
        One command for each experiment, preset, settings, and set of seeds.

    Raises
    ------
    ValueError
        For an experiment that is not known.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> rerun_commands(run_arms("mnist-mlp", arms=["relu", "colu"], seeds=[0, 1], steps=2))
    ['colu run mnist-mlp --arms colu,relu --seeds 0-1 --set steps=2 --results mine']
    """
    seeds: dict[tuple, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        settings = tuple(_setting(k, v) for k, v in sorted(_changes(record).items()))
        seeds[record.experiment, record.preset, record.processes, settings][record.arm].add(record.seed)
    commands = []
    for (experiment, preset, processes, settings), by_arm in sorted(seeds.items()):
        chosen = get_experiment(experiment).preset(preset)
        groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for arm, listed in sorted(by_arm.items()):
            groups[tuple(sorted(listed))].append(arm)
        for listed, arms in groups.items():
            words = ["colu"] if processes == 1 else ["torchrun", "--nproc-per-node", str(processes), "-m", "colu"]
            words += ["run", experiment] + ([] if preset == "smoke" else ["--preset", preset])
            words += [] if set(arms) == set(chosen.arms) else ["--arms", ",".join(arms)]
            words += [] if listed == tuple(range(chosen.seeds)) else ["--seeds", _seeds(listed)]
            commands.append(shlex.join([*words, *(w for s in settings for w in ("--set", s)), "--results", MINE]))
    return commands
