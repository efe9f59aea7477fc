"""Validate executed copies: nbval runs each a second time and compares what is tagged for it."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from colu.files import file_digest, read_json, write_atomically
from colu.press.notebook import Notebook
from colu.press.project import BookError, Project, check_preset
from colu.press.teach.plain import Shelf, plain_notebook
from colu.press.toc import select
from colu.programs import ProgramError, run_program

from .environment import kernel_environment, private_folders
from .execute import CELL_TIMEOUT, record_path
from .worker import START_SECONDS

__all__ = ["validate"]


def _command(copies: Sequence[Path], jobs: int, cell_timeout: int, report: Path, config: Path) -> list[str]:
    # Outside of its root pytest names every notebook's cells alike, and xdist then runs only one notebook of them all.
    return [
        *(sys.executable, "-P", "-m", "pytest", "-q", "--tb=short"),
        *("-c", str(config), "--rootdir", str(copies[0].parent)),
        *("-p", "no:cacheprovider", "-p", "colu.press.build.nbval_plugin", f"--leave-with={os.getpid()}"),
        *("--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={cell_timeout}"),
        f"--nbval-kernel-startup-timeout={START_SECONDS}",
        *("-n", str(jobs), "--dist", "loadfile", f"--junitxml={report}"),
        *map(str, copies),
    ]


def _colourless(text: str) -> str:
    return re.sub(r"(\x1b|#x1B)\[[0-9;]*m", "", text)


def _code_cells(copy: Path) -> int:
    return sum(cell.kind == "code" for cell in Notebook.read(copy).cells)


def _failures(report: Path, copies: Sequence[Path]) -> dict[str, list[str]]:
    """Notebook -> what failed in it, from pytest's JUnit report; a cell that was not run is a failure too."""
    found: dict[str, list[str]] = {}
    seen: dict[str, set[str]] = {copy.name: set() for copy in copies}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        file, name = Path(case.get("classname", "")).name, case.get("name", "")
        seen.setdefault(file, set()).add(name)
        for element in (*case.iter("failure"), *case.iter("error")):
            text = _colourless(element.text or element.get("message") or "")
            stem = Path(file).stem if file.endswith(".ipynb") else file or "?"
            found.setdefault(stem, []).append(f"{name}\n{text.strip()}")
    for copy in copies:
        if len(seen[copy.name]) != _code_cells(copy) and copy.stem not in found:
            found[copy.stem] = [f"nbval ran {len(seen[copy.name])} of its {_code_cells(copy)} code cells"]
    return found


def validate(
    project: Project,
    *,
    preset: str = "smoke",
    names: Sequence[str] = (),
    jobs: int = 2,
    force: bool = False,
    cell_timeout: int | None = None,
    package: Callable[[Path], Path] | None = None,
    begin: Callable[[list[str]], None] = lambda waiting: None,
) -> dict[str, list[str]]:
    """Run nbval over the executed copies that were not validated yet, in their plain form, without a clone around.

    Parameters
    ----------
    project : Project
    preset : {"smoke", "laptop", "full"}
    names : sequence of str
        Notebooks; all where empty.
    jobs : int
        Notebooks at a time.
    force : bool
        Validate again what was validated.
    cell_timeout : int, optional
        Seconds a cell may take.
    package : callable, optional
        Makes, in the folder that it is given, one that holds the package for this run, such as
        :func:`colu.press.build.wheel.unpacked_wheel`; the records are then those of that package.
        By default the package and the records of the project.
    begin : callable
        Told the notebooks that are run, if there are any, before they are.

    Returns
    -------
    dict
        Notebook -> list of differences and errors; empty if all agree.

    Raises
    ------
    BookError
        If a copy is missing or altered: it must be executed first.
    """
    check_preset(preset)
    waiting: list[Path] = []
    for notebook in select(project, names):
        copy = project.executed(preset) / notebook.name
        record = read_json(record_path(copy))
        if record is None or not copy.is_file() or record.get("sha256") != file_digest(copy):
            raise BookError(f"{copy} is missing or altered: run 'colu book execute --preset {preset}' first")
        if force or not record.get("validated"):
            waiting.append(copy)
    if not waiting:
        return {}
    begin([copy.stem for copy in waiting])
    jobs = max(1, min(jobs, len(waiting)))
    with tempfile.TemporaryDirectory(prefix="colu-") as folder:
        report, config, empty = (Path(folder, name) for name in ("report.xml", "pytest.ini", "empty"))
        write_atomically(config, "[pytest]\n")
        environment = kernel_environment(project, preset, jobs)
        if package is not None:
            environment["PYTHONPATH"] = str(package(Path(folder, "package")))
            del environment["COLU_RESULTS"]
        empty.mkdir()
        # As readers open them outside of the site: in the plain form.
        shelf = Shelf(project, project.executed(preset), preset)
        copies = [empty / copy.name for copy in waiting]
        for copy in copies:
            write_atomically(copy, plain_notebook(shelf.copy(copy.stem), shelf).dumps())
        command = _command(copies, jobs, cell_timeout or CELL_TIMEOUT[preset], report, config)
        own = private_folders(Path(folder), driver=os.getpid(), results=project.results)
        try:
            done = run_program(command, env=environment | own, cwd=folder)
        except ProgramError as error:
            raise BookError(f"nbval did not run: {error}") from None
        if not report.is_file() or done.status not in (0, 1):
            said = (done.out + done.err)[-3000:]
            raise BookError(f"nbval did not run (exit status {done.status}):\n{said}")
        failures = _failures(report, copies)
    if strange := set(failures) - {copy.stem for copy in waiting}:
        raise BookError(f"nbval failed outside of a cell, at {sorted(strange)}:\n{done.out[-3000:]}")
    if done.status == 1 and not failures:
        raise BookError(f"nbval failed without naming a cell:\n{done.out[-3000:]}")
    for copy in waiting:
        record = read_json(record_path(copy)) | {"validated": copy.stem not in failures}
        write_atomically(record_path(copy), json.dumps(record, indent=1) + "\n")
    return failures
