"""A small U-Net that predicts noise; every activation in it can be read here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["UNet", "time_embedding"]


def time_embedding(t: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    r"""Sines and cosines of the time.

    .. math:: & \bigl(\cos(t\,\omega_k),\ \sin(t\,\omega_k)\bigr)_{k=0}^{d/2-1}, \\
              & \omega_k = L^{-2k/d}

    Parameters
    ----------
    t : torch.Tensor, shape (batch,)
    dim : int
        Even.
    longest : float
        The largest period over :math:`2\pi`.

    Returns
    -------
    torch.Tensor, shape (batch, dim), float32

    References
    ----------
    Ho et al., Denoising diffusion probabilistic models, NeurIPS 2020, arXiv 2006.11239, appendix B.

    Examples
    --------
    >>> time_embedding(torch.tensor([0, 7]), 4)[0]
    tensor([1., 1., 0., 0.])
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim is {dim}, wanted an even number of at least 2")
    rate = torch.exp(torch.arange(0, dim, 2, device=t.device) * (-math.log(longest) / dim))
    angle = t.float()[:, None] * rate
    return torch.cat([angle.cos(), angle.sin()], 1)


class ResBlock(nn.Module):
    """Convolve, normalise, activate, twice; the time scales and shifts before the first activation."""

    def __init__(self, before: int, channels: int, time_dim: int, groups: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, padding=1)
        self.norm1 = nn.GroupNorm(groups, channels)
        self.time = nn.Linear(time_dim, 2 * channels)
        self.act1 = make_activation(activation, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, channels)
        self.act2 = make_activation(activation, channels)
        self.shortcut = nn.Conv2d(before, channels, 1) if before != channels else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.time(time)[:, :, None, None].chunk(2, 1)
        y = self.act1(self.norm1(self.conv1(x)) * (1 + scale) + shift)
        return self.shortcut(x) + self.act2(self.norm2(self.conv2(y)))


class Attention(nn.Module):
    """Self-attention over pixels, with no activation but its softmax."""

    def __init__(self, channels: int, groups: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        parts = self.query_key_value(self.norm(x)).view(n, 3, self.heads, channels // self.heads, height * width)
        query, key, value = parts.transpose(-1, -2).unbind(1)
        y = F.scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.out(y.reshape(n, channels, height, width))


class UNet(nn.Module):
    r"""Predict noise from a noisy image and the time, :math:`\epsilon_\theta(x_t, t)`.

    Levels of residual blocks go down by strided convolutions and up again, with a skip from each block to its
    opposite, and attention where the image is smallest.
    ``activation`` is used on feature maps only, and always on as many channels as one of ``widths``;
    the time embedding keeps SiLU in every arm.
    One seed gives the same initial weights whatever the activation.

    Parameters
    ----------
    in_channels : int
        Of the image, and of the prediction.
    widths : sequence of int
        Channels of the levels; each divides by ``groups`` and ``heads``.
    activation : str or callable
        See :func:`colu.lab.models.make_activation`.
    blocks : int
        Residual blocks a level.
    patch : int
        Squares of ``patch`` x ``patch`` pixels become channels first (space to depth), which saves time; 1 for none.
    groups, heads : int
        Of group normalisation and of attention.

    Raises
    ------
    ValueError
        For widths that do not divide, or an image whose sides do not divide by ``patch * 2**(len(widths) - 1)``.

    Notes
    -----
    The last convolution starts at zero, so that the first prediction is 0 and the first loss 1 in every arm.

    References
    ----------
    Ho et al., Denoising diffusion probabilistic models, NeurIPS 2020, arXiv 2006.11239, appendix B.

    Examples
    --------
    >>> model = UNet(1, (16, 32), "colu")
    >>> model(torch.zeros(2, 1, 8, 8), torch.tensor([3, 500])).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Sequence[int] = (64, 128, 128),
        activation: Activation = "silu",
        *,
        blocks: int = 1,
        patch: int = 1,
        groups: int = 8,
        heads: int = 4,
    ) -> None:
        super().__init__()
        if not widths or any(width % groups or width % heads for width in widths):
            raise ValueError(f"widths are {list(widths)}, wanted multiples of groups={groups} and heads={heads}")
        self.patch, self.in_channels, self.levels = patch, in_channels, len(widths)
        channels, time_dim = in_channels * patch**2, 4 * widths[0]
        self.frequencies = widths[0]
        self.time = nn.Sequential(nn.Linear(widths[0], time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim), nn.SiLU())
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before, skips = widths[0], []
        for level, width in enumerate(widths):
            for _ in range(blocks):
                self.down.append(ResBlock(before, width, time_dim, groups, activation))
                before = width
                skips.append(width)
            if level < self.levels - 1:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
        self.middle1 = ResBlock(before, before, time_dim, groups, activation)
        self.attention = Attention(before, groups, heads)
        self.middle2 = ResBlock(before, before, time_dim, groups, activation)
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(blocks):
                self.up.append(ResBlock(before + skips.pop(), width, time_dim, groups, activation))
                before = width
            if level:
                self.up.append(nn.Conv2d(width, width, 3, padding=1))
        self.head = nn.Conv2d(before, channels, 3, padding=1)
        self._initialise()

    def _initialise(self) -> None:
        # A generator of its own: activations that draw numbers must not shift the weights of the arms apart.
        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and ".act" not in name:
                nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Noise of the shape of ``x`` (batch, channels, height, width), for times ``t`` of shape (batch,)."""
        self._check(x, t)
        time = self.time(time_embedding(t, self.frequencies).to(self.head.weight.dtype))
        x = self.stem(F.pixel_unshuffle(x, self.patch))
        skips = []
        for layer in self.down:
            if isinstance(layer, ResBlock):
                x = layer(x, time)
                skips.append(x)
            else:
                x = layer(x)
        x = self.middle2(self.attention(self.middle1(x, time)), time)
        for layer in self.up:
            if isinstance(layer, ResBlock):
                x = layer(torch.cat([x, skips.pop()], 1), time)
            else:
                x = layer(F.interpolate(x, scale_factor=2.0))
        return F.pixel_shuffle(self.head(x), self.patch)

    def _check(self, x: Tensor, t: Tensor) -> None:
        step = self.patch * 2 ** (self.levels - 1)
        if x.ndim != 4 or x.shape[1] != self.in_channels or x.shape[2] % step or x.shape[3] % step:
            raise ValueError(
                f"images are {tuple(x.shape)}, wanted (batch, {self.in_channels}, height, width) "
                f"with sides that divide by {step}"
            )
        if t.shape != x.shape[:1]:
            raise ValueError(f"times are {tuple(t.shape)} for {len(x)} images; wanted one time an image")
