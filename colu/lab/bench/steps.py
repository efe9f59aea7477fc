"""A training step of a whole network: what the cost of an activation comes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from colu.functional import colu
from colu.lab.models import MLP, CIFARResNet, UNet

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


class _Denoiser(torch.nn.Module):
    """A U-Net at one time, with the means of its channels as logits."""

    def __init__(self, activation) -> None:
        super().__init__()
        self.unet = UNet(3, (64, 128, 128), activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.unet(x, x.new_full((len(x),), 500)).mean((2, 3))


#: Shape of the input, classes, and the model of an activation.
NETWORKS = {
    "mlp": ((256, 784), 10, lambda act: MLP(784, (1024, 1024, 1024), 10, activation=act)),
    "resnet": ((64, 3, 32, 32), 10, lambda act: CIFARResNet(20, activation=act)),
    "resnet56": ((1024, 3, 32, 32), 10, lambda act: CIFARResNet(56, activation=act)),
    "unet": ((256, 3, 32, 32), 3, _Denoiser),
    "tiny": ((8, 16), 10, lambda act: MLP(16, (32,), 10, activation=act)),
}


def training_step(network: str, activation: str, device: str = "cpu") -> Callable[[], torch.Tensor]:
    """A function that does one step of SGD with momentum on random data, and returns the loss.

    On the GPU with images and weights in channels-last order and bf16 autocast, on the CPU in float32.
    """
    shape, classes, make = NETWORKS[network]
    torch.manual_seed(0)
    model = make(ACTIVATIONS[activation]).to(device)
    x, y = torch.randn(shape, device=device), torch.randint(classes, shape[:1], device=device)
    fast = device == "cuda"
    if fast and x.ndim == 4:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=fast):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step
