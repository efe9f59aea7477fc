"""Processes that end with the one that drives the build, however that ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

__all__ = ["leave_with"]

SECONDS = 0.3


def leave_with(driver: int, leave: Callable[[], None]) -> None:
    """Watch the process ``driver`` from a thread; call ``leave`` when it is gone, at once if it is gone already.

    Parameters
    ----------
    driver : int
        Its number, told by itself: who asks for the parent may get that of another, once the driver is gone.
    leave : callable
        Called once.
    """

    def alive(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def watch() -> None:
        try:
            process = psutil.Process(driver)
            while alive(process):
                time.sleep(SECONDS)
        except psutil.NoSuchProcess:
            pass
        leave()

    threading.Thread(target=watch, daemon=True).start()
