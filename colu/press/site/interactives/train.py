"""*Train it here*: which units the page offers, how they start, and Student's quantiles; its static twin."""

from __future__ import annotations

import math

from ..svg import drawn

__all__ = ["LINEAR", "data", "offered", "twin"]

#: The control that the registry does not have: an arm of the experiments.
LINEAR = "relu-linear"
#: First in the list; the others follow by name.
_FIRST = ("relu", "colu", "rcolu", LINEAR, "identity", "leaky-relu", "gelu", "silu", "tanh", "sigmoid")
#: Its slope is drawn anew at each step of training, which the page does not do.
_RANDOM = {"rrelu"}
_WORDS = {
    "leaky-relu": "leaky ReLU",
    "squared-relu": "squared ReLU",
    "quick-gelu": "quick GELU",
    "gelu-tanh": "GELU by tanh",
    "hard-mish": "hard Mish",
    "group-sort": "group sort",
    "mpu-leaky": "MPU, leaky",
    "identity": "identity",
}
_PAIRS = 40
_WIDTH = 8


def offered() -> list[str]:
    """The units of the registry that have no learnt parameters and keep the width, and the control.

    Examples
    --------
    >>> {"relu", "colu", "softmax", "relu-linear"} <= set(offered()), "prelu" in offered(), "glu" in offered()
    (True, False, False)
    """
    import torch

    from colu.nn import create, list_activations

    names, row = [LINEAR], torch.zeros(1, _WIDTH)
    for entry in list_activations():
        if entry.kind != "activation" or entry.name in _RANDOM or entry.unfit:
            continue
        made = create(entry.name, _WIDTH)
        if not any(True for _ in made.parameters()) and made(row).shape == row.shape:
            names.append(entry.name)
    return [name for name in _FIRST if name in names] + sorted(set(names) - set(_FIRST))


def _label(name: str) -> str:
    from colu.lab.experiments import get_arm
    from colu.nn import create

    if name == LINEAR:
        return get_arm(name).label
    kind = type(create(name, _WIDTH)).__name__
    family, _, variant = name.partition("-")
    return _WORDS.get(name) or (f"{kind}, {variant}" if family in ("colu", "rcolu") and variant else kind)


def _colour(name: str) -> str:
    from colu.lab.plot import PALETTE, look

    try:
        chosen = look(name)["color"]
    except ValueError:
        return "neutral"
    shown = {colour: key for key, colour in PALETTE.items() if key in ("relu", "colu", "soft", "mpu", "gate", "cone")}
    return shown.get(chosen, "neutral")


def _ring(radius: float, turns: float) -> list[float]:
    return [round(radius * wave(math.tau * turns), 3) for wave in (math.cos, math.sin)]


def sets() -> dict[str, list]:
    """By name: the standard deviation of the noise, then for each class the places about which its points are drawn.

    Examples
    --------
    >>> {name: len(of) - 1 for name, of in sets().items()}
    {'moons': 2, 'circles': 2, 'spiral': 2, 'XOR': 2, 'blobs': 3}
    """
    along = [(i + 0.5) / 64 for i in range(64)]
    upper = [[x - 0.6, y - 0.3] for x, y in (_ring(1.2, t / 2) for t in along)]
    moons = [[[round(sign * v, 3) for v in place] for place in upper] for sign in (1, -1)]
    rings = [[_ring(radius, t) for t in along] for radius in (0.6, 1.5)]
    arms = [[_ring(0.2 + 1.6 * t, 0.8 * t + start) for t in along] for start in (0, 0.5)]
    # The middles of 8 x 8 squares, by the sign of their product.
    middles = [(2 * i - 7) / 5 for i in range(8)]
    checks = [[[x, y] for x in middles for y in middles if (x * y > 0) == same] for same in (True, False)]
    spots = [[_ring(1.1, k / 3 + 0.25)] for k in range(3)]
    return {
        "moons": [0.2, *moons],
        "circles": [0.2, *rings],
        "spiral": [0.08, *arms],
        "XOR": [0.15, *checks],
        "blobs": [0.5, *spots],
    }


def _state(units: dict[str, list]) -> dict:
    """The controls of the figure."""
    names = {name: label for name, (label, *_) in units.items()}
    rates = ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"]
    ways = {"sgd": "SGD", "momentum": "SGD, momentum", "adam": "Adam"}

    def number(label, value, low, high, step=1, **more):
        return {"label": label, "value": value, "min": low, "max": high, "step": step} | more

    return {
        "data": {"label": "points", "options": list(sets()), "value": "moons"},
        "unit": {"label": "unit", "options": names, "value": "relu"},
        "other": {"label": "beside it", "options": {"turned": "the same, frame turned"} | names, "value": "colu"},
        "depth": number("hidden layers", 1, 1, 3),
        "width": {"label": "channels", "options": ["4", "8", "16"], "value": "8"},
        "optimiser": {"label": "optimiser", "options": ways, "value": "sgd"},
        "rate": {"label": "rate", "options": rates, "value": "0.3"},
        "gain": number("start, times own gain", 1, 0.1, 3, 0.1),
        "seed": number("seed", 0, 0, 999, type="number"),
        "steps": number("steps", 0, 0, 1000),
        # Not a control: how often both were trained on one seed more.
        "pairs": {"value": 0, "min": 0, "max": _PAIRS, "step": 1},
    }


def data() -> dict:
    """The controls; each unit's label, gain and colour; points; the factors of a 95 % interval from two pairs on."""
    from scipy.special import stdtrit

    from colu.lab.results.tables import ENOUGH
    from colu.nn import gain, get_entry

    # Of the control a quarter passes, and of the rest half of the square.
    starts = {LINEAR: 1 / math.sqrt(1 / 4 + 3 / 8)}
    units = {}
    for name in offered():
        if name not in starts:
            starts[name] = gain(name, None if get_entry(name).pointwise else _WIDTH)
        units[name] = [_label(name), round(starts[name], 4), _colour(name)]
    factors = [float(f"{stdtrit(freedom, 0.975):.9g}") for freedom in range(1, _PAIRS)]
    return {"state": _state(units), "units": units, "sets": sets(), "factors": factors, "enough": ENOUGH}


def twin() -> str:
    def draw(figure, axes):
        axes[0, 0].plot([0, 1])
    return drawn(draw)
