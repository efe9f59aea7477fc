"""Residual networks in the form for CIFAR: depth 6n + 2, three stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["CIFARResNet"]

_NORMS = {
    "batch": nn.BatchNorm2d,
    "group": lambda channels: nn.GroupNorm(4, channels),
    "none": lambda channels: nn.Identity(),
}


class _Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut without parameters (option A: subsample, pad with zero channels)."""

    def __init__(self, before: int, channels: int, stride: int, norm: str, activation: Activation) -> None:
        super().__init__()
        self.stride, self.added = stride, channels - before
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.norm1 = _NORMS[norm](channels)
        self.act1 = make_activation(activation, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = _NORMS[norm](channels)
        self.act2 = make_activation(activation, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        if self.stride > 1 or self.added:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return self.act2(y + x)


class CIFARResNet(nn.Module):
    r"""Residual network for small images, :math:`6n+2` layers deep.

    A 3 x 3 convolution, three stages of ``n`` blocks, the mean over pixels, and a linear layer.
    Convolutions start from He's normal distribution for ReLU in every arm, so that one seed gives the same weights
    whatever the activation.

    Parameters
    ----------
    depth : int
        ``6n + 2``: 8, 14, 20, 32, 44, 56.
    num_classes : int
    activation : str or callable
        See :func:`colu.lab.models.make_activation`.
    widths : sequence of 3 int
        Channels of the stages.
    in_channels : int
    norm : {"batch", "group", "none"}

    Raises
    ------
    ValueError
        For another depth, or an unknown norm.

    References
    ----------
    He et al., Deep residual learning for image recognition, CVPR 2016, arXiv 1512.03385, section 4.2.

    Examples
    --------
    >>> model = CIFARResNet(20)
    >>> model(torch.zeros(2, 3, 32, 32)).shape, sum(p.numel() for p in model.parameters())
    (torch.Size([2, 10]), 269722)
    """

    def __init__(
        self,
        depth: int = 20,
        num_classes: int = 10,
        activation: Activation = "relu",
        widths: Sequence[int] = (16, 32, 64),
        in_channels: int = 3,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth is {depth}, wanted 6n + 2: 8, 14, 20, 32, 44, 56, ...")
        if norm not in _NORMS:
            raise ValueError(f"norm is {norm!r}, choose one of {tuple(_NORMS)}")
        if len(widths) != 3 or list(widths) != sorted(widths):
            raise ValueError(f"widths are {list(widths)}, wanted three that do not fall, such as (16, 32, 64)")
        self.conv = nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False)
        self.norm = _NORMS[norm](widths[0])
        self.act = make_activation(activation, widths[0])
        blocks: list[nn.Module] = []
        before = widths[0]
        for stage, width in enumerate(widths):
            for index in range((depth - 2) // 6):
                blocks.append(_Block(before, width, 2 if stage and not index else 1, norm, activation))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], num_classes)
        self._initialise()

    def _initialise(self) -> None:
        # A generator of its own: activations that draw numbers must not shift the weights of the arms apart.
        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63)
        for module in self.modules():
            if module is self.head:
                nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
                nn.init.zeros_(module.bias)
            elif type(module) is nn.Conv2d and module in self._convolutions():
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)

    def _convolutions(self) -> list[nn.Module]:
        return [self.conv, *(conv for block in self.blocks for conv in (block.conv1, block.conv2))]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for images of shape (batch, channels, height, width)."""
        x = self.blocks(self.act(self.norm(self.conv(x))))
        return self.head(x.mean((2, 3)))
