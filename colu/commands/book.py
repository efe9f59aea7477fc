"""``colu book``: execute, validate and render the book, and what is made of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from colu.extras import require

from .stopping import stoppable

if TYPE_CHECKING:
    from colu.press.project import Project

app = typer.Typer(no_args_is_help=True, help="Execute, validate and render the book.")

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Preset = Annotated[str, typer.Option(help="smoke (CPU, a minute a notebook), laptop (minutes) or full (GPU).")]
Jobs = Annotated[str, typer.Option(help="Notebooks at a time; auto is the number of cores.")]
Force = Annotated[bool, typer.Option("--force", help="Do it although nothing changed.")]
Names = Annotated[list[str] | None, typer.Argument(help="Notebooks by name or number; all where none is given.")]
Folder = Annotated[Path | None, typer.Option("--to", help="Folder to write into.")]


@app.callback()
def need_the_press() -> None:
    """Execute, validate and render the book."""
    # Before the press is imported: what it lacks is then named, and how to get it.
    require("book", "colu book")


def _jobs(value: str) -> int:
    from colu.press.project import BookError

    if value == "auto":
        return os.cpu_count() or 1
    if not value.isdigit() or int(value) < 1:
        raise BookError(f"--jobs is {value!r}, wanted 'auto' or a number of at least 1")
    return int(value)


@contextmanager
def _told():
    """Turn what goes wrong into a message and an exit status."""
    from colu.press.project import BookError, UnknownName

    try:
        with stoppable():
            yield
    except BookError as error:
        errors.print(str(error), style="red" if errors.is_terminal else None, markup=False)
        raise typer.Exit(2 if isinstance(error, UnknownName) else 1) from None


def _clock(seconds: float | None) -> str:
    """The time that is left, no finer than it is known."""
    if seconds is None:
        return "time left unknown"
    return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"


@contextmanager
def _progress(project: Project, names: list[str] | None, preset: str, jobs: int, site: float = 0.0):
    """A reporter: a bar of the chapters in a terminal, one short line an event elsewhere."""
    from colu.press.build.execute import recorded_seconds
    from colu.press.build.progress import Remaining
    from colu.press.toc import select

    chapters = [path.stem for path in select(project, names or ())]
    if not console.is_terminal:
        yield lambda name, event: None if event == "started" else console.print(f"  {name}: {event}", markup=False)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    left = Remaining(chapters, recorded_seconds(project, preset), jobs, site)

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_clock(left.seconds(time.monotonic())))

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), Left())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(chapters))

        def report(name: str, event: str) -> None:
            left.note(name, event, time.monotonic())
            if event not in ("started", "current"):
                progress.console.print(f"  {name}: {event}", markup=False)
            running = ", ".join(each.split("-")[0] for each in left.running) or "none"
            said = f"running {running}, {len(left.waiting)} to come" if left.rendering is None else "rendering the site"
            progress.update(task, description=said, completed=len(chapters) - len(left.running) - len(left.waiting))

        yield report


def _locked(action: Callable[[Project], None]) -> None:
    from colu.press.build.execute import single_build
    from colu.press.project import find_project

    with _told():
        project = find_project()
        with single_build(project):
            action(project)


@app.command()
def execute(
    names: Names = None,
    preset: Preset = "smoke",
    jobs: Jobs = "auto",
    force: Force = False,
    cell_timeout: Annotated[int | None, typer.Option(min=1, help="Seconds a cell may take.")] = None,
) -> None:
    """Execute the notebooks that are not current."""
    from colu.press.build.build import raise_failures
    from colu.press.build.execute import execute as run
    from colu.press.project import check_preset

    def action(project: Project) -> None:
        options = {"preset": preset, "jobs": _jobs(jobs), "force": force, "cell_timeout": cell_timeout}
        check_preset(preset)
        with _progress(project, names, preset, options["jobs"]) as report:
            failures = run(project, names=names or (), report=report, **options)
        raise_failures(failures)

    _locked(action)


@app.command()
def validate(names: Names = None, preset: Preset = "smoke", jobs: Jobs = "auto", force: Force = False) -> None:
    """Run each executed copy a second time with nbval and compare; the site then says so."""
    from colu.press.build.build import validate_and_say
    from colu.press.build.execute import recorded_seconds

    def action(project: Project) -> None:
        at_a_time = _jobs(jobs)

        def begin(waiting: list[str]) -> None:
            # nbval says nothing before its end.
            took = sum(recorded_seconds(project, preset).get(name, 0.0) for name in waiting) / at_a_time
            said = f"notebooks to run a second time, from the wheel: {len(waiting)}, {at_a_time} at a time"
            console.print(f"{said}: {_clock(took or None)}", markup=False)

        options = {"preset": preset, "names": names or (), "jobs": at_a_time, "force": force}
        validate_and_say(project, **options, begin=begin)
        console.print("the second runs agree")

    _locked(action)


def _say_where(page: Path, rendered: bool) -> None:
    console.print(f"{'rendered' if rendered else 'nothing changed'}: {page.as_uri()}")


@app.command()
def render(preset: Preset = "smoke", force: Force = False) -> None:
    """Render the site from the executed copies."""
    from colu.press.build.render import render as run

    _locked(lambda project: _say_where(*run(project, preset=preset, force=force)))


@app.command()
def build(preset: Preset = "smoke", jobs: Jobs = "auto", force: Force = False) -> None:
    """Lint, execute and render; what is current is skipped."""
    from colu.press.build.build import build as run
    from colu.press.build.render import rendered_in
    from colu.press.project import check_preset, find_project

    with _told():
        check_preset(preset)
        project, at_a_time = find_project(), _jobs(jobs)
        with _progress(project, None, preset, at_a_time, rendered_in(project)) as report:
            options = {"preset": preset, "jobs": at_a_time, "force": force}
            page = run(project, step=lambda title: console.print(title), report=report, **options)
        _say_where(*page)


@app.command()
def chapter(
    name: Annotated[str, typer.Argument(help="A chapter by name or number.")],
    preset: Preset = "smoke",
    force: Force = False,
) -> None:
    """Execute one chapter and render its page alone, for a look at it."""
    from colu.press.build.build import raise_failures
    from colu.press.build.execute import execute as run
    from colu.press.build.render import render_chapter
    from colu.press.project import check_preset

    def action(project: Project) -> None:
        check_preset(preset)
        with _progress(project, [name], preset, 1) as report:
            raise_failures(run(project, preset=preset, names=[name], jobs=1, force=force, report=report))
        page = render_chapter(project, name, preset)
        console.print(f"this page alone, its links to other pages lead nowhere: {page.as_uri()}")

    _locked(action)


@app.command()
def strip(names: Names = None) -> None:
    """Take the outputs out of notebooks that were run in place, as they are committed."""
    from colu.press.notebook import strip as run
    from colu.press.project import find_project
    from colu.press.toc import select

    with _told():
        for path in select(find_project(), names or ()):
            if run(path):
                console.print(f"  {path.stem}: stripped", markup=False)


@app.command()
def lint() -> None:
    """Check the rules for notebooks and claims, and the seals of the records."""
    from colu.press.check.exercises import telling_results, without_hints
    from colu.press.check.notebooks import lint as run
    from colu.press.check.quizzes import without_questions
    from colu.press.project import BookError, find_project
    from colu.press.toc import TOC, outside, toc_chapters

    with _told():
        project = find_project()
        for name in outside(project):
            console.print(f"  {name}: left out, it is not in {TOC}", markup=False)
        if missing := without_questions(toc_chapters(project.root), project.pages):
            console.print(f"  {len(missing)} chapters have no questions yet: {', '.join(missing)}", markup=False)
        chapters = toc_chapters(project.root)
        for said, labels in (
            ("exercises have no hints yet", without_hints(chapters)),
            ("exercises tell more than a number or a shape of their result", telling_results(chapters)),
        ):
            if labels:
                console.print(f"  {len(labels)} {said}: {', '.join(labels)}", markup=False)
        if problems := run(project):
            raise BookError("\n".join(problems))
        console.print("notebooks and claims follow the rules, and every record is as it was sealed")


@app.command()
def check(
    browser: Annotated[bool, typer.Option(help="Also load every page in headless Chromium.")] = True,
) -> None:
    """Examine the built site: links, anchors, alt texts, tracebacks, requests to other hosts."""
    from colu.press.check.site import main as run
    from colu.press.project import BookError, find_project

    with _told():
        project = find_project()
        if not project.site.is_dir():
            raise BookError(f"there is no site at {project.site}: run 'colu book build' first")
        if problems := run(project.site, browser=browser):
            raise BookError("\n".join(problems))
        console.print("the site is in order")


@app.command()
def student(
    names: Names = None,
    to: Folder = None,
    form: Annotated[
        str,
        typer.Option("--format", help="plain: to read and fill in; otter: sources for 'otter assign', which grades."),
    ] = "plain",
    hidden: Annotated[
        bool, typer.Option("--hidden", help="With --format otter: keep the tests from the students.")
    ] = False,
) -> None:
    """Write student's notebooks without solutions and teacher's with them, or sources for otter-grader."""
    from colu.press.project import find_project
    from colu.press.teach.student import write_teaching_notebooks

    with _told():
        project = find_project()
        folder = to or project.root / "dist" / "teaching"
        written = write_teaching_notebooks(project, folder, names or (), form=form, hidden=hidden)
        console.print(f"{len(written)} files: {folder}")


@app.command()
def slides(names: Names = None, to: Folder = None) -> None:
    """Write slides, sheets and solutions of rendered chapters into a folder that holds all they load."""
    from colu.press.project import find_project
    from colu.press.teach.slides import slides_command

    with _told():
        project = find_project()
        folder = to or project.root / "dist" / "lecture"
        written = slides_command(project, names or (), folder)
        decks = sum(path.parent.name == "slides" for path in written)
        console.print(f"{decks} decks, {(len(written) - decks) // 2} sheets with solutions: {folder}")


@app.command()
def archive(
    to: Folder = None,
    pdf: Annotated[bool, typer.Option(help="Also make the PDF and the EPUB; needs Chromium.")] = True,
    code: Annotated[str, typer.Option(help="In the PDF: none, teaching (what stands open) or all.")] = "teaching",
) -> None:
    """Make the offline HTML archive, the PDF and the EPUB of the built site, with checksums."""
    from colu.press.offline.archive import make_archive
    from colu.press.project import find_project

    with _told():
        project = find_project()
        for path in make_archive(project, to or project.root / "dist" / "book", pdf=pdf, code=code):
            console.print(f"{path}: {path.stat().st_size / 2**20:.1f} MB")
