"""*Shape while training*: the numbers of learnt units, their inputs and the loss, recorded on the digits."""

from __future__ import annotations

from functools import cache
from math import ceil, floor

__all__ = ["CHANNELS", "EVERY", "QUANTILES", "RECORDS", "UNITS", "curves", "data", "module", "moved", "twin"]

#: Names in the registry, with their titles and the parameters of a channel in the order in which they are recorded.
UNITS = {
    "pwlu": ("PWLU", ("left", "right", "slope_left", "slope_right", "values")),
    "acon-c": ("ACON-C", ("p1", "p2", "beta")),
    "rational-a": ("rational, version A", ("numerator", "denominator")),
    "lslu": ("LSLU", ("theta", "omega")),
}
CHANNELS, EVERY, RECORDS = 8, 20, 17
#: Of the inputs of all channels together, and of each; the first and the last are the ends.
QUANTILES = (0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1)
_BATCH, _RATE, _SEED = 128, 3e-3, 0
_REACH = 8


def _numbers(unit, name: str) -> list[list[float]]:
    """The parameters of each channel; a rational unit has one function for all of them."""
    import torch

    found, rows = dict(unit.named_parameters()), 1 if name == "rational-a" else CHANNELS
    # LSLU keeps its channels last, the others first.
    parts = [found[key].T if name == "lslu" else found[key].reshape(rows, -1) for key in UNITS[name][1]]
    digits = {"pwlu": 3, "rational-a": 6}.get(name, 4)
    return [[round(value, digits) for value in row] for row in torch.cat(parts, 1).tolist()]


def module(name: str, numbers: list[float]):
    """The package's module of one channel with recorded parameters, in float64.

    Examples
    --------
    >>> import torch
    >>> module("acon-c", [1.0, 0.0, 1.0])(torch.zeros(1, 1, dtype=torch.float64)).tolist()
    [[0.0]]
    """
    import torch

    from colu.nn import create

    unit, rest = create(name, 1).double(), torch.tensor(numbers, dtype=torch.float64)
    found = dict(unit.named_parameters())
    with torch.no_grad():
        for key in UNITS[name][1]:
            part, rest = rest[: found[key].numel()], rest[found[key].numel() :]
            found[key].copy_(part.reshape(found[key].shape))
    return unit.requires_grad_(False)


def curves(name: str, numbers: list[list[float]], x):
    """Shapes of the channels at some inputs."""
    import torch

    return torch.stack([module(name, row)(x[:, None])[:, 0] for row in numbers])


def moved(name: str, film: dict, record: int) -> list[float]:
    """How far the mean shape and each channel's are from their starts, at most, on the middle 98 % of their inputs."""
    import torch

    found = []
    for channel, ends in enumerate(film["inputs"][record], -1):
        x = torch.linspace(ends[1], ends[-2], 201, dtype=torch.float64)
        rows = (film["numbers"][k] for k in (record, 0))
        picked = (row if channel < 0 else [row[channel % len(row)]] for row in rows)
        now, start = (curves(name, row, x).mean(0) for row in picked)
        found.append(float(f"{(now - start).abs().max():.3g}"))
    return found


def _tenths(rounded, value: float) -> float:
    return rounded(10 * value) / 10


def _film(name: str, pixels, labels) -> dict:
    """Train two hidden layers of eight units by Adam, and note what is shown of the first."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    from colu.nn import create

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        first, unit = nn.Linear(pixels.shape[1], CHANNELS), create(name, CHANNELS)
        rest = (nn.Linear(CHANNELS, CHANNELS), create(name, CHANNELS), nn.Linear(CHANNELS, 10))
        net = nn.Sequential(first, unit, *rest).double()
    batches = torch.Generator().manual_seed(_SEED)
    optimiser = torch.optim.Adam(net.parameters(), lr=_RATE)
    levels = torch.tensor(QUANTILES, dtype=torch.float64)
    film: dict = {"loss": [], "numbers": [], "inputs": [], "moved": []}
    for step in range(EVERY * (RECORDS - 1) + 1):
        if step % EVERY == 0:
            with torch.no_grad():
                inputs = first(pixels)
                ends = [torch.quantile(part, levels).tolist() for part in (inputs, *inputs.T)]
                film["loss"].append(round(cross_entropy(net(pixels), labels).item(), 4))
                film["numbers"].append(_numbers(unit, name))
                # The ends are rounded away from the inputs.
                film["inputs"].append(
                    [
                        [
                            _tenths(floor, row[0]),
                            *(_tenths(round, value) for value in row[1:-1]),
                            _tenths(ceil, row[-1]),
                        ]
                        for row in ends
                    ]
                )
                film["moved"].append(moved(name, film, -1))
        rows = torch.randint(len(labels), (_BATCH,), generator=batches)
        optimiser.zero_grad()
        cross_entropy(net(pixels[rows]), labels[rows]).backward()
        optimiser.step()
    return film


@cache
def data() -> dict:
    """What the package recorded: loss, numbers and quantiles of the inputs, by unit and record."""
    from colu.lab.data import rows

    pixels, labels = rows()[0]
    return {name: _film(name, pixels.double(), labels) for name in UNITS}


def _draw(figure, axes) -> None:
    import torch

    from colu.lab.plot import PALETTE

    line = torch.linspace(-_REACH, _REACH, 321, dtype=torch.float64)
    for ax, (name, (title, _)) in zip(axes.flat, UNITS.items(), strict=True):
        film = data()[name]
        start, now = (curves(name, film["numbers"][k], line).expand(CHANNELS, -1) for k in (0, -1))
        for before, after, ends in zip(start, now, film["inputs"][-1][1:], strict=True):
            seen = (line >= ends[1]) & (line <= ends[-2])
            ax.plot(line, before, "--", color=PALETTE["neutral"], lw=0.8)
            ax.plot(line, after, "-", color=PALETTE["cone"], lw=0.7)
            ax.plot(line[seen], after[seen], "-", color=PALETTE["axis"], lw=1.6)
        ax.set(title=title, xlim=(-_REACH, _REACH), ylim=(-4, 8), xlabel="input")
    axes[0, 0].set_ylabel("output")


def twin() -> str:
    """The static picture: all shapes before and after training, by the package."""
    from ..svg import drawn

    return drawn(_draw, (1, len(UNITS)))
