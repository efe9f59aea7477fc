"""A residual network for small images whose first layer whitens: fast on a processor, the activation alone is bent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["BLOCKS", "WhitenedResNet", "whitening_filters"]

#: Kernel sizes of the convolutions of a block.
BLOCKS = {"single": (3,), "basic": (3, 3), "bottleneck": (1, 3, 1)}
#: A bottleneck is this many times narrower within.
NARROWER = 4


def whitening_filters(images: Tensor, size: int = 2, epsilon: float = 5e-4) -> Tensor:
    r"""Filters that decorrelate patches, and their negatives: the first layer of a network that need not learn it.

    .. math:: F &= \begin{pmatrix} W \\ -W \end{pmatrix}, \\
              W &= (\Lambda + \epsilon)^{-1/2}\, V^\top, \\
              \mathbb{E}\, p\, p^\top &= V \Lambda V^\top

    with :math:`p` the patches and the largest eigenvalue first.

    Parameters
    ----------
    images : Tensor, shape (n, channels, height, width)
        As the network sees them.
    size : int
        Of a patch's side.
    epsilon : float
        Added to the eigenvalues, so that directions without variance stay small.

    Returns
    -------
    Tensor, shape (2 * channels * size**2, channels, size, size)

    References
    ----------
    Page, "How to train your ResNet", 2019; Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
    arXiv 2404.00498.

    Examples
    --------
    >>> whitening_filters(torch.randn(100, 3, 8, 8)).shape
    torch.Size([24, 3, 2, 2])
    """
    patches = F.unfold(images.double(), size).movedim(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors * (values.clamp(min=0) + epsilon).rsqrt()).T.flip(0)
    # An eigenvector has no sign of its own: the largest entry is positive on every machine.
    largest = filters.gather(1, filters.abs().argmax(1, keepdim=True))
    filters = (filters * largest.sign()).view(-1, images.shape[1], size, size).to(images.dtype)
    return torch.cat([filters, -filters])


class _Block(nn.Module):
    """Convolutions with BatchNorm and the activation; of several, the last one is behind the sum with the input."""

    def __init__(self, channels: int, kernels: Sequence[int], activation: Activation) -> None:
        super().__init__()
        within = channels // NARROWER if 1 in kernels else channels
        widths = [channels, *[within] * (len(kernels) - 1), channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, kernel, padding=kernel // 2, bias=False)
            for a, b, kernel in zip(widths[:-1], widths[1:], kernels, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.acts = nn.ModuleList(
            make_activation(activation, width, kernel) for width, kernel in zip(widths[1:], kernels, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = norm(convolution(self.acts[number - 1](y) if number else y))
        return self.acts[-1](x + y if len(self.acts) > 1 else y)


class _Stage(nn.Module):
    """A convolution of stride 2 with BatchNorm and the activation, then blocks."""

    def __init__(self, before: int, channels: int, kernels: Sequence[int], depth: int, activation: Activation) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, channels, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = make_activation(activation, channels, 3)
        self.blocks = nn.Sequential(*(_Block(channels, kernels, activation) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.act(self.norm(self.convolution(x))))


class WhitenedResNet(nn.Module):
    r"""Three stages behind fixed whitening filters, in which the activation is the only nonlinearity.

    The filters, which are not trained, get a bias and the activation.  A stage is a 3 x 3 convolution of stride 2 with
    BatchNorm and the activation, and ``depth`` blocks, which are residual where they have more than one convolution.
    The mean over pixels and a linear layer without a bias end it.  There are no maxima: with the identity the network
    is an affine function of the image, once BatchNorm has its moments.

    BatchNorm stands before each activation but the first and scales every channel by itself.  So turns of a cone of
    CoLU are no symmetry of the network, as they are of one without norms; nothing else about the activation changes.

    Parameters
    ----------
    filters : Tensor, shape (n, channels, size, size)
        Such as :func:`whitening_filters`.
    num_classes : int
    activation : str or callable
        See :func:`colu.lab.models.make_activation`; it is told the size of the filters before it.
    widths : sequence of 3 int
        Channels of the stages.
    block : {"single", "basic", "bottleneck"}
        One 3 x 3 convolution; two; or 1 x 1, 3 x 3 and 1 x 1, four times narrower within.
    depth : int
        Blocks of a stage.

    Raises
    ------
    ValueError
        For an unknown block, no blocks, no filters, or widths that are not three or, with bottlenecks, no multiples
        of 4.

    References
    ----------
    The order of its layers follows Jordan, 2024, arXiv 2404.00498, whose network has maxima in place of strides, and
    no residual blocks.

    Examples
    --------
    >>> model = WhitenedResNet(whitening_filters(torch.randn(10, 3, 32, 32)), activation=nn.ReLU)
    >>> model(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        filters: Tensor,
        num_classes: int = 10,
        activation: Activation = "relu",
        widths: Sequence[int] = (32, 128, 128),
        block: str = "single",
        depth: int = 1,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ValueError(f"block is {block!r}, choose one of {', '.join(BLOCKS)}")
        if depth < 1:
            raise ValueError(f"depth is {depth}, wanted at least 1 block a stage")
        if len(widths) != 3 or min(widths) < 1:
            raise ValueError(f"widths are {list(widths)}, wanted three of at least 1, such as (32, 128, 128)")
        if block == "bottleneck" and any(width % NARROWER for width in widths):
            raise ValueError(f"widths are {list(widths)}, wanted multiples of {NARROWER} for bottlenecks")
        before, channels, size, _ = filters.shape
        if not before:
            raise ValueError(
                "there are no filters: the cones of the activation are larger than their number; take others"
            )
        self.whiten = nn.Conv2d(channels, before, size)
        self.act = make_activation(activation, before, size)
        self.stages = nn.Sequential()
        for width in widths:
            self.stages.append(_Stage(before, width, BLOCKS[block], depth, activation))
            before = width
        self.head = nn.Linear(before, num_classes, bias=False)
        self._initialise(filters)

    def _initialise(self, filters: Tensor) -> None:
        with torch.no_grad():
            self.whiten.weight.copy_(filters).requires_grad_(False)
            self.whiten.bias.zero_()
        # A generator of its own: activations that draw numbers must not shift the weights of the arms apart.
        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63)
        for module in self.stages.modules():
            if type(module) is nn.Conv2d:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        nn.init.kaiming_uniform_(self.head.weight, a=5**0.5, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes) for images of shape (batch, channels, height, width)."""
        return self.head(self.stages(self.act(self.whiten(x))).mean((2, 3)))
