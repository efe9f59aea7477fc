"""The one way to run another program to its end: what it says is text, and what goes wrong is one kind of error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finished", "ProgramError", "run_program"]


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


def run_program(
    command: Sequence[str],
    *,
    seconds: float | None = None,
    given: str = "",
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Finished:
    """Run a program to its end, whatever its exit status.

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
    try:
        done = subprocess.run(
            command, input=given.encode(), capture_output=True, timeout=seconds, env=environment, cwd=cwd, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramError(f"{command[0]!r} was stopped: it took more than {seconds:g} s") from None
    except OSError as error:
        raise ProgramError(f"{command[0]!r} could not be started: {error.strerror or error}") from None
    return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
