"""``colu verify`` and ``colu compare``: recorded runs made again, and held against the records."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from .stopping import stoppable
from .training import Results, console, errors, fail, progress_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from colu.lab.results import Record, Tolerances
    from colu.lab.verdicts import Choice

#: For records drawn at random; a time on one core, so that a machine of two has one left.
BUDGET = "30m"

What = Annotated[
    list[str] | None,
    typer.Argument(help="Records by path or stem, or rows: ids of printed statements."),
]


def verify(
    what: What = None,
    number: Annotated[int | None, typer.Option("--random", help="Draw so many records of a CPU.")] = None,
    all_seeds: Annotated[bool, typer.Option("--all-seeds", help="All seeds of a row or record.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of the draw; drawn and printed where left out.")] = None,
    budget: Annotated[str | None, typer.Option(help=f"Time, such as 90s or 2h; {BUDGET} with --random.")] = None,
    measure: Annotated[
        Path | None,
        typer.Option(help="Instead measure how far the paths of this processor part, into this file of tolerances."),
    ] = None,
    results: Results = None,
) -> None:
    """Make recorded runs again and say which agree; status 1 if one does not. Nothing is written beside the records."""
    from colu.lab.results import load_tolerances
    from colu.lab.verdicts import parse_seconds

    try:
        if budget is None and number is not None:
            budget = BUDGET
        seconds = parse_seconds(budget) if budget is not None else float("inf")
        tolerances = load_tolerances(measure if measure is not None and measure.is_file() else None)
        choices = _chosen(what or [], number, all_seeds, seed, seconds, results)
    except ValueError as error:
        raise fail(error) from None
    # Short ones first: where the time runs out, fewest are left.
    records = sorted({_name(r): r for choice in choices for r in choice.records}.values(), key=_expected)
    bar, task = progress_of(len(records))
    with stoppable("nothing was written"), bar:
        if measure is not None:
            raise typer.Exit(_measure(records, measure, tolerances, bar, task))
        again, words = _run_again(records, seconds, tolerances, bar, task)
    for choice in choices:
        if choice.row is not None:
            _print_words(choice, again, results)
    console.print(", ".join(f"{count} {word}" for word, count in words.items()))
    if not again and not words["failed"]:
        errors.print("nothing was run again: see above for what each record needs")
        raise typer.Exit(2)
    if words["different"] or words["failed"]:
        raise typer.Exit(1)


def _chosen(
    what: list[str], number: int | None, all_seeds: bool, seed: int | None, seconds: float, root: Path | None
) -> list[Choice]:
    """The records that were asked for; of a draw, what was drawn is printed."""
    from colu.lab.experiments.plans import all_records
    from colu.lab.verdicts import Choice, choose, draw

    if bool(what) == (number is not None):
        raise ValueError("wanted either records or rows, or --random with how many to draw: see colu verify --help")
    if number is None:
        if seed is not None:
            raise ValueError(f"--seed is {seed}, which goes with --random alone: leave it out")
        return [choose(name, root, all_seeds=all_seeds) for name in what]
    if all_seeds:
        raise ValueError("--all-seeds goes with records and rows, not with --random: leave one out")
    seed = secrets.randbelow(2**31) if seed is None else seed
    drawn = draw([r for r in all_records(root) if r.device["type"] == "cpu"], number, seed, seconds)
    took = sum(map(_expected, drawn.records)) / 60
    console.print(
        f"drawn with --seed {seed}: {len(drawn.records)} of {drawn.of} records of a CPU, {number} wanted, "
        f"{took:.3g} of {seconds / 60:.3g} min by the records"
    )
    if drawn.passed_over:
        passed = Counter(r.experiment for r in drawn.passed_over)
        named = ", ".join(f"{count} of {name}" for name, count in sorted(passed.items()))
        console.print(f"  passed over, since they would not have fitted the time that was left: {named}")
    if not drawn.records:
        raise ValueError(f"no record fits: of {drawn.of} records of a CPU none takes less than {seconds:g} s")
    return [Choice(drawn.records)]


def _expected(record: Record) -> float:
    from colu.lab.verdicts import expected_seconds

    return expected_seconds(record)


def _name(record: Record) -> str:
    from colu.lab.verdicts import name_of

    return name_of(record)


def _run_again(
    records: list[Record], seconds: float, tolerances: Tolerances, bar: Progress, task: int
) -> tuple[dict[str, Record], Counter]:
    """The reruns by the name of their record, and how many came to which word; a line each."""
    from colu.lab.data import DataCorruptedError, DataUnavailableError
    from colu.lab.results import agreement, environment
    from colu.lab.verdicts import run_again

    here = environment()
    bar.console.print(f"this machine: {here['device']['name']}, PyTorch {here['versions']['torch']}", markup=False)
    again: dict[str, Record] = {}
    words = Counter(dict.fromkeys(("same bits", "within the tolerance", "different", "failed", "left out"), 0))
    began = time.monotonic()
    for record in records:
        label = f"{_name(record)} ({record.device['name']})"

        def progress(step: int, steps: int, entry: dict, label: str = label) -> None:
            bar.update(task, description=f"{label}: step {step} of {steps}, loss {entry['loss']:.4g}")

        left = seconds - (time.monotonic() - began)
        try:
            if _expected(record) > left:
                raise TimeoutError(f"takes {_expected(record):.0f} s by its record, and {max(left, 0):.0f} s are left")
            again[_name(record)] = made = run_again(record, progress=progress, facts=here)
        except (ValueError, TimeoutError, DataUnavailableError, DataCorruptedError) as error:
            word, line = "left out", f"left out: {error}"
        except Exception as error:  # a run that fails must not stop the others
            word, line = "failed", f"failed: {type(error).__name__}: {error}"
        else:
            found = agreement(record, made, tolerances)
            word, line = found.word, found.text
        words[word] += 1
        bar.console.print(f"  {label}: {line}", markup=False)
        bar.advance(task)
    return again, words


def _print_words(choice: Choice, again: dict[str, Record], root: Path | None) -> None:
    """The word on a row by its records, and with those that were made again in their place."""
    count = sum(_name(record) in again for record in choice.of)
    made = f"with {count} of {len(choice.of)} runs made again"
    for which, now in (("as recorded", {}), (made, again)):
        found = choice.judged(now, root)
        by = f", {found.difference:+.3g}" if found.difference else ""
        console.print(f"{choice.row.id}, {which}: {found.word}{by}", markup=False)


def _measure(records: list[Record], file: Path, tolerances: Tolerances, bar: Progress, task: int) -> int:
    """Measure each record by each path, and write what was found after each; the exit status."""
    from colu.lab.verdicts import PATHS
    from colu.lab.verdicts import measure as measured_pair

    status = 0
    with TemporaryDirectory(prefix="colu-verify-") as folder:
        for record, path in product(records, PATHS):
            try:
                pair = measured_pair(record, path, Path(folder))
            except (ValueError, RuntimeError) as error:
                errors.print(f"  {_name(record)}, {path}: {error}", markup=False)
                status = 1
            else:
                if pair is not None:
                    tolerances = tolerances.extended([pair])
                    tolerances.write(file)
                    bar.console.print(f"  {_name(record)}, {path}: loss off by {pair.curve:.2g}", markup=False)
            bar.advance(task, 1 / len(PATHS))
    return status


def compare(
    first: Annotated[
        str, typer.Argument(help="A record such as results/rotation/relu-seed0-bb6a2bfdd5.json, or a row.")
    ],
    second: Annotated[Path | None, typer.Argument(help="Another record, such as yours.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Relative, of losses and metrics; by default the stated one of the experiment."),
    ] = None,
    mine: Annotated[
        Path | None,
        typer.Option("--results", help="Your folder of records, where those of the same runs are found."),
    ] = None,
) -> None:
    """Say in what two records differ, or those of a row and yours; status 1 where one is outside of the tolerance."""
    from colu.lab.results import compare_records, load_tolerances, read_record
    from colu.lab.verdicts import choose

    try:
        if tolerance is not None and not 0 <= tolerance < float("inf"):
            raise ValueError(f"tolerance is {tolerance}, wanted a number of at least 0")
        if (second is None) == (mine is None):
            raise ValueError("wanted either a second record, or --results with the folder of yours")
        stated = load_tolerances()
        if second is not None:
            one, other = read_record(first), read_record(second)
            console.print(compare_records(one, other).text(), markup=False)
            text, outside = _held(one, other, tolerance, stated)
            console.print(text, markup=False)
        else:
            outside = _compare_with(choose(first, all_seeds=True).records, mine, tolerance, stated)
    except ValueError as error:
        raise fail(error) from None
    if outside:
        raise typer.Exit(1)


def _held(first: Record, second: Record, tolerance: float | None, stated: Tolerances) -> tuple[str, bool]:
    """One line on two records, and whether they are outside of the tolerance."""
    from colu.lab.results import agreement, compare_records

    if tolerance is None:
        found = agreement(first, second, stated)
        return found.text, found.word == "different"
    within = compare_records(first, second).within(tolerance)
    return f"within {tolerance:g}: {'yes' if within else 'no'}", not within


def _compare_with(records: list[Record], mine: Path, tolerance: float | None, stated: Tolerances) -> bool:
    """Print a line for each record and the reader's of the same run; whether one is outside of the tolerance."""
    from colu.lab.results import read_record

    outside, found = False, 0
    for record in records:
        path = mine / f"{_name(record)}.json"
        if path.is_file():
            text, out = _held(record, read_record(path), tolerance, stated)
            found, outside = found + 1, outside or out
        else:
            text = "you have no record of it"
        console.print(f"{_name(record)} ({record.device['name']}): {text}", markup=False)
    if not found:
        raise ValueError(f"{mine} has none of these runs; make them by colu run ... --results {mine}")
    return outside
