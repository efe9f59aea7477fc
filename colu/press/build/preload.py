"""A process that has imported what notebooks import, and forks theirs from itself: seconds of each chapter are saved.

``python -P -m colu.press.build.preload DRIVER SOCKET LIBRARIES`` runs that module, then listens on a Unix socket
until the process DRIVER is gone; :mod:`colu.press.build.entrust` asks it for processes.
What a fork begins with is what a fresh interpreter has after the same imports: no thread runs, no accelerator is
touched, and unseeded generators are seeded anew.
Only on Linux; elsewhere a library of the system may not survive a fork, and each process imports by itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from colu.press.project import BookError
from colu.programs import ProgramError, end_program, start_program

from .entrust import local_address

__all__ = ["PLAIN", "launcher"]

LIBRARIES = "colu.press.build.libraries"
#: A process of its own, without any of this.
PLAIN = (sys.executable, "-P", "-m")
#: Fewer notebooks import sooner by themselves.
ENOUGH = 4


class _Handler(socketserver.BaseRequestHandler):
    """In the fork: become what was asked for."""

    def handle(self) -> None:
        self.server.socket.close()
        line: socket.socket = self.request
        mark, streams, _, _ = socket.recv_fds(line, 1, 3)
        if not mark:
            return
        told = json.loads(line.makefile().readline())
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(told["folder"])
        os.environ.clear()
        os.environ.update(told["environment"])
        sys.argv = [told["module"], *told["arguments"]]
        _draw_anew()
        _say(line, os.getpid())
        threading.Thread(target=_end_with, args=(line,), daemon=True).start()
        _say(line, _run(told["module"]))


def _say(line: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        line.sendall(f"{number}\n".encode())


def _end_with(line: socket.socket) -> None:
    """Leave when the other end closes: who asked is gone."""
    with contextlib.suppress(OSError):
        line.recv(1)
    os._exit(1)


def _draw_anew() -> None:
    """What was drawn when the libraries were imported is drawn again: who sets no seed gets numbers of his own."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()


def _run(module: str) -> int:
    """Run a module as ``python -m`` does; the exit status."""
    status = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """A fork for each connection, as many as the driver asks for."""

    max_children = sys.maxsize
    driver = 0

    def service_actions(self) -> None:
        """Between the requests: bury the dead, and end with the driver."""
        super().service_actions()
        if os.getppid() != self.driver:
            os._exit(1)


def main() -> None:
    """Import, then listen."""
    driver, path, libraries = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    # Read when it is imported; in a kernel of its own ipykernel has set it by then.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    runpy.run_module(libraries)
    # What is there already is not looked through again, so its pages stay shared.
    gc.collect()
    gc.freeze()
    # Its name appears when it listens.
    unready = path.with_name("unready")
    with local_address(str(unready)) as address:
        server = _Server(address, _Handler)
    server.driver = driver
    os.rename(unready, path)
    server.serve_forever(poll_interval=0.2)


@contextlib.contextmanager
def launcher(environment: Mapping[str, str], number: int, libraries: str = LIBRARIES) -> Iterator[tuple[str, ...]]:
    """The words that come before a module's name and its arguments to start it.

    Parameters
    ----------
    environment : mapping
        Of the process that imports; what libraries read when they are imported counts for all forks.
    number : int
        How many will be started.
    libraries : str
        The module that imports for all of them.

    Raises
    ------
    BookError
        If something can't be imported, with what Python says.
    """
    if sys.platform != "linux" or number < ENOUGH:
        yield PLAIN
        return
    with tempfile.TemporaryDirectory(prefix="colu-") as folder:
        path = Path(folder, "socket")
        command = [*PLAIN, "colu.press.build.preload", str(os.getpid()), str(path), libraries]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        try:
            server = start_program(command, env=environment, **streams)
        except ProgramError as error:
            raise BookError(f"the libraries of the notebooks can't be imported: {error}") from None
        try:
            while not path.exists() and server.poll() is None:
                time.sleep(0.05)
            if server.poll() is not None:
                said = server.stdout.read().decode("utf8", "replace").strip()
                raise BookError(f"the libraries of the notebooks can't be imported:\n{said[-2000:]}")
            yield (*PLAIN, "colu.press.build.entrust", str(path))
        finally:
            end_program(server)
            server.stdout.close()


if __name__ == "__main__":
    main()
