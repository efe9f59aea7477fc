"""``colu campaign``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .stopping import stoppable
from .training import Results, console, fail


def campaign(
    budget: Annotated[str, typer.Option(help="How long, such as 90s, 25m or 1.5h.")] = "1h",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    only: Annotated[list[str] | None, typer.Option(help="A protocol; repeatable. All where left out.")] = None,
    plan: Annotated[bool, typer.Option(help="Say what is left and what it costs here, and run nothing.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; this machine where left out.")
    ] = None,
    results: Results = None,
) -> None:
    """Do the missing runs of the protocols, in order of priority, within a budget; stops cleanly and goes on later."""
    from colu.lab.data import DataUnavailableError
    from colu.lab.results import check_root, results_root
    from colu.lab.verdicts import load_protocols, parse_seconds, run_missing

    try:
        seconds = parse_seconds(budget)
        root = check_root(results or results_root())
        protocols = list(load_protocols(root, only).values())
        if not protocols:
            raise ValueError(f"there are no protocols in {root / 'protocols'}; name a folder of records that has some")
    except ValueError as error:
        raise fail(error) from None
    if not plan:
        with stoppable():
            try:
                done = run_missing(protocols, root, budget=seconds, device=device, scheduler=scheduler, report=_say)
            except (ValueError, OSError, DataUnavailableError) as error:
                raise fail(error) from None
        console.print(f"{done} runs done; records: {root / 'protocols'}")
    try:
        _say_left(protocols, root, device)
    except ValueError as error:
        raise fail(error) from None


def _say(protocol, config, event: str) -> None:
    rate = f"rate {config.plan.learning_rate:g}"
    console.print(f"  {protocol.name}: {config.label}, {rate}: {event}", markup=False)


def _say_left(protocols: list, root: Path, device: str) -> None:
    from colu.lab.verdicts import left_of_protocols

    for left in left_of_protocols(protocols, root, device=device):
        if not left.runs:
            console.print(f"{left.protocol.name}: whole, {left.of} runs")
            continue
        by = "by runs here" if left.measured else f"by {left.protocol.cost.measured}"
        minutes = f"about {left.seconds / 60:.0f} minutes ({by})"
        console.print(f"{left.protocol.name}: {left.runs} of {left.of} runs are left, {minutes}", markup=False)
