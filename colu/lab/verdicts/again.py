"""Recorded runs made again: which, in what time, by which instructions."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from colu.files import digest_of
from colu.lab.experiments import Config, record_path, run
from colu.lab.results import (
    Pair,
    Record,
    config_hash,
    measured,
    read_record,
    records_folder,
    records_in,
    result_files,
)
from colu.lab.results.records import processor
from colu.lab.results.tables import without
from colu.programs import run_program

from .judge import Judgement, judge_exploratory, judge_state
from .protocol import Protocol, load_protocols
from .runs import state_of
from .statements import Statement, load_statements

__all__ = [
    "PATHS",
    "Choice",
    "Draw",
    "choose",
    "draw",
    "expected_seconds",
    "measure",
    "name_of",
    "parse_seconds",
    "run_again",
]

#: What restricts PyTorch's own kernels, oneDNN and MKL to older instructions; read when PyTorch is imported.
PATHS = {
    "plain": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "sse": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
}


@dataclass(frozen=True)
class Choice:
    """Records to be made again.

    Attributes
    ----------
    records : list of Record
    row : Statement or None
        The printed statement that they speak to, if one was named, with ``of``: all records that its word rests on.
    protocol : Protocol or None
        That asked for them; None for exploratory ones.
    """

    records: list[Record]
    row: Statement | None = None
    of: tuple[Record, ...] = ()
    protocol: Protocol | None = None

    def judged(self, again: dict[str, Record], root: str | Path | None = None) -> Judgement:
        """What is said of the statement with runs that were made again, by :func:`name_of`, in place of the records."""
        if self.protocol is None:
            return judge_exploratory(self.row, [again.get(name_of(r), r) for r in self.of])
        state = state_of(self.protocol, root)
        now = replace(state, records=[again.get(name_of(r), r) for r in state.records])
        return judge_state(self.protocol, load_statements(), now)[self.row.id]


def name_of(record: Record) -> str:
    """A record among all of them: its folder and the name of its file."""
    return f"{records_folder(record.experiment, record.protocol)}/{record.stem}"


def _row(statement: Statement, root: str | Path | None) -> tuple[Protocol | None, list[Record]]:
    """What tests a statement, and the records of its two arms."""
    for protocol in load_protocols(root).values():
        for test in protocol.tests:
            if test.statement == statement.id:
                found = state_of(protocol, root).records
                return protocol, [r for r in found if r.arm in (test.arm, test.baseline)]
    return None, statement.exploratory.records(root) if statement.exploratory else []


def choose(name: str, root: str | Path | None = None, *, all_seeds: bool = False) -> Choice:
    """The records that a name stands for.

    Parameters
    ----------
    name : str
        Path or stem of a record's file, or the id of a printed statement.
    root : path, optional
        Folder of records, as of :func:`colu.lab.results.find_records`.
    all_seeds : bool
        Of a record, those of its other seeds as well; of a row, every record of it instead of those of its first seed.

    Raises
    ------
    ValueError
        If there is no such record and no such row, a row has no records, or the record is of a failed run.
    """
    rows = load_statements()
    if (row := rows.get(name)) is not None:
        protocol, of = _row(row, root)
        if not of:
            raise ValueError(f"row {name!r} has no records here: there is nothing to run again")
        common = set.intersection(*({r.seed for r in of if r.arm == arm} for arm in {r.arm for r in of}))
        first = min(common, default=min(r.seed for r in of))
        return Choice([r for r in of if all_seeds or r.seed == first], row, tuple(of), protocol)
    path = Path(name)
    found = [path] if path.suffix == ".json" else _files(name, root)
    if not found:
        near = get_close_matches(name, rows, n=3, cutoff=0.4) or sorted(rows)
        raise ValueError(f"{name!r} is neither a record's file or stem nor a row; rows are such as {', '.join(near)}")
    record = read_record(found[0])
    if record.status != "done":
        raise ValueError(f"{found[0]} is the record of a run that failed: there is nothing to compare with")
    if not all_seeds:
        return Choice([record])
    identity = config_hash(without(record.config, "seed"))
    own = records_folder(record.experiment, record.protocol)
    folder = found[0].absolute().parents[own.count("/") + 1]
    alike = [r for r in records_in(own, folder) if (r.preset, r.arm) == (record.preset, record.arm)]
    return Choice([r for r in alike if config_hash(without(r.config, "seed")) == identity])


def _files(stem: str, root: str | Path | None) -> list[Path]:
    if re.fullmatch(r"[A-Za-z0-9._-]+", stem) is None:
        return []
    return [path for folder in ("*", "protocols/*") for path in result_files(f"{folder}/{stem}.json", root)]


def parse_seconds(text: str) -> float:
    """Seconds from ``90s``, ``30m`` or ``2h``.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> parse_seconds("1.5m")
    90.0
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([smh])", text.strip())
    if not found or float(found[1]) == 0:
        raise ValueError(f"budget is {text!r}, wanted a time such as 90s, 30m or 2h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def expected_seconds(record: Record) -> float:
    """What a rerun takes, by the record: its processor's seconds a thread, or else those on the clock.

    Evaluation is in neither; a machine that did other things, too, took more on the clock.
    """
    cpu = (record.conditions or {}).get("cpu_seconds")
    return record.seconds if not cpu else cpu / record.threads


@dataclass(frozen=True)
class Draw:
    """Records drawn at random.

    Attributes
    ----------
    records : list of Record
        In the order drawn.
    passed_over : list of Record
        Whose turn it was, but which would not have fitted the time that was left.
    of : int
        How many there were to draw from.
    """

    records: list[Record]
    passed_over: list[Record]
    of: int


def draw(records: Iterable[Record], number: int, seed: int, seconds: float) -> Draw:
    """Draw records, one experiment after the other and round again, for as long as they fit into a time.

    The draw is a function of the seed and of the records there are, whatever their order.

    Parameters
    ----------
    records : iterable of Record
    number : int
        How many at most.
    seed : int
    seconds : float
        In which all have to fit, by :func:`expected_seconds`.

    Raises
    ------
    ValueError
        If ``number`` is not positive or the seed is negative.

    Examples
    --------
    >>> from colu.lab.experiments import run_arms
    >>> records = run_arms("rotation", arms=["relu"], seeds=range(4), steps=2)
    >>> draw(records, 2, 0, 60).records == draw(records[::-1], 2, 0, 60).records
    True
    """
    if number < 1:
        raise ValueError(f"--random is {number}, wanted how many records to draw, at least 1")
    if seed < 0:
        raise ValueError(f"--seed is {seed}, wanted a number of at least 0")
    piles: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: digest_of([seed, r.experiment, r.stem])):
        piles.setdefault(record.experiment, []).append(record)
    of = sum(map(len, piles.values()))
    chosen: list[Record] = []
    passed: list[Record] = []
    left, order = seconds, sorted(piles, key=lambda name: digest_of([seed, name]))
    while len(chosen) < number and any(expected_seconds(r) <= left for pile in piles.values() for r in pile):
        for name in order:
            if not piles[name] or len(chosen) == number:
                continue
            record = piles[name].pop(0)
            if expected_seconds(record) <= left:
                left -= expected_seconds(record)
                chosen.append(record)
            else:
                passed.append(record)
    return Draw(chosen, passed, of)


def run_again(
    record: Record, *, progress: Callable[[int, int, dict], None] | None = None, facts: dict | None = None
) -> Record:
    """Make a recorded run again, by its own configuration; all of it stays in memory, and nothing is written.

    Parameters
    ----------
    record : Record
    progress : callable, optional
        As of :func:`colu.lab.experiments.run`.
    facts : dict, optional
        Of :func:`colu.lab.results.environment`, to ask for them once for many runs.

    Raises
    ------
    ValueError
        If this machine cannot run it: another device, more threads than there are cores.
    colu.lab.data.DataUnavailableError, colu.lab.data.DataCorruptedError
        If its data are not here.
    """
    facts = facts and facts | {"threads": record.threads}
    return run(Config(**record.config), keep=False, progress=progress, say=lambda _: None, facts=facts)


def measure(record: Record, path: str, folder: Path) -> Pair | None:
    """Make a recorded run again in another process, restricted to a path of ``PATHS``, and measure the pair.

    Returns
    -------
    Pair or None
        None for the plain path where the record is of this machine's processor: that is no other computation.

    Raises
    ------
    ValueError
        For an unknown path, a processor that has none of them, or a record of another release of PyTorch.
    RuntimeError
        If the process failed; says how.
    """
    if path not in PATHS:
        raise ValueError(f"path is {path!r}, choose one of {', '.join(PATHS)}")
    if path != "plain" and platform.machine().lower() not in ("x86_64", "amd64"):
        raise ValueError(f"path {path!r} is of x86 processors, and this one is {platform.machine()}")
    if path == "plain" and record.device["name"] == processor():
        return None
    config = Config(**record.config).check_here()
    where = folder / path
    program = "import json, sys; from colu.lab.experiments import Config, run; c = json.load(sys.stdin); "
    program += "run(Config(**c), sys.argv[1], say=lambda _: None)"
    kept = {k: v for k, v in os.environ.items() if k not in {name for path in PATHS.values() for name in path}}
    environment = {**kept, **PATHS[path]}
    command = [sys.executable, "-c", program, str(where)]
    done = run_program(command, given=json.dumps(config.to_dict()), env=environment)
    if done.status:
        raise RuntimeError(f"{record.stem} by {path}: {done.err.strip().splitlines()[-1] if done.err else done.status}")
    return measured(record, read_record(record_path(config, where)), path)
