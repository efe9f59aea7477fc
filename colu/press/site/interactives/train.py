"""*Train it here*: which units the page offers, how they start, and Student's quantiles; its static twin."""

from __future__ import annotations

import math

from ..svg import drawn

__all__ = ["LINEAR", "data", "frames", "offered", "sets", "twin"]

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
    "mish": "Mish",
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
    # CELU stays as it is, Tanh becomes the word.
    kind = kind.lower() if kind[1:].islower() else kind
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
    # An object of JavaScript would put "1" first.
    rates = ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0", "3.0"]
    ways = {"sgd": "SGD", "momentum": "SGD, momentum", "adam": "Adam"}

    def number(label, value, low, high, step=1, **more):
        return {"label": label, "value": value, "min": low, "max": high, "step": step} | more

    return {
        "data": {"label": "points", "options": list(sets()), "value": "moons"},
        "unit": {"label": "unit", "options": names, "value": "relu"},
        "other": {"label": "compared with", "options": {"turned": "the same, frame turned"} | names, "value": "colu"},
        "depth": number("hidden layers", 1, 1, 3),
        "width": {"label": "channels", "options": ["4", "8", "16"], "value": "8"},
        "optimiser": {"label": "optimiser", "options": ways, "value": "sgd"},
        "rate": {"label": "learning rate", "options": rates, "value": "0.3"},
        "gain": number("gain (1: the unit's own)", 1, 0.1, 3, 0.1),
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
    made = {"state": _state(units), "units": units, "sets": sets(), "factors": factors, "enough": ENOUGH}
    return made | {"frame": _frame().tolist()}


def _drawn_points(name: str, per_class: int):
    """Points and classes of a set, with torch's own random numbers."""
    import torch

    source = torch.Generator().manual_seed(0)
    noise, *places = sets()[name]
    around = torch.tensor(places, dtype=torch.float64)
    chosen = around[:, torch.randint(around.shape[1], (per_class,), generator=source)]
    x = chosen + noise * torch.randn(chosen.shape, generator=source, dtype=torch.float64)
    return x.flatten(0, 1), torch.arange(len(places)).repeat_interleave(per_class)


def _trained(unit, parameters, x, y, kind: str, rate: float, steps: int):
    """Losses on the way, and the network at its end, of full-batch training from given weights."""
    import torch
    from torch.nn import functional

    parameters = [one.clone().requires_grad_() for one in parameters]
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[kind](parameters, lr=rate)

    def network(points):
        first, bias, last, end = parameters
        return functional.linear(unit(functional.linear(points, first, bias)), last, end)

    losses = []
    for _ in range(steps):
        loss = functional.cross_entropy(network(x), y)
        losses.append(loss.item())
        rule.zero_grad()
        loss.backward()
        rule.step()
    return losses, network


def _frame():
    """The reflection that swaps the axis of CoLU, of four channels, and that of RCoLU."""
    import torch

    from colu.geometry import householder

    return householder(torch.eye(4, dtype=torch.float64)[0] - 0.5)


def _frames(steps: int = 200) -> dict:
    """By optimiser: loss curves of CoLU and of the same function in the frame of RCoLU, and the first network."""
    import torch

    from colu.nn import CoLU, RCoLU, gain

    x, y = _drawn_points("moons", 100)
    draw, start = torch.Generator().manual_seed(0), gain("colu", _WIDTH)
    wide = {"generator": draw, "dtype": torch.float64}
    first, last = torch.randn(_WIDTH, 2, **wide) / 2**0.5, torch.randn(2, _WIDTH, **wide) / _WIDTH**0.5
    zeros = [torch.zeros(n, dtype=torch.float64) for n in (_WIDTH, 2)]
    turn = torch.block_diag(*[_frame()] * (_WIDTH // 4))
    found = {"points": (x, y)}
    for kind, rate in (("sgd", 0.3), ("adam", 0.03)):
        weights = [start * first, zeros[0], start * last, zeros[1]]
        losses, network = _trained(CoLU(4), weights, x, y, kind, rate, steps)
        turned = [turn @ weights[0], zeros[0], weights[2] @ turn, zeros[1]]
        found[kind] = losses, _trained(RCoLU(4), turned, x, y, kind, rate, steps)[0], network
    return found


def frames() -> dict[str, float]:
    """By optimiser: the largest difference of the two loss curves in the static picture."""
    found = _frames()
    return {k: max(abs(a - b) for a, b in zip(*found[k][:2], strict=True)) for k in ("sgd", "adam")}


def twin() -> str:
    """Regions of a trained network with CoLU, and the losses of the same function in two frames."""
    import torch

    from colu.lab.plot import PALETTE, area, border

    found = _frames()

    def draw(_figure, axes):
        plane, *curves = axes[0]
        (x, y), network = found["points"], found["sgd"][2]
        side = torch.linspace(-2.3, 2.3, 81, dtype=torch.float64)
        rows, columns = torch.meshgrid(side, side, indexing="ij")
        with torch.no_grad():
            logits = network(torch.stack([columns.flatten(), rows.flatten()], dim=1))
        lead = (logits[:, 0] - logits[:, 1]).view(81, 81)
        area(plane, side, side, lead, color=PALETTE["cone"])
        area(plane, side, side, -lead, color=PALETTE["gate"])
        border(plane, side, side, lead, color="0.15", linewidth=1.5)
        for kind, marker in ((0, "o"), (1, "x")):
            plane.plot(*x[y == kind].T, marker, color="0.15", markersize=3, linestyle="")
        plane.set(aspect="equal", xlabel="CoLU after 200 steps of SGD", xticks=[], yticks=[])
        for ax, kind, name in zip(curves, ("sgd", "adam"), ("SGD", "Adam"), strict=True):
            one, two, _ = found[kind]
            ax.plot(one, color=PALETTE["colu"], label="as written")
            ax.plot(two, color="0.15", linestyle="--", linewidth=1.2, label="frame turned")
            ax.set(xlabel=f"step of {name}", ylim=(0, 0.8), ylabel="loss" if kind == "sgd" else "")
        curves[0].legend()

    return drawn(draw, (1, 3))
