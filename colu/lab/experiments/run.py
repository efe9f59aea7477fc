"""Run one configuration: from a notebook, the command line or a worker, the same function and the same record."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from colu.lab.machine import peak_memory
from colu.lab.results import Record, environment, read_record, results_root, write_record
from colu.lab.training import fit, make_fabric

from .experiment import Config, Experiment, get_experiment

__all__ = ["record_path", "run", "run_arms"]


def _peak_memory(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return peak_memory()


def record_path(config: Config, root: str | Path) -> Path:
    """Where the record of a configuration lies or will lie."""
    return Path(root) / config.experiment / f"{config.stem}.json"


def checkpoint_folder(config: Config, root: str | Path) -> Path:
    """Where a run keeps its checkpoints until it is done."""
    return Path(root) / ".unfinished" / f"{config.experiment}-{config.stem}"


def _record(config: Config, facts: dict, **rest) -> Record:
    return Record(
        experiment=config.experiment,
        preset=config.preset,
        arm=config.arm,
        seed=config.seed,
        config=config.to_dict(),
        config_hash=config.hash,
        processes=config.processes,
        peak_memory_bytes=_peak_memory(config.device),
        **facts,
        **rest,
    )


def run(
    config: Config,
    root: str | Path | None = None,
    *,
    keep: bool = True,
    progress: Callable[[int, int, dict], None] | None = None,
    say: Callable[[str], None] = print,
    fabric=None,
) -> Record:
    """Do one run, or read its record if there is one.

    Parameters
    ----------
    config : Config
    root : path, optional
        Folder of records; by default :func:`colu.lab.results.results_root`.
    keep : bool
        Whether to write the record, and checkpoints on the way; without, everything stays in memory.
    progress, say : callable
        As of :func:`colu.lab.training.fit`.
    fabric : optional
        Of :func:`colu.lab.training.make_fabric` for the configuration's device and precision, to make it once for many
        short runs; by default one is made.

    Returns
    -------
    Record

    Raises
    ------
    Exception
        Whatever stopped the run; where records are kept, a record of the failure is written first.
    """
    root = Path(root if root is not None else results_root())
    path = record_path(config, root)
    if keep and path.is_file():
        return read_record(path)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    facts = environment(config.device)
    folder = checkpoint_folder(config, root) if keep else None
    first = True
    try:
        fabric = fabric if fabric is not None else make_fabric(config.device, config.precision)
        first = fabric.global_rank == 0
        if config.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        task = get_experiment(config.experiment).build(config)
        result = fit(
            task,
            config.plan,
            seed=config.seed,
            fabric=fabric,
            folder=folder,
            run_hash=config.hash,
            progress=progress,
            say=say if first else lambda _: None,
        )
    except Exception as error:
        if keep and first:
            text = "".join(traceback.format_exception_only(error)).strip()
            write_record(_record(config, facts, seconds=0.0, status="failed", error=text, metrics={}), root)
        raise
    finally:
        torch.set_num_threads(threads)
    num_parameters = sum(p.numel() for p in task.model.parameters())
    metrics = {**result.metrics, "train_loss_last": result.curve[-1]["loss"], "num_parameters": num_parameters}
    curve = [{**entry, "seconds": seconds} for entry, (_, seconds) in zip(result.curve, result.elapsed, strict=True)]
    record = _record(config, facts, seconds=result.seconds, status="done", error=None, metrics=metrics, curve=curve)
    if keep and first:
        write_record(record, root)
        shutil.rmtree(folder, ignore_errors=True)
    return record


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
    records, fabric = [], None
    for config in experiment.configs(preset, arms, seeds, **changes):
        fabric = fabric if fabric is not None else make_fabric(config.device, config.precision)
        records.append(run(config, root, keep=keep, say=lambda _: None, fabric=fabric))
        if say is not None:
            say(f"{config.label}: {records[-1].seconds:.1f} s")
    # Stable: an arm's seeds stay in their order.
    order = list(dict.fromkeys(record.arm for record in records))
    return sorted(records, key=lambda record: order.index(record.arm))
