"""Merge two networks: pairs of small networks that the package trains, and what the figure shows of them.

A network is a list of rows, one a channel of its hidden layer: its weights in, its bias, its weights out. The last row
holds the biases of the classes. What permutes and turns channels thus acts on rows. All rows of numbers are in the
script as text, of three signs a number.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.fusion import BarrierCurve, barrier, match_weights, repair_statistics, trace_spec
from colu.lab import MLP
from colu.lab.data import rows as digits
from colu.lab.plot import PALETTE
from colu.nn import CoLU

from ..svg import drawn

__all__ = ["CHANNELS", "TASKS", "along", "data", "network", "pinwheel", "held_out", "twin"]

CHANNELS, PAIRS, CLASSES, SHOWN = 15, 3, 3, 100
#: Numbers that go in, classes, and steps of the training.
TASKS = {"points": (2, CLASSES, 600), "digits": (64, 10, 150)}
UNITS = {"relu": nn.ReLU, "colu": lambda: CoLU(dim=3)}
NAMES = {"relu": "ReLU", "colu": "CoLU"}


def pinwheel(number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points of three bent arms; each arm is the first one, turned.

    Parameters
    ----------
    number : int
        Points of one arm.
    seed : int

    Returns
    -------
    tuple of Tensor
        Points ``(3 number, 2)`` in float64, and their classes.
    """
    generator = torch.Generator().manual_seed(seed)
    radius = 0.15 + 0.85 * torch.rand(number, generator=generator, dtype=torch.float64)
    bend = 3.5 * radius + 0.15 * torch.randn(number, generator=generator, dtype=torch.float64)
    arms = torch.cat([bend + k * 2 * math.pi / CLASSES for k in range(CLASSES)])
    points = 2 * radius.repeat(CLASSES)[:, None] * torch.stack([arms.cos(), arms.sin()], dim=1)
    return points, torch.arange(CLASSES).repeat_interleave(number)


def _train(task: str) -> tuple[Tensor, Tensor]:
    if task == "points":
        return pinwheel(80, 0)
    pixels, labels = digits().train
    return pixels.double(), labels


@cache
def held_out(task: str) -> tuple[Tensor, Tensor]:
    """What the figure has of a task, to three digits behind the point; of digits the first ten are one of each."""
    if task == "points":
        rows, labels = pinwheel(50, 1)
    else:
        pixels, classes = digits().held_out
        # Neighbours are of one hand: these are from all over the set.
        spread = [k * len(classes) // SHOWN for k in range(SHOWN)]
        first = [next(k for k in spread if classes[k] == label) for label in range(10)]
        order = first + [k for k in spread if k not in first]
        rows, labels = pixels[order].double(), classes[order]
    return (rows * 1000).round() / 1000, labels


def _blank(task: str, unit: str) -> MLP:
    size, classes, _ = TASKS[task]
    return MLP(size, [CHANNELS], classes, UNITS[unit]).double()


@cache
def _rows(task: str, unit: str, seed: int) -> list[list[float]]:
    """A trained network as rows, to three digits behind the point: what the figure reads is all that there is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _blank(task, unit)
    x, y = _train(task)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    threads = torch.get_num_threads()
    # Products so small lose by being shared out, and their sums would depend on how.
    torch.set_num_threads(1)
    try:
        for _ in range(TASKS[task][2]):
            optimiser.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
    finally:
        torch.set_num_threads(threads)
    made, read = (layer for layer in model if isinstance(layer, nn.Linear))
    rows = torch.cat([made.weight, made.bias[:, None], read.weight.T], dim=1)
    return [[round(value, 3) for value in row] for row in [*rows.tolist(), read.bias.tolist()]]


def _packed(row: list[float]) -> str:
    """Numbers as text, each by three digits to the base 36: thousandths from -20 on."""
    signs = "0123456789abcdefghijklmnopqrstuvwxyz"
    codes = [round(1000 * value) + 20_000 for value in row]
    if not all(0 <= code < 36**3 for code in codes):
        raise ValueError(f"weights beyond -20 to 26: {min(row)} to {max(row)}")
    return "".join(signs[code // 1296] + signs[code // 36 % 36] + signs[code % 36] for code in codes)


def network(task: str, unit: str, seed: int) -> MLP:
    """The network that the figure has for a seed, in float64."""
    model, rows, size = _blank(task, unit), _rows(task, unit, seed), TASKS[task][0]
    table = torch.tensor(rows[:-1], dtype=torch.float64)
    made, read = (layer for layer in model if isinstance(layer, nn.Linear))
    values = (table[:, :size], table[:, size], table[:, size + 1 :].T, torch.tensor(rows[-1], dtype=torch.float64))
    with torch.no_grad():
        for parameter, value in zip((made.weight, made.bias, read.weight, read.bias), values, strict=True):
            parameter.copy_(value)
    return model.eval()


def along(
    unit: str, pair: int, mode: str, repaired: bool = False, lambdas: int = 41, task: str = "points"
) -> BarrierCurve:
    """What the package finds on the line between two networks of a pair, aligned in a mode of ``match_weights``."""
    first, second = (network(task, unit, 2 * (pair - 1) + k) for k in (0, 1))
    a, spec = first.state_dict(), trace_spec(first, torch.zeros(2, TASKS[task][0], dtype=torch.float64))
    b = match_weights(spec, a, second.state_dict(), mode=mode).apply(spec, second.state_dict())
    test, kind = held_out(task), "channel" if unit == "relu" else "cone"

    def adjust(state: dict, t: float) -> dict:
        return repair_statistics(spec, first, state, (a, b), test[0], t=t, kind=kind) if repaired else state

    return barrier(first, a, b, test, split="test", lambdas=lambdas, adjust=adjust)


def _controls() -> dict:
    """The specification of the controls, by their names in the address."""
    ways = {"none": "none, as trained", "hand": "by hand", "permutation": "permutation, matched",
            "whole": "permutation and turns, matched"}  # fmt: skip
    units = {"relu": "ReLU, 15 units", "colu": "CoLU, 5 cones of 3"}
    tasks = {"points": "points in the plane", "digits": "handwritten digits"}
    controls = {
        "task": {"label": "task", "value": "points", "options": tasks},
        "unit": {"label": "activation", "value": "relu", "options": units},
        "pair": {"label": "pair", "value": 1, "min": 1, "max": PAIRS, "step": 1},
        "align": {"label": "alignment of B", "value": "none", "options": ways},
        "share": {"label": "share of B", "value": 0.5, "min": 0, "max": 1, "step": 0.01},
        "repair": {"label": "repair", "value": False, "flag": True},
        "u": {"label": "in hand: place", "value": 1, "min": 1, "max": CHANNELS, "step": 1},
    }  # fmt: skip
    for k in range(1, CHANNELS + 1):
        controls |= {
            f"u{k}": {"label": f"at place {k}: B’s unit", "value": k, "min": 1, "max": CHANNELS, "step": 1},
            f"t{k}": {"label": "turned by", "value": 0, "min": -180, "max": 180, "step": 1, "unit": "°"},
            f"m{k}": {"label": "mirrored", "value": False, "flag": True},
        }
    return controls


def _task(task: str) -> list:
    """Test rows, labels, and pairs of networks of each activation."""
    test, labels = held_out(task)
    nets = [[[_rows(task, unit, 2 * pair + k) for k in (0, 1)] for pair in range(PAIRS)] for unit in UNITS]
    packed = [[[[*map(_packed, rows)] for rows in pair] for pair in pairs] for pairs in nets]
    return [[*map(_packed, test.tolist())], [_packed(labels.tolist())], *packed]


def data() -> dict:
    """Pairs of networks of both tasks, what they are tested on, and what the figure is made of."""
    pixels = held_out("digits")[0]
    # Beyond the numbers themselves: a canvas ignores an opacity that rounding brought below 0 or above 1.
    low, high = pixels.min().item() - 1e-3, pixels.max().item() + 1e-3
    return {
        **{task: _task(task) for task in TASKS}, "low": low, "span": high - low,
        "colours": ["--cone", "--gate", "--mpu", "--ink"], "state": _controls(),
        "curve": {"height": 336, "x": "share of B", "y": "loss (nats)",
                  "caption": "Loss from A to B: dashed as trained, solid as chosen"},
        "map": {"width": 480, "height": 480, "label": "answers",
                "caption": "What this network answers; what it gets wrong is large, or framed"},
        "cloud": {"height": 336, "label": "weights at one place",
                  "caption": "Weights of the place in hand: large dots A, small dots B, a line between equals"},
    }  # fmt: skip


def twin() -> str:
    """The static picture: loss along the line for a pair of each activation."""
    looks = {"naive": ("as trained", "neutral", "--"), "permutation": ("permutation", "cone", ":"),
             "conic": ("permutation and turns", "colu", "-")}  # fmt: skip
    shown = {"relu": {"naive": looks["naive"], "permutation": ("permutation", "relu", "-")}, "colu": looks}

    def draw(figure, axes) -> None:
        for axis, (unit, modes) in zip(axes[0], shown.items(), strict=True):
            for mode, (label, colour, style) in modes.items():
                curve = along(unit, 1, mode)
                axis.plot(curve.lambdas, curve.loss, style, color=PALETTE[colour], lw=2, label=label)
            # Room for the names above the lines.
            axis.set(xlabel=f"share of B ({NAMES[unit]})", ylim=(0, 2.8))
            axis.legend(frameon=False, loc="upper right")
        axes[0, 0].set_ylabel("loss (nats)")

    return drawn(draw, (1, 2))
