"""A convolutional autoencoder: four times smaller on each side."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["ConvAutoencoder"]


class ConvAutoencoder(nn.Module):
    r"""Convolutions down to a quarter of each side and back up again.

    The encoder is a 3 x 3 convolution, two 4 x 4 convolutions of stride 2 and a 3 x 3 convolution to the code.
    The decoder has a 3 x 3 convolution, twice nearest-neighbour doubling with a 3 x 3 convolution,
    and a 3 x 3 convolution to the pixels.
    The activation follows each convolution but the two last ones; there is no normalisation.

    Parameters
    ----------
    in_channels : int
    widths : pair of int
        Channels at full size, and at half and quarter size.
    code_channels : int
    activation : str or callable
        See :func:`colu.lab.models.make_activation`.

    Raises
    ------
    ValueError
        If a number of channels is below 1, or ``widths`` are not two.

    Examples
    --------
    >>> import torch
    >>> model = ConvAutoencoder(1, (16, 32), 4)
    >>> x = torch.zeros(2, 1, 28, 28)
    >>> model.encode(x).shape, model(x).shape
    (torch.Size([2, 4, 7, 7]), torch.Size([2, 1, 28, 28]))
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Sequence[int] = (32, 64),
        code_channels: int = 4,
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        if len(widths) != 2:
            raise ValueError(f"widths are {list(widths)}, wanted two: at full size, and at half and quarter size")
        wide, deep = widths
        if min(in_channels, wide, deep, code_channels) < 1:
            raise ValueError(
                f"channels are {in_channels}, {tuple(widths)} and {code_channels}; each must be at least 1"
            )
        self.in_channels = in_channels
        self.down = nn.ModuleList(
            [
                nn.Conv2d(in_channels, wide, 3, 1, 1),
                nn.Conv2d(wide, deep, 4, 2, 1),
                nn.Conv2d(deep, deep, 4, 2, 1),
            ]
        )
        self.to_code = nn.Conv2d(deep, code_channels, 3, 1, 1)
        self.from_code = nn.Conv2d(code_channels, deep, 3, 1, 1)
        self.up = nn.ModuleList([nn.Conv2d(deep, deep, 3, 1, 1), nn.Conv2d(deep, wide, 3, 1, 1)])
        self.to_pixels = nn.Conv2d(wide, in_channels, 3, 1, 1)
        for convolution in (*self.down, self.to_code, self.from_code, *self.up, self.to_pixels):
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)
        for number, channels in enumerate((wide, deep, deep, deep, deep, wide)):
            setattr(self, f"act{number}", make_activation(activation, channels))

    def encode(self, x: Tensor) -> Tensor:
        """Codes (batch, code_channels, H/4, W/4) for images (batch, in_channels, H, W)."""
        if x.dim() != 4 or x.shape[1] != self.in_channels or x.shape[2] % 4 or x.shape[3] % 4:
            raise ValueError(
                f"images have shape {tuple(x.shape)}, wanted (batch, {self.in_channels}, H, W) "
                "with H and W divisible by 4; pad them first"
            )
        for number, convolution in enumerate(self.down):
            x = getattr(self, f"act{number}")(convolution(x))
        return self.to_code(x)

    def decode(self, code: Tensor) -> Tensor:
        """Logits of the pixels for codes; their sigmoid is the image."""
        x = self.act3(self.from_code(code))
        for number, convolution in enumerate(self.up, start=4):
            x = getattr(self, f"act{number}")(convolution(F.interpolate(x, scale_factor=2.0)))
        return self.to_pixels(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the shape of ``x``."""
        return self.decode(self.encode(x))
