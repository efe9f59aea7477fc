"""Stand in for a process that :mod:`colu.press.build.preload` forks: the same streams, signals, end and exit status.

``python -P -m colu.press.build.entrust SOCKET MODULE ARGUMENTS...`` is ``python -P -m MODULE ARGUMENTS...``, sooner.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator

__all__ = ["local_address"]

SECONDS = 0.3


@contextlib.contextmanager
def local_address(path: str) -> Iterator[str]:
    """A name for a socket's file that is short enough whatever its folder."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def main() -> None:
    """Ask for the process, pass on what it is told, end when it ends; it ends where this one does."""
    path, module, *arguments = sys.argv[1:]
    parent = os.getppid()
    line = socket.socket(socket.AF_UNIX)
    with local_address(path) as address:
        line.connect(address)
    told = {"module": module, "arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(line, [b"+"], [0, 1, 2])
    line.sendall(json.dumps(told).encode() + b"\n")
    answers = line.makefile()
    child = int(answers.readline() or 0)
    if not child:
        sys.exit("the process that has imported the libraries did not answer")

    def pass_on(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    while not select.select([line], [], [], SECONDS)[0]:
        # Whoever started this one is gone: nobody waits for the child any more.
        if os.getppid() != parent:
            sys.exit(1)
    # Nothing is said by a process that was killed.
    sys.exit(int(answers.readline() or 1))


if __name__ == "__main__":
    main()
