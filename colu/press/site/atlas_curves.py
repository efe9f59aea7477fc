"""The curves of the atlas: every registry activation as a map of the plane, computed by the package.

Where a browser draws these numbers it computes none itself, so it cannot differ from the package by more than the
five digits that are kept.
"""

from __future__ import annotations

import inspect
import math
from functools import cache

import torch
from torch import nn

from colu.nn import ActivationEntry, list_activations

__all__ = ["CLOUD", "GRID", "LEVELS", "plane_map", "plane_maps", "slopes"]

#: Values of the first channel at which curves are drawn.
GRID = [step / 10 for step in range(-40, 41)]
#: Values of the second channel that a reader can choose, for maps that mix channels.
LEVELS = [0.0, 0.5, 1.0, 2.0]
RINGS, RAYS = 8, 32
#: Rings about the origin, one ring after the other.
CLOUD = [
    (0.4 * ring * math.cos(2 * math.pi * ray / RAYS), 0.4 * ring * math.sin(2 * math.pi * ray / RAYS))
    for ring in range(1, RINGS + 1)
    for ray in range(RAYS)
]
SEED = 0


class _Image(nn.Module):
    """Give each point to ``module`` as an image of one pixel."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add and remove the pixel."""
        return self.module(x[:, :, None, None])[:, :, 0, 0]


def plane_map(entry: ActivationEntry) -> nn.Module:
    """Return ``entry`` on two channels, in float64 and evaluation mode, as initialised at seed 0.

    Raises
    ------
    ValueError
        If it does not act on two channels alone; the message says why.

    Examples
    --------
    >>> from colu.nn import get_entry
    >>> plane_map(get_entry("colu"))(torch.tensor([[1.0, 2.0]], dtype=torch.float64)).tolist()
    [[1.0, 1.0]]
    """
    options = {"dim": 2} if "dim" in inspect.signature(entry.factory).parameters else {}
    if entry.name == "group-sort":
        options = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        try:
            module = entry.factory(2, **options) if entry.needs_channels else entry.factory(**options)
        except (TypeError, ValueError) as error:
            raise ValueError(str(error)) from error
    module = module.double().eval()
    probe = torch.zeros(3, 2, dtype=torch.float64)
    reason = None
    for candidate in (module, _Image(module)):
        try:
            with torch.no_grad():
                out = candidate(probe)
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            reason = reason or str(error)
            continue
        if out.ndim == 2 and len(out) == 3:
            return candidate
    raise ValueError(reason or "does not return one row a point")


def slopes(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs at the points ``x`` and their derivatives in the first channel, both ``(N, outputs)``."""
    x = x.clone().requires_grad_(True)
    y = module(x)
    columns = []
    for output in range(y.shape[1]):
        (gradient,) = torch.autograd.grad(y[:, output].sum(), x, retain_graph=True)
        columns.append(gradient[:, 0])
    return y.detach(), torch.stack(columns, dim=1)


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _two(values: torch.Tensor) -> torch.Tensor:
    """The first two outputs; a second one of zeros where there is one alone."""
    if values.shape[1] == 1:
        values = torch.cat([values, torch.zeros_like(values)], dim=1)
    return values[:, :2]


def _facts(entry: ActivationEntry, module: nn.Module) -> dict:
    curves = []
    for level in LEVELS[:1] if entry.pointwise else LEVELS:
        points = torch.tensor([[x, level] for x in GRID], dtype=torch.float64)
        y, slope = slopes(module, points)
        kept = 1 if entry.pointwise else 2
        curves.append(
            {
                "value": [_rounded(column) for column in _two(y).T[:kept]],
                "slope": [_rounded(column) for column in _two(slope).T[:kept]],
            }
        )
    with torch.no_grad():
        image = module(torch.tensor(CLOUD, dtype=torch.float64))
    notes = []
    if image.shape[1] == 1:
        notes.append("one output, drawn along the horizontal axis")
    elif image.shape[1] > 2:
        notes.append(f"{image.shape[1]} outputs, of which the first two are drawn")
    if any(True for _ in module.parameters()):
        notes.append("learnable; drawn as initialised")
    return {
        "pointwise": entry.pointwise,
        "note": "; ".join(notes),
        "curves": curves,
        "cloud": [_rounded(column) for column in _two(image).T],
    }


@cache
def plane_maps() -> dict:
    """What is drawn: ``units`` by name; ``left_out`` has the reason for each that no plane can show."""
    data = {
        "grid": GRID,
        "levels": LEVELS,
        "rays": RAYS,
        "input": [_rounded(column) for column in torch.tensor(CLOUD, dtype=torch.float64).T],
        "units": {},
        "left_out": {},
    }
    for entry in list_activations():
        if entry.kind != "activation":
            data["left_out"][entry.name] = f"is a {entry.kind}, which holds or takes weights of its own"
            continue
        try:
            module = plane_map(entry)
        except ValueError as error:
            data["left_out"][entry.name] = str(error).splitlines()[0]
        else:
            data["units"][entry.name] = _facts(entry, module)
    return data
