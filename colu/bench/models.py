"""A training step of a whole network: what the cost of an activation comes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from colu.functional import colu
from colu.models import MLP, CIFARResNet

__all__ = ["ACTIVATIONS", "NETWORKS", "training_step"]


class _CoLU(torch.nn.Module):
    def __init__(self, backend: str | None = None) -> None:
        super().__init__()
        self.backend = backend

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return colu(x, dim=4, backend=self.backend)


ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "control": torch.nn.ReLU,
    "silu": torch.nn.SiLU,
    "gelu": torch.nn.GELU,
    "colu": _CoLU,
    "reference": partial(_CoLU, "reference"),
}
NETWORKS = {
    "mlp": ((256, 784), lambda act: MLP(784, (1024, 1024, 1024), 10, activation=act)),
    "resnet": ((64, 3, 32, 32), lambda act: CIFARResNet(20, activation=act)),
    "tiny": ((8, 16), lambda act: MLP(16, (32,), 10, activation=act)),
}


def training_step(network: str, activation: str, device: str = "cpu") -> Callable[[], torch.Tensor]:
    """A function that does one step of SGD with momentum on random data, and returns the loss."""
    shape, make = NETWORKS[network]
    torch.manual_seed(0)
    model = make(ACTIVATIONS[activation]).to(device)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    x, y = torch.randn(shape, device=device), torch.randint(10, shape[:1], device=device)

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step
