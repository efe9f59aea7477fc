"""A small convolutional network whose only nonlinearity is the activation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["StridedConvNet"]


class StridedConvNet(nn.Module):
    r"""Three times a 3 x 3 convolution of stride 2, BatchNorm and the activation; the mean over pixels; a linear layer.

    Strides and means take the place of maxima, which are a nonlinearity of their own: with the identity this is an
    affine function of the image, once BatchNorm has its moments.

    Parameters
    ----------
    num_classes : int
    activation : str or callable
        See :func:`colu.lab.models.make_activation`.
    widths : sequence of int
        Channels after each convolution.
    in_channels : int

    Raises
    ------
    ValueError
        If a width is below 1.

    Examples
    --------
    >>> import torch
    >>> model = StridedConvNet(activation=nn.ReLU)
    >>> model(torch.zeros(2, 3, 32, 32)).shape, sum(p.numel() for p in model.parameters())
    (torch.Size([2, 10]), 94762)
    """

    def __init__(
        self,
        num_classes: int = 10,
        activation: Activation = "relu",
        widths: Sequence[int] = (32, 64, 128),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if min(widths) < 1:
            raise ValueError(f"widths are {list(widths)}, each must be at least 1")
        # All weights before the activations, some of which draw numbers: one seed, one start in every arm.
        channels = [in_channels, *widths]
        convolutions = [
            nn.Conv2d(a, b, 3, 2, 1, bias=False) for a, b in zip(channels[:-1], channels[1:], strict=True)
        ]
        self.head = nn.Linear(widths[-1], num_classes)
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.acts = nn.ModuleList(make_activation(activation, width) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for images of shape (batch, channels, height, width)."""
        for convolution, norm, act in zip(self.convolutions, self.norms, self.acts, strict=True):
            x = act(norm(convolution(x)))
        return self.head(x.mean((2, 3)))
