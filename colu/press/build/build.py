"""All steps in order: lint, execute, validate, render."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from colu.press.check.notebooks import lint
from colu.press.project import BookError, Project, check_preset

from .execute import execute, single_build
from .render import render
from .validate import validate

__all__ = ["build", "raise_failures", "raise_differences"]


def raise_failures(failures: list) -> None:
    """Stop with one line for each notebook that failed."""
    if failures:
        raise BookError("execution failed\n" + "\n".join(map(str, failures)))


def raise_differences(differences: dict[str, list[str]]) -> None:
    """Stop with what nbval found, by notebook."""
    if differences:
        lines = [f"notebook {name}: {text[-2000:]}" for name, texts in differences.items() for text in texts]
        raise BookError("validation failed: the second run of a notebook differs\n" + "\n".join(lines))


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
        Told the title of each step, and what happens to each notebook.

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
        step("validate")
        raise_differences(validate(project, preset=preset, jobs=jobs, force=force))
        step("render")
        return render(project, preset=preset, force=force)
