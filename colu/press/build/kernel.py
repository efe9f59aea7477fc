"""The kernel of a notebook, as the build starts it: apart from the machine's set-up, with its reads noted.

``python -P -m colu.press.build.kernel DRIVER RESULTS NOTES -f CONNECTION``: it ends with the process DRIVER.
Each file below RESULTS that it opens goes into the file ``reads`` in the folder NOTES once, by its name there, each
folder that it lists with a slash behind, and ``**`` where it starts a program that may read any of them. A name begun
by a dot is no record. The most memory that it held goes into ``memory``.
Whether a file is there can be asked without opening it or listing its folder; that is not seen.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from colu.files import write_atomically
from colu.lab.machine import peak_memory
from colu.programs import leave_with

__all__ = ["EVERYTHING", "observer"]

#: Stands for all records.
EVERYTHING = "**"
_LISTS = ("os.listdir", "os.scandir")
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
#: Programs that read no records: they are asked for the commit, for kernels and for facts on the machine.
_HARMLESS = re.compile(r"git|[\w+-]*(cc|\+\+|clang|ld)(-[\d.]+)?|as|ldconfig|lscpu|nvidia-smi|uname|file")
#: multiprocessing starts its processes past the hooks.
_SPAWNS = ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver")


def _program(arguments: tuple) -> str:
    """The name of the program that an event of ``_STARTS`` is about; of ``os.spawn`` a number comes before it."""
    named = (each for each in arguments if isinstance(each, (str, bytes, os.PathLike)))
    return os.path.basename(os.fsdecode(next(named, "")))


def _writes(mode: object, flags: object) -> bool:
    """Whether a file is opened for writing alone."""
    if isinstance(mode, str):
        return "r" not in mode and "+" not in mode
    return isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY


def observer(results: str, note: Callable[[str], None]) -> Callable[[str, tuple], None]:
    """A hook for ``sys.addaudithook`` that calls ``note`` once with each name."""
    # What was opened by way of a link counts too.
    roots = tuple(dict.fromkeys((os.path.abspath(results), os.path.realpath(results))))
    seen = set()

    def once(name: str) -> None:
        if name not in seen:
            seen.add(name)
            note(name)

    def look(path: object, end: str) -> None:
        if path is None:
            path = "."
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # a file that is open already
        full = os.path.abspath(os.fsdecode(path))
        for root in roots:
            if full == root or full.startswith(root + os.sep):
                name = os.path.relpath(full, root).replace(os.sep, "/")
                if not any(part.startswith(".") for part in name.split("/") if part != "."):
                    once(name + end)

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            if not _writes(*arguments[1:3]):
                look(arguments[0], "")
        elif event in _LISTS:
            look(arguments[0], "/")
        elif event in _STARTS:
            if event == "os.system" or not _HARMLESS.fullmatch(_program(arguments)):
                once(EVERYTHING)
        elif event == "import" and arguments[0] in _SPAWNS:
            once(EVERYTHING)

    return hook


def main() -> None:
    """Run the kernel until it is shut down."""
    driver, results, notes = sys.argv[1:4]
    del sys.argv[1:4]
    leave_with(int(driver), lambda: os._exit(1))
    if notes:
        # Appended at once and by the descriptor, so that the children that a notebook forks are heard too.
        log = os.open(os.path.join(notes, "reads"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sys.addaudithook(observer(results, lambda name: os.write(log, os.fsencode(name) + b"\0")))
    from ipykernel.kernelapp import IPKernelApp
    from IPython.core import application

    # The settings and start-up files of the whole machine; those of the user are elsewhere already.
    application.ENV_CONFIG_DIRS.clear()
    application.SYSTEM_CONFIG_DIRS.clear()
    # Below this level every kernel prints a line about encryption.
    IPKernelApp.launch_instance([*sys.argv[1:], "--IPKernelApp.log_level=40"])
    if notes:
        used = max(peak_memory(), peak_memory(children=True))
        with suppress(FileNotFoundError):  # the build was killed, and the next has removed its folder
            write_atomically(Path(notes, "memory"), str(used), make_folder=False)


if __name__ == "__main__":
    main()
