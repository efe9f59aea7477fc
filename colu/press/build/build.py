"""All steps in order: lint, execute, render; and the second run, which belongs to continuous integration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from colu.files import read_json
from colu.press.check.notebooks import lint
from colu.press.project import BookError, Project, check_preset

from .execute import execute, single_build
from .progress import SITE
from .render import render
from .validate import validate
from .wheel import unpacked_wheel

__all__ = ["build", "raise_failures", "validate_and_say"]


def raise_failures(failures: list) -> None:
    """Stop with one line for each notebook that failed."""
    if failures:
        raise BookError("execution failed\n" + "\n".join(map(str, failures)))


def validate_and_say(
    project: Project,
    *,
    preset: str = "smoke",
    names: Sequence[str] = (),
    jobs: int = 2,
    force: bool = False,
    begin: Callable[[list[str]], None] = lambda waiting: None,
) -> None:
    """Run each executed copy a second time and compare; then let the standing site say so, if it shows these copies.

    The second run is that of someone who has installed the package: from its wheel, in a folder without a clone.

    Raises
    ------
    BookError
        With what nbval found, by notebook.
    """
    installed = partial(unpacked_wheel, project.root)
    options = {"preset": preset, "names": names, "jobs": jobs, "force": force}
    differences = validate(project, **options, package=installed, begin=begin)
    if differences:
        lines = [f"notebook {name}: {text[-2000:]}" for name, texts in differences.items() for text in texts]
        raise BookError("validation failed: the second run of a notebook differs\n" + "\n".join(lines))
    if project.site.is_dir() and (read_json(project.build / "site.json") or {}).get("preset") == preset:
        render(project, preset=preset)


def build(
    project: Project,
    *,
    preset: str = "smoke",
    jobs: int = 2,
    force: bool = False,
    step: Callable[[str], None] = lambda title: None,
    report: Callable[[str, str], None] = lambda notebook, event: None,
) -> tuple[Path, bool]:
    """Bring the whole book up to date.

    Parameters
    ----------
    project : Project
    preset : {"smoke", "laptop", "full"}
    jobs : int
        Notebooks at a time.
    force : bool
        Do everything again.
    step, report : callable
        Told the title of each step, and what happens to each notebook; and when the site is begun.

    Returns
    -------
    page : Path
        The first page of the site.
    rendered : bool
        False if the site was current.

    Raises
    ------
    BookError
        At the first step that fails; the site that stood is untouched.
    """
    check_preset(preset)
    with single_build(project):
        step("lint")
        if problems := lint(project):
            raise BookError("the rules for notebooks and claims are broken\n" + "\n".join(problems))
        step("execute")
        raise_failures(execute(project, preset=preset, jobs=jobs, force=force, report=report))
        step("render")
        report(SITE, "started")
        return render(project, preset=preset, force=force)
