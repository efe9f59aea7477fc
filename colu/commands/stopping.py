"""How every command that takes a while is stopped: SIGTERM as Ctrl-C, with one line and exit status 130."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

__all__ = ["stoppable"]

errors = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def stoppable(said: str = "what was finished is kept, run the same command to go on") -> Iterator[None]:
    """Turn SIGTERM and Ctrl-C into a message and an exit status, once what is inside has cleaned up."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        errors.print(f"stopped; {said}")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
