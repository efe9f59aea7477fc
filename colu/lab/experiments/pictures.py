"""A run that leaves pictures beside its record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from colu.lab.results import PICTURES, Record, check_root, results_root, write_pictures

from .experiment import Config, get_experiment
from .run import record_path, run

__all__ = ["run_with_pictures"]


def run_with_pictures(config: Config, root: str | Path | None = None, **options: Callable) -> Record:
    """Do one run, keep its record in ``root/pictures`` and the task's pictures of the trained model beside it.

    The pictures are of the first test images and of noise that the seed fixes; nothing is chosen.
    What is recorded there counts in no table, as its configuration may have a record among the others.

    Parameters
    ----------
    config : Config
        Of an experiment whose task has a method ``pictures``.
    root : path, optional
        Folder of records, as of :func:`colu.lab.experiments.run`.
    **options
        ``progress``, ``say`` and ``wait`` of :func:`colu.lab.experiments.run`.

    Raises
    ------
    ValueError
        If the experiment makes no pictures, or more than one process is asked for.
    FileExistsError
        If there is a record without its pictures.
    """
    root = check_root(root if root is not None else results_root())
    if config.processes > 1:
        raise ValueError(f"{config.processes} processes; pictures are made in one, start it without torchrun")
    if not hasattr(get_experiment(config.experiment).build, "pictures"):
        raise ValueError(f"experiment {config.experiment!r} makes no pictures; leave --pictures out")
    made = []
    look = lambda task, model: made.append(task.pictures(model.eval()))  # noqa: E731
    record = run(config, root / PICTURES, look=look, **options)
    path = record_path(config, root / PICTURES)
    if made:
        write_pictures(made[0], path, root)
    elif not path.with_suffix(".png").is_file():
        raise FileExistsError(f"{path} has lost its pictures: remove it with its curve, and run again")
    return record
