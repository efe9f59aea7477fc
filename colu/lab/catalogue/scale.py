"""What it takes to align two networks, the wider they are: a ladder of widths, and its record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from colu.nn import CoLU

from ..machine import peak_memory
from ..results import results_root
from .models import perturbed
from .runner import record_each

__all__ = ["LADDER", "SCALE", "Rung", "measure_alignment", "read_scale", "record_scale"]

SCALE = "alignment-scale.json"


@dataclass(frozen=True)
class Rung:
    """Two networks of one width, with random weights of their own.

    Attributes
    ----------
    name : str
        Of the record.
    kind : str
        What is widened.
    width : int
    make, example : callable
        A new network; an input.
    """

    name: str
    kind: str
    width: int
    make: Callable[[], nn.Module]
    example: Callable[[], Tensor]


def _perceptron(width: int, activation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, width), activation(), nn.Linear(width, width), activation(), nn.Linear(width, 10)
    )


def _transformer(width: int) -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(224, 16, 12, width // 64, width, 4 * width)


_ACTIVATIONS = {"ReLU": nn.ReLU, "CoLU, S = 4": partial(CoLU, dim=4), "CoLU, S = 16": partial(CoLU, dim=16)}

LADDER = (
    *(
        Rung(f"784-{width}-{width}-10, {name}", f"perceptron with two hidden layers, {name}", width,
             partial(_perceptron, width, activation), partial(torch.randn, 2, 784))
        for name, activation in _ACTIVATIONS.items() for width in (512, 1024, 2048, 4096)
        # A hundred sweeps with sections of fifteen channels: a quarter of an hour.
        if (name, width) != ("CoLU, S = 16", 4096)
    ),
    *(
        Rung(f"vision transformer, {width}", "vision transformer of 12 blocks, heads of 64", width,
             partial(_transformer, width), partial(torch.randn, 1, 3, 224, 224))
        for width in (192, 384, 768)
    ),
)  # fmt: skip


def _rung(name: str) -> Rung:
    for rung in LADDER:
        if rung.name == name:
            return rung
    raise ValueError(f"no rung {name!r}; use one of {'; '.join(one.name for one in LADDER)}")


def measure_alignment(name: str) -> dict:
    """Follow one network and align a second one with it by their weights, on one thread.

    Parameters
    ----------
    name : str
        Of a rung of ``LADDER``.

    Returns
    -------
    dict
        ``trace_seconds`` and ``match_seconds`` of CPU; ``memory_bytes``, the peak of the process above what it held
        when both networks were made; ``model_bytes`` of one network; ``sweeps``, and whether they ``converged``.

    Raises
    ------
    ValueError
        A name that the ladder lacks.
    """
    from colu.fusion import match_weights, trace_spec

    rung = _rung(name)
    torch.set_num_threads(1)
    one, other = (perturbed(_seeded(rung.make, seed), seed) for seed in (0, 1))
    example = rung.example()
    # What is imported and set up at the first call is no part of the measurement.
    small = nn.Sequential(nn.Linear(4, 8), CoLU(dim=4), nn.Linear(8, 2))
    match_weights(trace_spec(small), small.state_dict(), small.state_dict())
    base, start = peak_memory(), time.process_time()
    spec = trace_spec(one, example)
    traced = time.process_time()
    found = match_weights(spec, one.state_dict(), other.state_dict())
    matched = time.process_time()
    return {
        "parameters": sum(each.numel() for each in one.parameters()),
        "model_bytes": sum(each.numel() * each.element_size() for each in one.parameters()),
        "trace_seconds": round(traced - start, 2),
        "match_seconds": round(matched - traced, 2),
        "sweeps": found.sweeps,
        "converged": found.converged,
        "memory_bytes": peak_memory() - base,
        "versions": {"torch": torch.__version__.partition("+")[0]},
        "device": "cpu",
        "threads": 1,
    }


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().eval()


def read_scale(path: Path | None = None) -> dict[str, dict]:
    """The record by the names of rungs.

    Parameters
    ----------
    path : Path, optional
        By default ``alignment-scale.json`` in the folder of records.

    Raises
    ------
    FileNotFoundError, ValueError
        It is not there; it is no JSON.

    Examples
    --------
    >>> "vision transformer, 768" in read_scale()
    True
    """
    path = results_root() / SCALE if path is None else path
    return json.loads(path.read_text(encoding="utf8"))


def record_scale(names=(), path: Path | None = None) -> list[str]:
    """Measure the rungs that the record lacks, or those named, and write each as soon as it is done.

    Parameters
    ----------
    names : sequence of str
    path : Path, optional

    Returns
    -------
    list of str
        The rungs that failed.
    """
    path = results_root() / SCALE if path is None else path
    order = [rung.name for rung in LADDER]
    return record_each(path, order, [_rung(name).name for name in names], measure_alignment, _said)


def _said(found: dict) -> str:
    return (
        f"{found['trace_seconds']} s to follow, {found['match_seconds']} s to align in {found['sweeps']} sweeps, "
        f"{found['memory_bytes'] / 2**20:.0f} MB"
    )
