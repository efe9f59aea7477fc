"""The missing runs of all protocols, in order of priority, within a budget of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from colu.lab.data import DataCorruptedError, DataUnavailableError
from colu.lab.experiments import Config, RunningElsewhere, run
from colu.lab.experiments.sweep import on_cluster
from colu.lab.results import check_root, results_root

from .protocol import Protocol
from .runs import State, state_of

__all__ = ["Left", "left_of_protocols", "run_missing"]


@dataclass(frozen=True)
class Left:
    """What of a protocol is left.

    Attributes
    ----------
    protocol : Protocol
    runs, of : int
    seconds : float
        That these runs would take here, one after another: by runs of the protocol on this machine where there are
        any, else by the cost that it tells.
    measured : bool
        Whether it is by runs here.
    """

    protocol: Protocol
    runs: int
    of: int
    seconds: float
    measured: bool


def _seconds_a_run(protocol: Protocol, state: State, root: Path, device: str) -> tuple[float, bool]:
    from colu.lab.results import environment

    here = environment(device)["device"]["name"]
    took = [r.seconds for r in protocol.records(root) if r.device["name"] == here]
    if took:
        return sum(took) / len(took), True
    return 3600 * protocol.cost.core_hours / state.of, False


def left_of_protocols(protocols: Iterable[Protocol], root: str | Path, *, device: str = "cpu") -> list[Left]:
    """What of each protocol is left, and what it costs here."""
    found = []
    for protocol in protocols:
        state = state_of(protocol, root, device=device)
        each, measured = _seconds_a_run(protocol, state, Path(root), device)
        left = state.remaining(protocol)
        found.append(Left(protocol, left, state.of, each * left, measured))
    return found


def _say_nothing(*_: object) -> None:
    pass


def run_missing(
    protocols: Iterable[Protocol],
    root: str | Path | None = None,
    *,
    budget: float,
    device: str = "cpu",
    scheduler: str | None = None,
    wait: float = 30.0,
    progress: Callable[[int, int, dict], None] | None = None,
    report: Callable[[Protocol, Config, str], None] = _say_nothing,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Do missing runs until none is left, or the next would not end within the budget.

    What is cut off leaves a checkpoint, from which the next campaign goes on.

    Parameters
    ----------
    protocols : iterable of Protocol
        In the order in which they are done.
    root : path, optional
        Folder of records; by default :func:`colu.lab.results.results_root`.
    budget : float
        Seconds.
    device : {"cpu", "cuda"}
    scheduler : str, optional
        Address of a Dask scheduler: then all that can be run at once is, and the budget is looked at in between.
    wait : float
        Seconds in which the scheduler must answer.
    progress : callable
        As of :func:`colu.lab.experiments.run`.
    report : callable
        Told of each run and what became of it: ``begins``, ``done``, ``failed: ...`` or ``running elsewhere``.
    clock : callable

    Returns
    -------
    int
        Runs that were done, failed ones too.

    Raises
    ------
    ValueError
        For a budget that is not positive, or a configuration that cannot be run here.
    DataUnavailableError
        At the end, where protocols were left out because their data are absent or altered; names each set once, with
        where it was looked for, and the protocols.
    """
    if not budget > 0:
        raise ValueError(f"budget is {budget!r} seconds, wanted more than 0")
    root = check_root(root if root is not None else results_root())
    began, done, absent = clock(), 0, _Absent()
    for protocol in protocols:
        elsewhere: set[str] = set()
        while True:
            state = state_of(protocol, root, device=device)
            left = [c for c in state.left if c.hash not in elsewhere]
            if not left or absent.leaves_out(protocol, left[0]):
                break
            each, _ = _seconds_a_run(protocol, state, root, device)
            try:
                for config, event in _some(protocol, left, root, scheduler, wait, progress, report):
                    if event == "next":
                        if clock() - began + each > budget:
                            return absent.told(done)
                        continue
                    report(protocol, config, event)
                    elsewhere |= {config.hash} if event == "running elsewhere" else set()
                    done += event != "running elsewhere"
            except (DataUnavailableError, DataCorruptedError) as error:
                absent.add(left[0], error)
    return absent.told(done)


class _Absent:
    """Data that cannot be had, why, and which protocols are left out for want of them."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}
        self._left_out: dict[str, list[str]] = {}

    @staticmethod
    def _data_of(config: Config) -> str:
        return str(config.options.get("dataset") or config.options.get("text") or config.experiment)

    def add(self, config: Config, error: Exception) -> None:
        self._why[self._data_of(config)] = str(error)

    def leaves_out(self, protocol: Protocol, config: Config) -> bool:
        """Whether the runs of a protocol, of which one is given, cannot be done here; it is then named at the end."""
        name = self._data_of(config)
        if name in self._why:
            self._left_out.setdefault(name, []).append(protocol.name)
        return name in self._why

    def told(self, done: int) -> int:
        """Runs that were done, if no protocol was left out."""
        if not self._why:
            return done
        each = (
            f"{name} is needed by {', '.join(self._left_out[name])} and cannot be had: {why}"
            for name, why in self._why.items()
        )
        raise DataUnavailableError("\n".join([*each, f"{done} other runs done"]))


def _some(
    protocol: Protocol, configs: list[Config], root: Path, scheduler: str | None, wait: float, progress, report
) -> Iterator[tuple[Config, str]]:
    """Do runs, each with what became of it; before each here, and before all on a cluster, it says ``next``."""
    if scheduler is not None:
        yield configs[0], "next"
        with closing(on_cluster(configs, root, scheduler, wait, protocol.stamp)) as done:
            for config, error in done:
                if isinstance(error, DataUnavailableError | DataCorruptedError):
                    raise error
                yield config, "done" if error is None else f"failed: {type(error).__name__}: {error}"
        return
    for config in configs:
        yield config, "next"
        report(protocol, config, "begins")
        try:
            run(config, root, wait=False, progress=progress, say=lambda _: None, stamp=protocol.stamp)
        except (ValueError, OSError, DataUnavailableError, DataCorruptedError):
            raise  # refused, or the machine's fault: no run has failed
        except RunningElsewhere:
            yield config, "running elsewhere"
        except Exception as error:  # recorded as a failure, which counts
            yield config, f"failed: {type(error).__name__}: {error}"
        else:
            yield config, "done"
