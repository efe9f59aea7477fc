"""Learning a rotation of space with one hidden layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from colu.lab.models import MLP
from colu.lab.training import Plan, generator_for

from .arms import get_arm
from .experiment import Config, Experiment, Preset, register
from .options import RotationOptions

__all__ = ["ROTATION", "RotationTask", "cap_points", "rotation_matrix"]


def rotation_matrix(degrees: float) -> Tensor:
    """Rotation about the first axis, then the second, then the third, by the same angle; shape (3, 3), float64.

    Examples
    --------
    >>> q = rotation_matrix(45.0)
    >>> torch.allclose(q @ q.T, torch.eye(3, dtype=torch.float64))
    True
    """
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    result = torch.eye(3, dtype=torch.float64)
    for axis in range(3):
        i, j = [k for k in range(3) if k != axis]
        turn = torch.eye(3, dtype=torch.float64)
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        result = turn @ result
    return result


def cap_points(n: int, degrees: float, generator: torch.Generator | None = None) -> Tensor:
    """Points drawn uniformly from the cap of the unit sphere within ``degrees`` of the pole; shape (n, 3), float64.

    Examples
    --------
    >>> points = cap_points(100, 90.0)
    >>> bool((points[:, 2] >= 0).all())
    True
    """
    if not 0 < degrees <= 180:
        raise ValueError(f"the cap is {degrees} degrees, wanted more than 0 and at most 180")
    low = math.cos(math.radians(degrees))
    height = low + (1 - low) * torch.rand(n, generator=generator, dtype=torch.float64)
    turn = 2 * math.pi * torch.rand(n, generator=generator, dtype=torch.float64)
    radius = (1 - height**2).clamp(min=0).sqrt()
    return torch.stack([radius * turn.cos(), radius * turn.sin(), height], 1)


class RotationTask:
    """Fit ``x -> Q x`` on a cap; test on the whole sphere and on a fresh sample of the cap."""

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        torch.manual_seed(config.seed)
        self.model = MLP(3, [arm.width(options["width"])], 3, activation=arm)
        if not options["bias"]:
            for linear in (self.model[1], self.model[3]):
                linear.bias = None
        self.model.to(config.device)
        self.seed, self.size, self.cap = config.seed, config.plan.batch_size, options["cap"]
        self.target = rotation_matrix(options["angle"]).float().to(config.device)
        # The same points in every run, so that runs differ in weights and batches only.
        test = {"cap": (4000, self.cap), "sphere": (4000, 180.0)}
        self.test = {
            name: cap_points(n, degrees, generator_for(0, "test", name)).float().to(config.device)
            for name, (n, degrees) in test.items()
        }

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Fresh points of the cap and their images."""
        points = cap_points(self.size, self.cap, generator_for(self.seed, "points", step)).float()[rank::world_size]
        points = points.to(self.target.device)
        return points, points @ self.target.T

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Mean squared distance."""
        return (model(batch[0]) - batch[1]).square().sum(1).mean()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean squared and largest distance, on the cap and on the sphere."""
        found = {}
        for name, points in self.test.items():
            squared = (model(points) - points @ self.target.T).square().sum(1)
            found |= {f"{name}_mse": float(squared.mean()), f"{name}_max_error": float(squared.max().sqrt())}
        return found


def _preset(steps: int, width: int, arms: tuple[str, ...], seeds: int, cost: str) -> Preset:
    plan = Plan(
        steps=steps,
        batch_size=256,
        learning_rate=2e-2,
        schedule="cosine",
        log_every=max(steps // 20, 1),
        evaluate_every=max(steps // 4, 1),
        checkpoint_every=0,
    )
    options = {"width": width, "angle": 45.0, "cap": 90.0, "bias": False}
    return Preset(plan, options, arms, seeds, cost, device="cpu")


#: The hemisphere of the paper's first experiment.
ROTATION = register(
    Experiment(
        "rotation",
        "Does CoLU help a small network to learn a rotation, and up to which width?",
        RotationTask,
        {
            "smoke": _preset(400, 3, ("relu", "silu", "colu-3", "identity"), 5, "under a second a run"),
            "laptop": _preset(1500, 3, ("relu", "silu", "gelu", "colu-3", "identity"), 10, "two seconds a run"),
            "full": _preset(6000, 3, ("relu", "silu", "gelu", "colu-3", "identity"), 20, "ten seconds a run"),
        },
        metric="cap_mse",
        options=RotationOptions,
        higher_is_better=False,
    )
)
