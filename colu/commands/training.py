"""``colu run``, ``sweep``, ``table``, ``cost`` and ``seal``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .stopping import stoppable

# Under torchrun only the first process speaks.
console = Console(highlight=False, soft_wrap=True, quiet=os.environ.get("RANK", "0") != "0")
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Name = Annotated[str, typer.Argument(help="An experiment; an unknown name lists them.")]
Preset = Annotated[str, typer.Option(help="smoke, laptop or full.")]
Arms = Annotated[str | None, typer.Option(help="Activations, with commas; those of the preset where left out.")]
Seeds = Annotated[str | None, typer.Option(help="Such as 0-4 or 0,3,7; as many as the preset has where left out.")]
Results = Annotated[Path | None, typer.Option(help="Folder of records; by default results/ of the project.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, such as learning_rate=0.003; repeatable.")
]


def _changes(settings: list[str] | None) -> dict:
    import json

    changes = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting!r}: wanted name=value, such as learning_rate=0.003")
        if name in changes:
            raise ValueError(f"--set {name} is given twice; give it once")
        try:
            changes[name] = json.loads(value)
        except json.JSONDecodeError:
            changes[name] = value
    return changes


def _planned(name: str, preset: str, arms: str | None, seeds: str | None, settings: list[str] | None) -> dict:
    """What a command asks for, as the arguments of an experiment's ``configs``, whose names no setting may take."""
    from colu.lab.experiments import get_experiment
    from colu.lab.experiments.sweep import parse_seeds

    changes = _changes(settings)
    get_experiment(name).check_settings(changes)
    seeds = parse_seeds(seeds) if seeds is not None else None
    return {"preset": preset, "arms": arms, "seeds": seeds, **changes}


def fail(error: Exception) -> typer.Exit:
    from colu.lab.fields import said

    errors.print(said(error), style="red" if errors.is_terminal else None, markup=False)
    return typer.Exit(2 if isinstance(error, ValueError) else 1)


def progress_of(total: int):
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    return bar, bar.add_task("runs", total=total)


def run(
    name: Name,
    preset: Preset = "smoke",
    arms: Arms = None,
    seeds: Seeds = None,
    results: Results = None,
    settings: Settings = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Keep pictures beside the records, all in the folder pictures.")
    ] = False,
) -> None:
    """Run an experiment, one run after another; what has a record is not done again."""
    from colu.lab.experiments import get_experiment
    from colu.lab.results import PICTURES, check_root, results_root

    try:
        wanted = _planned(name, preset, arms, seeds, settings)
        configs = [config.check_here() for config in get_experiment(name).configs(**wanted)]
        root = check_root(results or results_root())
    except ValueError as error:
        raise fail(error) from None
    bar, task = progress_of(len(configs))
    with stoppable(), bar:
        status = _run_all(configs, root, get_experiment(name).metric, bar, task, pictures)
    console.print(f"records: {root / PICTURES / name if pictures else root / name}")
    if status:
        raise typer.Exit(status)


def _run_all(configs: list, root: Path, metric: str, bar, task, pictures: bool) -> int:
    """Do the runs one after another, those that another process does at the end; the exit status."""
    from colu.lab.experiments import RunningElsewhere, record_path, run_with_pictures
    from colu.lab.experiments.run import run as run_plain
    from colu.lab.results import PICTURES

    run_one, kept = (run_with_pictures, root / PICTURES) if pictures else (run_plain, root)

    def say(line: str) -> None:
        bar.console.print(f"  {line}", markup=False)

    status, left = 0, [(config, False) for config in configs]
    while left:
        config, again = left.pop(0)
        label, there = config.label, record_path(config, kept).is_file()

        def progress(step: int, steps: int, entry: dict, label: str = label) -> None:
            bar.update(task, description=f"{label}: step {step} of {steps}, loss {entry['loss']:.4g}")

        try:
            record = run_one(config, root, wait=again, progress=progress, say=say)
        except RunningElsewhere as error:
            say(f"{error}: left for the end")
            left.append((config, True))
            continue
        except Exception as error:  # a run that fails must not stop the others
            refused = isinstance(error, ValueError)
            status = max(status, 2 if refused else 1)
            what = str(error) if refused else f"failed: {type(error).__name__}: {error}"
            errors.print(f"  {label}: {what}", markup=False)
        else:
            what = "recorded before" if there else "recorded elsewhere" if again else f"{record.seconds:.1f} s"
            say(f"{label}: {metric} {record.metrics[metric]:.5g} ({what})")
        bar.advance(task)
    return status


def sweep(
    name: Name,
    preset: Preset = "smoke",
    arms: Arms = None,
    seeds: Seeds = None,
    results: Results = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; this machine where left out.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes on this machine; one a core where left out.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds in which the scheduler must answer.")] = 30.0,
    settings: Settings = None,
) -> None:
    """Run an experiment in many processes, here or on a Dask cluster; survives dead workers and a dead driver."""
    from colu.lab.experiments import get_experiment
    from colu.lab.experiments.sweep import sweep as sweep_all
    from colu.lab.results import results_root

    root = Path(results or results_root())
    try:
        wanted = _planned(name, preset, arms, seeds, settings)
        bar, task = progress_of(len(get_experiment(name).configs(**wanted)))

        def report(label: str, event: str) -> None:
            bar.advance(task)
            bar.console.print(f"  {label}: {event}", markup=False)

        with stoppable(), bar:
            options = {"root": root, "scheduler": scheduler, "workers": workers, "wait": wait, "report": report}
            done = sweep_all(name, **wanted, **options)
    except (ValueError, OSError) as error:
        raise fail(error) from None
    console.print(
        f"{done.done} done, {done.skipped} recorded before, {len(done.failed)} failed; records: {root / name}"
    )
    if done.failed:
        raise typer.Exit(1)


def table(
    name: Name,
    preset: Preset = "smoke",
    metric: Annotated[str | None, typer.Option(help="By default the experiment's own.")] = None,
    baseline: Annotated[str, typer.Option(help="The arm that others are compared with.")] = "relu",
    results: Results = None,
    settings: Settings = None,
) -> None:
    """Print the table of an experiment from its records, with paired differences."""
    from colu.lab.experiments import ARMS, get_experiment
    from colu.lab.results import arm_table, find_records, less_is_better

    try:
        experiment = get_experiment(name)
        (defaults,) = experiment.configs(**_planned(name, preset, "relu", "0", settings))
        value = defaults.to_dict()
        wanted = {f"plan.{k}": v for k, v in value["plan"].items()} | {
            f"options.{k}": v for k, v in value["options"].items()
        }
        records = find_records(name, results, preset=preset, where=wanted)
        chosen = metric or experiment.metric
        higher = experiment.higher_is_better if chosen == experiment.metric else not less_is_better(chosen)
        # Activations of the registry can be arms without being among the named ones.
        order = [*ARMS, *sorted({record.arm for record in records} - ARMS.keys())]
        made = arm_table(records, chosen, baseline=baseline, higher_is_better=higher, order=order)
    except ValueError as error:
        raise fail(error) from None
    print(made.markdown(3, {arm: ARMS[arm].label for arm in made.arms if arm in ARMS}))


def cost(
    name: Name,
    preset: Preset = "smoke",
    arms: Arms = None,
    updates: Annotated[int, typer.Option(help="How many to time.")] = 3,
    keep: Annotated[bool, typer.Option("--keep", help="Add the estimate to results/costs/.")] = False,
    results: Results = None,
    settings: Settings = None,
) -> None:
    """Estimate how long a run takes on this machine, from a few updates."""
    from colu.lab.experiments import estimate, get_experiment, keep_estimate
    from colu.lab.results import check_root, results_root

    try:
        wanted = _planned(name, preset, arms or "relu,colu", "0", settings)
        configs = [config.check_here() for config in get_experiment(name).configs(**wanted)]
        if keep:
            check_root(results or results_root())
        named = {k: v for k, v in _changes(settings).items() if k != "device"}
        for config in configs:
            found = replace(estimate(config, updates), settings=named)
            each = f"{found.seconds_per_update:.3g} s an update"
            console.print(f"  {config.arm}: {each}, {found.seconds / 60:.3g} min a run of {found.steps:,} updates")
            if keep:
                keep_estimate(found, results)
    except (ValueError, OSError) as error:
        raise fail(error) from None


def seal(results: Results = None) -> None:
    """Seal records that have no seal; where one was changed after it was sealed, it is named and nothing is written."""
    from colu.lab.results import results_root, seal_records
    from colu.lab.results.seals import SEALS

    root = Path(results or results_root())
    try:
        new = seal_records(root)
    except ValueError as error:
        raise fail(error) from None
    console.print(f"{len(new)} records sealed now in {root / SEALS}")
