"""The one way to start another program: it ends with its family, what it says is text, what goes wrong is one error."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finished", "ProgramError", "end_program", "leave_with", "run_program", "start_program"]

#: Between two looks at the process with which this one ends.
_SECONDS = 0.3


class ProgramError(RuntimeError):
    """A program could not be started, or did not end in time."""


@dataclass(frozen=True)
class Finished:
    """What a program left.

    Attributes
    ----------
    status : int
        Its exit status; the negative number of a signal that ended it.
    out, err : str
        What it wrote; bytes that are not UTF-8 are replaced.
    """

    status: int
    out: str
    err: str


def start_program(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | Path | None = None, **options
) -> subprocess.Popen:
    """Start a program, which :func:`end_program` ends.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; no shell.
    env, cwd
        As of :func:`run_program`.
    **options
        Of :class:`subprocess.Popen`.

    Raises
    ------
    ProgramError
        If it is absent or does not start.
    """
    try:
        return subprocess.Popen(command, env=env, cwd=cwd, **options)
    except OSError as error:
        raise ProgramError(f"{command[0]!r} could not be started: {error.strerror or error}") from None


def end_program(process: subprocess.Popen) -> None:
    """End a program and all that it started: some lead sessions of their own, so no signal to a group reaches them."""
    family = []
    with suppress(ImportError):
        import psutil

        # The library starts its compiler without psutil: that ends alone then.
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
    for member in (*family, process):
        with suppress(Exception):
            member.kill()
    process.wait()


def run_program(
    command: Sequence[str],
    *,
    seconds: float | None = None,
    given: str = "",
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Finished:
    """Run a program to its end, whatever its exit status; stopped on the way, it ends with all that it started.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; no shell.
    seconds : float, optional
        How long it may take.
    given : str
        What it reads; nothing else of ours, a terminal least of all.
    env : mapping, optional
        Its environment; ours by default. Programs in Python are told to write UTF-8.
    cwd : path, optional
        Its working folder.

    Raises
    ------
    ProgramError
        If it is absent, does not start or does not end in time.

    Examples
    --------
    >>> import sys
    >>> run_program([sys.executable, "-c", "print('here')"]).out
    'here\\n'
    """
    environment = {**(os.environ if env is None else env), "PYTHONIOENCODING": "utf8"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start_program(command, env=environment, cwd=cwd, **pipes) as process:
        try:
            out, err = process.communicate(given.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{command[0]!r} was stopped: it took more than {seconds:g} s") from None
        finally:
            if process.returncode is None:
                end_program(process)
    return Finished(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def leave_with(driver: int, leave: Callable[[], None]) -> None:
    """Watch the process ``driver`` from a thread; call ``leave`` when it is gone, at once if it is gone already.

    Parameters
    ----------
    driver : int
        Its number, told by itself: who asks for the parent may get that of another, once the driver is gone.
    leave : callable
        Called once.
    """
    import psutil

    def alive(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def watch() -> None:
        try:
            process = psutil.Process(driver)
            while alive(process):
                time.sleep(_SECONDS)
        except psutil.NoSuchProcess:
            pass
        leave()

    threading.Thread(target=watch, daemon=True).start()
