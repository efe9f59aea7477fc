"""Run one configuration: from a notebook, the command line or a worker, the same function and the same record."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import torch

from colu.files import Busy, held
from colu.lab.conditions import shared
from colu.lab.data import DataCorruptedError, DataUnavailableError
from colu.lab.machine import peak_memory
from colu.lab.results import (
    Record,
    check_root,
    environment,
    read_record,
    records_folder,
    results_root,
    write_record,
)
from colu.lab.training import Fit, Task, fit, make_fabric

from .experiment import Config, Experiment, get_experiment

__all__ = ["RunningElsewhere", "record_path", "run", "run_arms"]


class RunningElsewhere(RuntimeError):
    """Another process does this very run."""


class _Refused(Exception):
    """The task cannot be built as it is configured: no run has failed."""


def _peak_memory(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return peak_memory()


def record_path(config: Config, root: str | Path, stamp: dict | None = None) -> Path:
    """Where the record of a configuration lies or will lie; ``stamp`` as of :func:`run`."""
    return Path(root) / records_folder(config.experiment, stamp) / f"{config.stem}.json"


def checkpoint_folder(config: Config, root: str | Path, stamp: dict | None = None) -> Path:
    """Where a run keeps its checkpoints until it is done."""
    kind = records_folder(config.experiment, stamp).replace("/", "-")
    return Path(root) / ".unfinished" / f"{kind}-{config.stem}"


def recorded(config: Config, root: Path, stamp: dict | None = None) -> Record | None:
    """The record of a configuration, if there is one; what a run keeps until then is cleared, killed ones' too."""
    path = record_path(config, root, stamp)
    if not path.is_file():
        return None
    record = read_record(path)
    folder = checkpoint_folder(config, root, stamp)
    shutil.rmtree(folder, ignore_errors=True)
    # Whoever takes the lock from now on finds the record.
    with suppress(OSError):
        _lock(folder).unlink(missing_ok=True)
    return record


def _lock(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _record(config: Config, facts: dict, *, cpu_seconds: float | None = None, **rest) -> Record:
    under = facts["conditions"]
    busy = [one for one in (under["shared"], shared(config.device)) if one is not None]
    under = under | {"cpu_seconds": cpu_seconds, "shared": any(busy) if busy else None}
    return Record(
        experiment=config.experiment,
        preset=config.preset,
        arm=config.arm,
        seed=config.seed,
        config=config.to_dict(),
        config_hash=config.hash,
        processes=config.processes,
        peak_memory_bytes=_peak_memory(config.device),
        **facts | {"conditions": under},
        **rest,
    )


def run(
    config: Config,
    root: str | Path | None = None,
    *,
    keep: bool = True,
    wait: bool = True,
    progress: Callable[[int, int, dict], None] | None = None,
    say: Callable[[str], None] = print,
    fabric=None,
    facts: dict | None = None,
    stamp: dict | None = None,
    look: Callable[[Task, torch.nn.Module], None] | None = None,
) -> Record:
    """Do one run, or read its record if there is one.

    Parameters
    ----------
    config : Config
    root : path, optional
        Folder of records; by default :func:`colu.lab.results.results_root`.
    keep : bool
        Whether to write the record, and checkpoints on the way; without, everything stays in memory.
    wait : bool
        Whether to wait where another process does this very run; its record is the answer, or it is gone on with.
    progress, say : callable
        As of :func:`colu.lab.training.fit`.
    fabric : optional
        Of :func:`colu.lab.training.make_fabric` for the configuration's device and precision, to make it once for many
        short runs; by default one is made.
    facts : dict, optional
        Of :func:`colu.lab.results.environment`, for the same reason where nothing is kept: git is asked for them.
    stamp : dict, optional
        Of the protocol that asks for the run, see :attr:`colu.lab.verdicts.Protocol.stamp`.
    look : callable, optional
        Given the task and the trained model, before the record is written.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        For a configuration that cannot be run here, or whose values do not fit its data; nothing is recorded.
    RunningElsewhere
        Without ``wait``.
    Exception
        Whatever stopped the run; where records are kept, a record of the failure is written first.
    """
    config.check_here()
    if not keep:
        fabric = fabric if fabric is not None else make_fabric(config.device, config.precision)
        return _train(config, None, fabric, progress, say, facts, stamp, look)
    root = check_root(root if root is not None else results_root())
    if (record := recorded(config, root, stamp)) is not None:
        return record
    fabric = fabric if fabric is not None else make_fabric(config.device, config.precision)
    lock, first = _lock(checkpoint_folder(config, root, stamp)), fabric.global_rank == 0
    with ExitStack() as stack:
        if first:
            try:
                stack.enter_context(held(lock))
            except Busy:
                if not wait and fabric.world_size == 1:
                    raise RunningElsewhere(f"{config.label} is running elsewhere") from None
                say(f"{config.label} is running elsewhere: waiting for it")
                stack.enter_context(held(lock, wait=True))
        there = record_path(config, root, stamp).is_file()
        if fabric.world_size > 1:
            there = fabric.broadcast(there)
        if not there:
            record = _train(config, root, fabric, progress, say, stamp=stamp, look=look)
        if there or first:
            record = recorded(config, root, stamp)
    return record


def _train(
    config: Config,
    root: Path | None,
    fabric,
    progress,
    say,
    facts: dict | None = None,
    stamp: dict | None = None,
    look: Callable | None = None,
) -> Record:
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    facts = (facts if facts is not None else environment(config.device)) | {"protocol": stamp}
    first = fabric.global_rank == 0
    keep = root is not None and first
    try:
        if config.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            task = get_experiment(config.experiment).build(config)
        except (ValueError, DataUnavailableError, DataCorruptedError) as error:
            raise _Refused from error
        result = fit(
            task,
            config.plan,
            seed=config.seed,
            fabric=fabric,
            folder=None if root is None else checkpoint_folder(config, root, stamp),
            run_hash=config.hash,
            progress=progress,
            say=say if first else lambda _: None,
        )
        record = _done(config, facts, task.model, result)
        if look is not None:
            look(task, result.model)
    except _Refused as refused:
        raise refused.__cause__ from None
    except OSError:
        raise  # the machine's fault, a full disk above all: no run has failed, and the next goes on from here
    except Exception as error:
        if keep:
            text = "".join(traceback.format_exception_only(error)).strip()
            write_record(_record(config, facts, seconds=0.0, status="failed", error=text, metrics={}), root)
        raise
    finally:
        torch.set_num_threads(threads)
    if keep:
        write_record(record, root)
    return record


def _done(config: Config, facts: dict, model: torch.nn.Module, result: Fit) -> Record:
    num_parameters = sum(p.numel() for p in model.parameters())
    metrics = {**result.metrics, "train_loss_last": result.curve[-1]["loss"], "num_parameters": num_parameters}
    curve = [{**entry, "seconds": seconds} for entry, (_, seconds) in zip(result.curve, result.elapsed, strict=True)]
    took = {"seconds": result.seconds, "cpu_seconds": result.cpu_seconds}
    return _record(config, facts, **took, status="done", error=None, metrics=metrics, curve=curve)


def run_arms(
    experiment: str | Experiment,
    preset: str = "smoke",
    *,
    arms: str | Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    root: str | Path | None = None,
    keep: bool = False,
    say: Callable[[str], None] | None = None,
    **changes,
) -> list[Record]:
    """Run every arm on every seed, one after another and one seed after another; for notebooks.

    Parameters
    ----------
    experiment : str or Experiment
    preset : str
    arms, seeds, **changes
        As of :meth:`colu.lab.experiments.Experiment.configs`.
    root, keep
        As of :func:`colu.lab.experiments.run`; by default nothing is written.
    say : callable, optional
        Told of each finished run.

    Returns
    -------
    list of Record
        By arm, then seed.

    Examples
    --------
    >>> records = run_arms("mnist-mlp", "smoke", arms=["relu"], seeds=[0], steps=5)
    >>> records[0].arm, records[0].config["plan"]["steps"]
    ('relu', 5)
    """
    experiment = get_experiment(experiment) if isinstance(experiment, str) else experiment
    records, fabric, facts = [], None, None
    for config in experiment.configs(preset, arms, seeds, **changes):
        fabric = fabric if fabric is not None else make_fabric(config.device, config.precision)
        # What is kept says when its own run began, and from which state of the code.
        if not keep and facts is None:
            facts = environment(config.device) | {"threads": config.threads}
        records.append(run(config, root, keep=keep, say=lambda _: None, fabric=fabric, facts=facts))
        if say is not None:
            say(f"{config.label}: {records[-1].seconds:.1f} s")
    # Stable: an arm's seeds stay in their order.
    order = list(dict.fromkeys(record.arm for record in records))
    return sorted(records, key=lambda record: order.index(record.arm))
