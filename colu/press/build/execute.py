"""Execute the notebooks that are not current, several at a time, each in its own process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from colu.files import PARTIAL, Busy, file_digest, held, put_in_place, read_json, write_atomically
from colu.press.notebook import Notebook
from colu.press.project import BookError, Project, check_preset, check_system
from colu.press.toc import TOC, outside, select
from colu.programs import ProgramError, end_program, start_program

from .environment import kernel_environment
from .keys import changed_since, key_with_reads, notebook_key, package_digest
from .preload import launcher
from .worker import STOP_SECONDS

__all__ = ["Failure", "execute", "is_current", "record_path", "recorded_seconds", "single_build"]

#: Seconds a cell may take.
CELL_TIMEOUT = {"smoke": 300, "laptop": 3600, "full": 36000}


@dataclass(frozen=True)
class Failure:
    """A notebook that did not run to its end."""

    notebook: str
    cell: int | None
    cell_id: str | None
    error: str
    message: str
    partial: Path | None = None

    def __str__(self) -> str:
        number = "" if self.cell is None else f" {self.cell}"
        where = f"cell{number} {self.cell_id!r}" if self.cell_id else "an unknown cell"
        kept = f"\n  what ran is kept in {self.partial}" if self.partial else ""
        return f"notebook {self.notebook}: {where}: {self.error}: {self.message}{kept}"


def record_path(copy: Path) -> Path:
    """The record beside an executed copy."""
    return copy.with_suffix(".json")


def is_current(copy: Path, key: str, results: Path) -> bool:
    """Whether the executed copy was made under ``key`` and the same records, and is what was written then."""
    record = read_json(record_path(copy))
    if record is None or not isinstance(record.get("reads"), list) or not copy.is_file():
        return False
    if record.get("key") != key_with_reads(key, results, record["reads"]):
        return False
    return record.get("sha256") == file_digest(copy)


def recorded_seconds(project: Project, preset: str) -> dict[str, float]:
    """What each chapter took when it was executed last."""
    records = {path.stem: read_json(path) or {} for path in project.executed(preset).glob("*.json")}
    return {name: float(record["seconds"]) for name, record in records.items() if "seconds" in record}


@contextmanager
def single_build(project: Project):
    """Hold the project's build lock; the system releases it when the process ends, however it ends.

    Raises
    ------
    BookError
        If another process holds it, or on Windows.
    """
    check_system()
    with ExitStack() as stack:
        try:
            stack.enter_context(held(project.root / "executed" / ".lock"))
        except Busy:
            raise BookError(f"another build of {project.root} is running: wait for it to end, or stop it") from None
        yield


#: What a record keeps of a worker's answer.
_FACTS = ("seconds", "ended", "peak_memory_mb", "python", "device", "versions")


def _claimed(notebook: Path, message: str) -> str:
    """The statement of the claim that failed: the check does not know the text, the build does."""
    failed = re.match(r"claim '([^']+)' of ", message)
    statement = Notebook.read(notebook).statement(failed[1]) if failed else ""
    return f"\n  claimed: {statement}" if statement else ""


class _Run:
    """One notebook being executed."""

    def __init__(
        self,
        project: Project,
        notebook: Path,
        copy: Path,
        key: str,
        preset: str,
        cell_timeout: int,
        environment: Mapping[str, str],
        start: Sequence[str],
    ) -> None:
        self.notebook, self.copy, self.key, self.results = notebook, copy, key, project.results
        self.folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=copy.parent))
        self.scratch = Path(tempfile.mkdtemp(prefix="colu-"))
        self.output = self.folder / notebook.name
        self.request = self.folder / "request.json"
        self.facts = {
            "driver": os.getpid(),
            "results": str(project.results),
            "start": [*start],
            "notes": str(self.folder),
            "scratch": str(self.scratch),
            "notebook": str(notebook),
            "output": str(self.output),
            "preset": preset,
            "cell_timeout": cell_timeout,
        }
        self.environment = environment
        self.log = self.process = None

    def start(self) -> None:
        """Start its worker."""
        write_atomically(self.request, json.dumps(self.facts))
        self.began = self.request.stat().st_mtime_ns
        self.log = open(self.folder / "log.txt", "w+", encoding="utf8", errors="replace")
        command = [*self.facts["start"], "colu.press.build.worker", str(self.request)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": subprocess.STDOUT}
        try:
            # A session of its own: Ctrl-C is for the build, which then asks its workers to stop.
            self.process = start_program(command, env=self.environment, start_new_session=True, **streams)
        except ProgramError as error:
            raise BookError(f"notebook {self.notebook.stem} was not executed: {error}") from None

    def stop(self) -> None:
        """End worker and kernel: politely first, so that the kernel is shut down too."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                end_program(self.process)

    def finish(self, preset: str) -> Failure | None:
        """Put the copy and then its record in place, or keep the partial one aside."""
        answer = read_json(self.request.with_suffix(".answer"))
        if answer is None:
            self.log.seek(0)
            tail = self.log.read().strip().splitlines()[-1:] or [f"exit status {self.process.returncode}"]
            return Failure(self.notebook.stem, None, None, "the process that ran it ended", tail[0])
        if answer["status"] == "failed":
            aside = self.copy.parent / "failed" / self.copy.name
            if self.output.is_file():
                aside.parent.mkdir(exist_ok=True)
                put_in_place(self.output, aside)
            kept = aside if aside.is_file() else None
            message = answer["message"] + _claimed(self.notebook, answer["message"])
            return Failure(self.notebook.stem, answer["cell"], answer["cell_id"], answer["error"], message, kept)
        reads = self._reads()
        # What changed after it was read has no key: the next build executes the notebook again.
        late = changed_since(self.results, reads, self.began)
        key = None if late else key_with_reads(self.key, self.results, reads)
        record = {"key": key, "sha256": file_digest(self.output), "preset": preset, "validated": None, "reads": reads}
        record |= {name: answer[name] for name in _FACTS}
        put_in_place(self.output, self.copy)
        write_atomically(record_path(self.copy), json.dumps(record, indent=1) + "\n")
        (self.copy.parent / "failed" / self.copy.name).unlink(missing_ok=True)
        return None

    def _reads(self) -> list[str]:
        """What the notebook read of the records, by the names that its kernel noted."""
        reads = self.folder / "reads"
        noted = reads.read_bytes().split(b"\0") if reads.is_file() else []
        return sorted({os.fsdecode(name) for name in noted if name})

    def clean(self) -> None:
        """Remove the run's own folders; a worker that was killed has not."""
        if self.log is not None:
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.scratch, ignore_errors=True)


def _clear_leftovers(folder: Path) -> None:
    """Remove what a killed build left; safe under the build lock."""
    for path in folder.glob(f"{PARTIAL}*"):
        # A worker whose build was killed may write its answer while its folder is emptied: then once more.
        for _ in range(50):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            if not path.exists():
                break
            time.sleep(0.1)


def execute(
    project: Project,
    *,
    preset: str = "smoke",
    names: Sequence[str] = (),
    jobs: int = 2,
    force: bool = False,
    cell_timeout: int | None = None,
    report: Callable[[str, str], None] = lambda notebook, event: None,
) -> list[Failure]:
    """Bring the executed copies up to date.

    A notebook is executed when its key changed, its copy is absent or altered, or ``force`` is set.
    Every notebook is tried; a failure keeps the last good copy.

    Parameters
    ----------
    project : Project
    preset : {"smoke", "laptop", "full"}
    names : sequence of str
        Notebooks; all where empty.
    jobs : int
        Notebooks at a time; the cores are shared between them.
    cell_timeout : int, optional
        Seconds a cell may take; by default 300, 3,600 or 36,000 by preset.
    report : callable
        Told ``(notebook, event)``, event being "current", "started", "done" or "failed", or why it is left out.

    Returns
    -------
    list of Failure
        Empty if all copies are current now.

    Raises
    ------
    BookError
        For an unknown preset or notebook, or another build at work.
    """
    check_preset(preset)
    folder = project.executed(preset)
    folder.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(folder)
    package, seconds = package_digest(project), recorded_seconds(project, preset)
    waiting = []
    for name in () if names else outside(project):
        report(name, f"left out, it is not in {TOC}")
    for notebook in select(project, names):
        key, copy = notebook_key(project, notebook, preset, package=package), folder / notebook.name
        if not force and is_current(copy, key, project.results):
            report(notebook.stem, "current")
        else:
            waiting.append((notebook, copy, key))
    # The longest first, those of unknown length before them: then the last to end has little to wait for.
    waiting.sort(key=lambda each: -seconds.get(each[0].stem, float("inf")))
    failures: list[Failure] = []
    running: list[_Run] = []
    jobs = max(1, min(jobs, len(waiting)))
    environment, timeout = kernel_environment(project, preset, jobs), cell_timeout or CELL_TIMEOUT[preset]
    with launcher(environment, len(waiting)) as start:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_Run(project, *waiting.pop(0), preset, timeout, environment, start))
                    running[-1].start()
                    report(running[-1].notebook.stem, "started")
                for run in [run for run in running if run.process.poll() is not None]:
                    failure = run.finish(preset)
                    run.clean()
                    running.remove(run)
                    report(run.notebook.stem, "failed" if failure else "done")
                    failures += [failure] if failure else []
                time.sleep(0.05)
        finally:
            for run in running:
                run.stop()
                run.clean()
    return failures
