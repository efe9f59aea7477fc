"""What this machine has for a run: devices, the processes that were started, cores."""

from __future__ import annotations

import os

import torch

__all__ = ["DEVICES", "check_device", "check_here", "started_processes"]

#: Kinds of devices that a run can be on.
DEVICES = ("cpu", "cuda", "mps")


def started_processes() -> int:
    """Processes that ``torchrun`` started, else 1.

    Raises
    ------
    ValueError
        If ``WORLD_SIZE`` is not a number of them.
    """
    if "LOCAL_RANK" not in os.environ:
        return 1
    told = os.environ.get("WORLD_SIZE", "1")
    if not told.isdecimal() or int(told) < 1:
        raise ValueError(f"WORLD_SIZE is {told!r}, wanted the number of processes: start them with torchrun")
    return int(told)


def check_device(device: str) -> str:
    """``device``, if this machine has one.

    Raises
    ------
    ValueError
        For an unknown kind, or one that is not here; says what is.

    Examples
    --------
    >>> check_device("cpu")
    'cpu'
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}, choose one of {', '.join(DEVICES)}")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present[device]:
        there = [name for name, is_there in present.items() if is_there]
        raise ValueError(f"device {device!r} is not on this machine; there is {', '.join(there)}")
    return device


def check_here(device: str, processes: int, threads: int) -> None:
    """Refuse what a configuration may say, but this process cannot do.

    Parameters
    ----------
    device : str
    processes : int
        As many as were started: what is recorded is what ran.
    threads : int
        At most one a core.

    Raises
    ------
    ValueError
        Names the value and what there is.

    Examples
    --------
    >>> check_here("cpu", processes=1, threads=1)
    """
    check_device(device)
    if processes != (started := started_processes()):
        raise ValueError(
            f"processes is {processes}, but this command runs in {started}: "
            f"start it with torchrun --nproc-per-node {processes} -m colu run ..., or leave the setting out"
        )
    if threads > (cores := os.cpu_count() or 1):
        raise ValueError(f"threads is {threads}, but this machine has {cores} cores: choose 1 to {cores}")
