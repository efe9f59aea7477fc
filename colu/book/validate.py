"""Validate executed copies: nbval runs each a second time and compares what is tagged for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from colu.book.execute import CELL_TIMEOUT, _environment, record_path
from colu.book.keys import file_digest
from colu.book.project import BookError, Project, check_preset, read_json, write_atomically

__all__ = ["validate"]


def _command(copies: Sequence[Path], jobs: int, cell_timeout: int, report: Path, config: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "-q", "--tb=short", "-c", str(config)),
        *("-p", "no:cacheprovider", "-p", "colu.book.nbval_plugin"),
        *("--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={cell_timeout}"),
        *("-n", str(jobs), "--dist", "loadfile", f"--junitxml={report}"),
        *map(str, copies),
    ]


def _colourless(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _failures(report: Path, copies: Sequence[Path]) -> dict[str, list[str]]:
    """Notebook -> what failed in it, from pytest's JUnit report."""
    found: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        for kind in ("failure", "error"):
            for element in case.iter(kind):
                place = f"{case.get('classname', '')} {case.get('name', '')}"
                stem = next((copy.stem for copy in copies if copy.stem in place), place)
                text = _colourless(element.text or element.get("message") or "")
                found.setdefault(stem, []).append(f"{case.get('name')}\n{text.strip()}")
    return found


def validate(
    project: Project,
    *,
    preset: str = "smoke",
    names: Sequence[str] = (),
    jobs: int = 2,
    force: bool = False,
    cell_timeout: int | None = None,
) -> dict[str, list[str]]:
    """Run nbval over the executed copies that were not validated since they were made.

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
    for notebook in project.select(names):
        copy = project.executed(preset) / notebook.name
        record = read_json(record_path(copy))
        if record is None or not copy.is_file() or record.get("sha256") != file_digest(copy):
            raise BookError(f"{copy} is missing or altered: run 'colu book execute --preset {preset}' first")
        if force or not record.get("validated"):
            waiting.append(copy)
    if not waiting:
        return {}
    jobs = max(1, min(jobs, len(waiting)))
    with tempfile.TemporaryDirectory(prefix="colu-") as folder:
        report, config = Path(folder, "report.xml"), Path(folder, "pytest.ini")
        config.write_text("[pytest]\n", encoding="utf8")
        command = _command(waiting, jobs, cell_timeout or CELL_TIMEOUT[preset], report, config)
        done = subprocess.run(command, capture_output=True, text=True, env=_environment(preset, jobs), cwd=folder)
        if not report.is_file() or done.returncode not in (0, 1):
            said = (done.stdout + done.stderr)[-3000:]
            raise BookError(f"nbval did not run (exit status {done.returncode}):\n{said}")
        failures = _failures(report, waiting)
    if done.returncode == 1 and not failures:
        raise BookError(f"nbval failed without naming a cell:\n{done.stdout[-3000:]}")
    for copy in waiting:
        if copy.stem not in failures:
            record = read_json(record_path(copy)) | {"validated": True}
            write_atomically(record_path(copy), json.dumps(record, indent=1) + "\n")
    return failures
