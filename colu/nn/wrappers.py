"""Two activations where a swap wants one: by the rank of the input, and on the channels that fit."""

import torch
from torch import Tensor, nn

__all__ = ["OnMaps", "PassRemainder"]


class OnMaps(nn.Module):
    r"""One activation for maps and sequences, another for vectors: ``maps(x)`` from three axes on, else ``vectors(x)``.

    The residual block of diffusers holds *one* activation and calls it on features and on the vector that tells the
    time; only the rank of the input tells the calls apart.

    Examples
    --------
    >>> act = OnMaps(nn.ReLU(), nn.Identity())
    >>> float(act(-torch.ones(1, 1, 1, 1))), float(act(-torch.ones(1, 1)))
    (0.0, -1.0)
    """

    def __init__(self, maps: nn.Module, vectors: nn.Module) -> None:
        super().__init__()
        self.maps, self.vectors = maps, vectors

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x) if x.dim() > 2 else self.vectors(x)


class PassRemainder(nn.Module):
    """An activation on the first channels, and no change to the others.

    Examples
    --------
    >>> PassRemainder(nn.ReLU(), 2, -1)(-torch.ones(1, 3))
    tensor([[ 0.,  0., -1.]])
    """

    def __init__(self, activation: nn.Module, num_channels: int, channel_dim: int) -> None:
        super().__init__()
        self.activation, self.num_channels, self.channel_dim = activation, num_channels, channel_dim

    def forward(self, x: Tensor) -> Tensor:
        first, rest = x.tensor_split([self.num_channels], self.channel_dim)
        return torch.cat([self.activation(first), rest], self.channel_dim)

    def extra_repr(self) -> str:
        return f"num_channels={self.num_channels}, channel_dim={self.channel_dim}"
