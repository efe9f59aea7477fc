"""Signal through depth: how a signal, a gradient and an angle fare in random layers."""

from __future__ import annotations

import math

__all__ = ["UNITS", "data", "twin"]

#: Key: words, name in the registry, its options, colour.
UNITS = {
    "relu": ("ReLU", "relu", {}, "relu"),
    "tanh": ("tanh", "tanh", {}, "neutral"),
    "gelu": ("GELU", "gelu", {}, "neutral"),
    "silu": ("SiLU", "silu", {}, "neutral"),
    "selu": ("SELU", "selu", {}, "neutral"),
    "colu2": ("CoLU, S = 2", "colu", {"dim": 2}, "colu"),
    "colu4": ("CoLU, S = 4", "colu", {"dim": 4}, "colu"),
    "colu8": ("CoLU, S = 8", "colu", {"dim": 8}, "colu"),
    "soft4": ("soft CoLU, S = 4", "colu-soft", {"dim": 4}, "soft"),
    "rcolu4": ("RCoLU, S = 4", "rcolu", {"dim": 4}, "colu"),
    "mpu4": ("MPU, S = 4", "mpu", {"dim": 4}, "mpu"),
    "sort": ("GroupSort, pairs", "group-sort", {}, "neutral"),
}
#: Those whose shares depend on the size of the signal.
SCALED = ("tanh", "gelu", "silu", "selu")
#: Powers of ten of the variance.
GRID = [k / 4 - 4 for k in range(33)]


def _shares(key: str) -> dict[str, list[float]]:
    """log10 of rho and of chi; on the grid where they depend on the variance."""
    import torch

    from colu.nn import create, gradient_ratio, second_moment_ratio

    _, name, options, _ = UNITS[key]
    unit = create(name, **options)

    class At(torch.nn.Module):
        """The unit on signals of another size, which is taken out again."""

        def __init__(self, power: float) -> None:
            super().__init__()
            self.scale = 10 ** (power / 2)

        def forward(self, x):
            return unit(self.scale * x) / self.scale

    channels = options.get("dim", 2 if name == "group-sort" else None)
    modules = [At(power) for power in GRID] if key in SCALED else [unit]
    shares = {"rho": second_moment_ratio, "chi": gradient_ratio}
    return {
        share: [round(math.log10(ratio(module, channels)), 9) for module in modules] for share, ratio in shares.items()
    }


def _marks(key: str, shares: dict[str, list[float]]) -> dict[str, float]:
    """Gains at which a signal of size 1 is kept, its gradient is, and ReLU keeps both."""
    middle = GRID.index(0) if key in SCALED else 0
    own, critical = (10 ** (-shares[share][middle] / 2) for share in ("rho", "chi"))
    return {"own": own, "critical": critical, "He": math.sqrt(2)}


def data() -> dict:
    """Of every offered unit its name, options, colour, shares of signal and gradient and gains, by the package."""
    units = {}
    for key, (_, name, options, tone) in UNITS.items():
        shares = _shares(key)
        units[key] = {"name": name, "tone": tone, **options, **shares, **_marks(key, shares)}
    return {"labels": {key: unit[0] for key, unit in UNITS.items()}, "units": units}


#: Label, unit, gain, variance of the biases, line style.
ARMS = (
    ("ReLU, He's gain", "relu", math.sqrt(2), 0.0, "-"),
    ("tanh, gain 1", "tanh", 1.0, 0.0, "-."),
    ("CoLU, He's gain", "colu4", math.sqrt(2), 0.0, ":"),
    ("CoLU, critical", "colu4", None, None, "--"),
)
WIDTH, LAYERS = 256, 32


def _stack(key: str, gain: float, rest: float):
    """log10 of the second moments of a signal and of a gradient, in every layer."""
    import torch

    from colu.nn import create

    _, name, options, _ = UNITS[key]
    unit = create(name, **options)
    draw = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    signals = [normal(1, WIDTH).requires_grad_()]
    for _ in range(LAYERS):
        weight, bias = normal(WIDTH, WIDTH), normal(WIDTH)
        signals.append(gain / math.sqrt(WIDTH) * unit(signals[-1]) @ weight.T + math.sqrt(rest) * bias)
    gradients = torch.autograd.grad(signals[-1], signals, normal(1, WIDTH))
    return [[x.detach().square().mean().log10().item() for x in side] for side in (signals, gradients)]


def _draw(figure, axes) -> None:
    from colu.lab.plot import PALETTE

    for label, key, gain, rest, line in ARMS:
        if gain is None:
            rho, chi = (10 ** value[0] for value in _shares(key).values())
            gain, rest = chi**-0.5, 1 - rho / chi
        for ax, values in zip(axes.flat, _stack(key, gain, rest), strict=True):
            ax.plot(values, line, color=PALETTE[UNITS[key][3]], label=label)
    axes[0, 0].set(title="second moment of the signal", xlabel="layer", ylabel="powers of ten")
    axes[0, 1].set(title="of the gradient, from right to left", xlabel="layer", ylim=axes[0, 0].get_ylim())
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def twin() -> str:
    """The static picture: four networks of the package."""
    from ..svg import drawn

    return drawn(_draw, (1, 2))
