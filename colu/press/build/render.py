"""Render the book with Jupyter Book, and put it in place only when it is whole."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from colu.files import bring_back, put_in_place, read_json, write_atomically
from colu.press.check.budget import fill_budget
from colu.press.project import BookError, Project, check_preset
from colu.press.toc import TOC, select
from colu.programs import ProgramError, run_program

from .environment import clean_environment
from .keys import site_key

__all__ = ["render", "render_chapter", "rendered_in", "run_jupyter_book"]


#: Each holds some hundred MB. Sphinx writes with one less, since its first process prepares the pages for the others.
PROCESSES = min(4, os.cpu_count() or 1) + 1
#: ``jupyter-book`` in several processes, for which it has no option, that end with the process named first: they would
#: write on into the folder of the next build.
_JUPYTER_BOOK = """
import atexit, functools, gc, os, sys
import jupyter_book.sphinx
from jupyter_book.cli.main import main
from colu.programs import leave_with
driver, processes = int(sys.argv.pop(1)), int(sys.argv.pop(1))
end = lambda: leave_with(driver, lambda: os._exit(1))
end()
# Pages are trees of millions of objects, which the collector would go through every 700 new ones.
gc.set_threshold(200_000, 20, 50)
os.register_at_fork(after_in_child=end)
jupyter_book.sphinx.build_sphinx = functools.partial(jupyter_book.sphinx.build_sphinx, jobs=processes)
try:
    main(prog_name="jupyter-book")
except SystemExit as end:
    # To take all those trees apart, one object after another, would be ten seconds.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(end.code)
"""


def _jupyter_book() -> list[str]:
    return [sys.executable, "-P", "-c", _JUPYTER_BOOK, str(os.getpid()), str(PROCESSES)]


def _complaints(log: str) -> str:
    """The lines of Sphinx's log that say what is wrong."""
    marks = ("WARNING", "ERROR", "Error", "error:", "CRITICAL")
    lines = [line for line in log.splitlines() if any(mark in line for mark in marks)]
    return "\n".join(lines[-40:] or log.splitlines()[-40:])


def run_jupyter_book(
    project: Project,
    preset: str,
    output: Path,
    *options: str,
    command: Sequence[str] | None = None,
    strict: bool = True,
) -> None:
    """Run Jupyter Book over the executed copies.

    Everything is read anew: an incremental build passes over old warnings, loses links from code to the reference,
    and takes citations to other pages.

    Parameters
    ----------
    project : Project
    preset : {"smoke", "laptop", "full"}
        Which executed copies.
    output : Path
        Where it makes its ``_build``.
    *options : str
        More of ``jupyter-book build``.
    command : sequence of str, optional
        Instead of ``jupyter-book``.
    strict : bool
        Whether a warning is an error.

    Raises
    ------
    BookError
        With the warnings and errors.
    """
    arguments = ["build", str(project.root), "--path-output", str(output), "--all"]
    arguments += ["-W", "--keep-going", "-n"] if strict else []
    executed = {"COLU_EXECUTED_DIR": str(project.executed(preset)), "COLU_PRESET": preset, "NO_COLOR": "1"}
    whole = [*(command or _jupyter_book()), *arguments, *options]
    environment = clean_environment() | executed
    try:
        done = run_program(whole, env=environment, cwd=project.root)
    except ProgramError as error:
        raise BookError(f"the book was not rendered: {error}") from None
    if done.status != 0:
        raise BookError(
            f"the book was not rendered (exit status {done.status}); what stood is untouched:\n"
            + _complaints(done.out + done.err)
        )


def render(
    project: Project, *, preset: str = "smoke", force: bool = False, command: Sequence[str] | None = None
) -> tuple[Path, bool]:
    """Render the executed copies and the pages into ``_build/html``.

    The site that stands is replaced only when the new one is whole.

    Parameters
    ----------
    project : Project
    preset : {"smoke", "laptop", "full"}
        Which executed copies.
    force : bool
        Render although nothing changed.
    command : sequence of str, optional
        Instead of ``jupyter-book``.

    Returns
    -------
    page : Path
        The first page.
    rendered : bool
        False if the site was current.

    Raises
    ------
    BookError
        With the warnings and errors, if the site cannot be rendered.
    """
    check_preset(preset)
    project.build.mkdir(exist_ok=True)
    stamp, staging = project.build / "site.json", project.build / ".staging"
    bring_back(project.site)
    copies = [path for path in project.executed(preset).glob("*") if path.suffix in (".ipynb", ".json")]
    key, page = site_key(project, preset, copies), project.site / "index.html"
    if not force and page.is_file() and (read_json(stamp) or {}).get("key") == key:
        return page, False
    shutil.rmtree(staging, ignore_errors=True)
    began = time.monotonic()
    run_jupyter_book(project, preset, staging, command=command)
    fresh = staging / "_build" / "html"
    if not (fresh / "index.html").is_file():
        raise BookError(f"Jupyter Book wrote no {fresh / 'index.html'}; the site that stood is untouched")
    fill_budget(fresh)
    stamp.unlink(missing_ok=True)
    put_in_place(fresh, project.site)
    told = {"key": key, "preset": preset, "seconds": round(time.monotonic() - began, 1)}
    write_atomically(stamp, json.dumps(told) + "\n")
    shutil.rmtree(staging, ignore_errors=True)
    return page, True


def rendered_in(project: Project) -> float:
    """The seconds that the site took when it was rendered last; 0 where that is not known."""
    return float((read_json(project.build / "site.json") or {}).get("seconds") or 0.0)


def render_chapter(project: Project, name: str, preset: str = "smoke", *, command: Sequence[str] | None = None) -> Path:
    """Render one chapter's page alone into ``_build/chapter``, beside the site and without the other copies.

    Its links to other pages lead nowhere, which is no error here.

    Parameters
    ----------
    project : Project
    name : str
        The chapter, by name or number.
    preset : {"smoke", "laptop", "full"}
        Which executed copy.
    command : sequence of str, optional
        Instead of ``jupyter-book``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BookError
        With the errors, if it cannot be rendered.
    """
    (notebook,) = select(project, [name])
    page = Path("notebooks", f"{notebook.stem}.html")
    staging, place = project.build / ".chapter", project.build / "chapter"
    bring_back(place)
    shutil.rmtree(staging, ignore_errors=True)
    toc = staging / TOC
    write_atomically(toc, f"format: jb-book\nroot: notebooks/{notebook.stem}\n")
    run_jupyter_book(project, preset, staging, "--toc", str(toc), command=command, strict=False)
    fresh = staging / "_build" / "html"
    if not (fresh / page).is_file():
        raise BookError(f"Jupyter Book wrote no {fresh / page}")
    put_in_place(fresh, place)
    shutil.rmtree(staging, ignore_errors=True)
    return place / page
