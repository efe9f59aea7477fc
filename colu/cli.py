"""The command line: ``colu book ...``, ``colu run | sweep | table | compare | seal | cost | doctor | bench | fuse``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from colu.commands import reading, training
from colu.commands.bench import bench
from colu.commands.doctor import doctor
from colu.commands.fuse import fuse
from colu.commands.stopping import stoppable
from colu.press.project import BookError, Project, UnknownName, check_preset, find_project

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Conic Linear Units: the package and its book.")
book = typer.Typer(no_args_is_help=True, help="Execute, validate and render the book.")
app.add_typer(book, name="book")
for command in (
    training.run,
    training.sweep,
    training.table,
    doctor,
    training.cost,
    training.compare,
    training.seal,
    bench,
    fuse,
):
    app.command()(command)

book.command()(reading.student)
book.command()(reading.slides)
book.command()(reading.archive)

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Preset = Annotated[str, typer.Option(help="smoke (CPU, a minute a notebook), laptop (minutes) or full (GPU).")]
Jobs = Annotated[str, typer.Option(help="Notebooks at a time; auto is the number of cores.")]
Force = Annotated[bool, typer.Option("--force", help="Do it although nothing changed.")]
Names = Annotated[list[str] | None, typer.Argument(help="Notebooks by name; all where none is given.")]


def _version(wanted: bool) -> None:
    if wanted:
        from colu import __version__

        console.print(f"colu {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Conic Linear Units: the package and its book."""


def _jobs(value: str) -> int:
    if value == "auto":
        return os.cpu_count() or 1
    if not value.isdigit() or int(value) < 1:
        raise BookError(f"--jobs is {value!r}, wanted 'auto' or a number of at least 1")
    return int(value)


@contextmanager
def _told():
    """Turn what goes wrong into a message and an exit status."""
    try:
        with stoppable():
            yield
    except BookError as error:
        errors.print(str(error), style="red" if errors.is_terminal else None, markup=False)
        raise typer.Exit(2 if isinstance(error, UnknownName) else 1) from None


@contextmanager
def _progress(project: Project, names: list[str] | None):
    """A reporter: a progress bar on a terminal, one short line an event elsewhere."""
    total = len(project.select(names or ()))
    if not console.is_terminal:
        yield lambda name, event: None if event == "started" else console.print(f"  {name}: {event}")
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("execute", total=total)
        running: list[str] = []

        def report(name: str, event: str) -> None:
            if event == "started":
                running.append(name)
            else:
                if name in running:
                    running.remove(name)
                progress.advance(task)
                progress.console.print(f"  {name}: {event}")
            progress.update(task, description=", ".join(running) or "execute")

        yield report


def _locked(action: Callable[[Project], None]) -> None:
    from colu.press.build.execute import single_build

    with _told():
        project = find_project()
        with single_build(project):
            action(project)


@book.command()
def execute(
    names: Names = None,
    preset: Preset = "smoke",
    jobs: Jobs = "auto",
    force: Force = False,
    cell_timeout: Annotated[int | None, typer.Option(help="Seconds a cell may take.")] = None,
) -> None:
    """Execute the notebooks that are not current."""
    from colu.press.build.build import raise_failures
    from colu.press.build.execute import execute as run

    def action(project: Project) -> None:
        options = {"preset": preset, "jobs": _jobs(jobs), "force": force, "cell_timeout": cell_timeout}
        check_preset(preset)
        with _progress(project, names) as report:
            failures = run(project, names=names or (), report=report, **options)
        raise_failures(failures)

    _locked(action)


@book.command()
def validate(names: Names = None, preset: Preset = "smoke", jobs: Jobs = "auto", force: Force = False) -> None:
    """Run each executed copy a second time with nbval and compare."""
    from colu.press.build.build import raise_differences
    from colu.press.build.validate import validate as run

    _locked(
        lambda project: raise_differences(run(project, preset=preset, names=names or (), jobs=_jobs(jobs), force=force))
    )


def _say_where(page: Path, rendered: bool) -> None:
    console.print(f"{'rendered' if rendered else 'nothing changed'}: {page.as_uri()}")


@book.command()
def render(preset: Preset = "smoke", force: Force = False) -> None:
    """Render the site from the executed copies."""
    from colu.press.build.render import render as run

    _locked(lambda project: _say_where(*run(project, preset=preset, force=force)))


@book.command()
def build(preset: Preset = "smoke", jobs: Jobs = "auto", force: Force = False) -> None:
    """Lint, execute, validate and render; what is current is skipped."""
    from colu.press.build.build import build as run

    with _told():
        check_preset(preset)
        project = find_project()
        with _progress(project, None) as report:
            options = {"preset": preset, "jobs": _jobs(jobs), "force": force}
            page = run(project, step=lambda title: console.print(title), report=report, **options)
        _say_where(*page)


@book.command()
def lint() -> None:
    """Check the rules for notebooks and claims, and the seals of the records."""
    from colu.press.check.notebooks import lint as run

    with _told():
        if problems := run(find_project()):
            raise BookError("\n".join(problems))
        console.print("notebooks and claims follow the rules, and every record is as it was sealed")


@book.command()
def check(
    browser: Annotated[bool, typer.Option(help="Also load every page in headless Chromium.")] = True,
) -> None:
    """Examine the built site: links, anchors, alt texts, tracebacks, requests to other hosts."""
    from colu.press.check.site import main as run

    with _told():
        project = find_project()
        if not project.site.is_dir():
            raise BookError(f"there is no site at {project.site}: run 'colu book build' first")
        if problems := run(project.site, browser=browser):
            raise BookError("\n".join(problems))
        console.print("the site is in order")
