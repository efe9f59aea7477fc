"""Drag the cone: where maps send points beside a cone, and how many directions get no gradient."""

from __future__ import annotations

import math
from itertools import pairwise

__all__ = ["twin"]

#: Names in the registry, with their titles and tones.
MAPS = {"colu": ("hard CoLU", "colu"), "colu-soft": ("soft CoLU", "soft"), "mpu": ("nearest point (MPU)", "mpu")}
#: Angles from the axis, in degrees, at which some map has an edge, and a point beside the cone and one behind its tip.
RAYS = (0, 45, 90, 135, 180)
POINTS = ((0.25, 0.6), (-0.2, 0.7), (-0.6, 0.35))
#: A slope below counts as none, as in the page.
LEAST = 5e-4


def _map(name: str):
    """A map of the package on (axis, section) in space, axis first."""
    from colu.functional import colu, soc_projection

    if name == "mpu":
        return lambda x: soc_projection(x, dim=3, axis="coordinate")
    return lambda x: colu(x, dim=3, scaling="soft" if name == "colu-soft" else "hard")


def _rank(send, ray: float) -> int:
    """Of the Jacobian on a ray, so many degrees from the axis."""
    import torch

    angle = math.radians(ray)
    point = torch.tensor([math.cos(angle), math.sin(angle), 0.0], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: send(x[None])[0], point)
    return int((torch.linalg.svdvals(jacobian) > LEAST).sum())


def _regions(send) -> list[tuple[int, int, int]]:
    """Rank, and the first and the last ray, of every region."""
    found: list[tuple[int, int, int]] = []
    for low, high in pairwise(RAYS):
        rank = _rank(send, (low + high) / 2)
        if found and found[-1][0] == rank:
            low = found.pop()[1]
        found.append((rank, low, high))
    return found


def _draw(figure, axes) -> None:
    import torch
    from matplotlib.patches import Wedge

    from colu.lab.plot import PALETTE

    points = torch.tensor([[axis, section, 0.0] for axis, section in POINTS], dtype=torch.float64)
    for ax, (name, (title, tone)) in zip(axes.flat, MAPS.items(), strict=True):
        send = _map(name)
        ax.add_patch(Wedge((0, 0), 1, 45, 135, color=PALETTE["cone"], alpha=0.35, lw=0))
        for rank, low, high in _regions(send):
            # Both sides at once: they meet where the region reaches down to the negative axis.
            turns = [(90 + low, 450 - low)] if high == 180 else [(90 + low, 90 + high), (90 - high, 90 - low)]
            for turn in turns:
                ax.add_patch(Wedge((0, 0), 1, *turn, color=PALETTE["neutral"], alpha=0.13 * (3 - rank), lw=0))
            middle = math.radians(low + 22)
            ax.text(-0.62 * math.sin(middle), 0.62 * math.cos(middle), f"rank {rank}", ha="center", va="center")
        for (axis, section, _), (high, wide, _) in zip(points.tolist(), send(points).tolist(), strict=True):
            arrow = {"arrowstyle": "-|>", "color": PALETTE[tone], "lw": 1.8, "shrinkA": 3, "shrinkB": 0}
            ax.annotate("", (wide, high), (section, axis), arrowprops=arrow)
            ax.plot(section, axis, "o", color=PALETTE["axis"], ms=5)
        ax.axhline(0, color=PALETTE["neutral"], lw=0.8, zorder=0)
        ax.axvline(0, color=PALETTE["neutral"], lw=0.8, zorder=0)
        ax.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=[], yticks=[])
        ax.set(title=title, xlabel="section")
        ax.spines[:].set_visible(False)
    axes[0, 0].set_ylabel("axis")


def twin() -> str:
    """The static picture: hard, soft and nearest point in the plane of axis and section, by the package."""
    from ..svg import drawn

    return drawn(_draw, (1, 3))
