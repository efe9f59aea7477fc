"""Activations whose shape depends on the input as modules: dynamic ReLU and FReLU."""

import functools

import torch
from torch import Tensor, fx, nn

from colu.channels import channel_mean, channels_back, channels_second, check_image, check_samples
from colu.checks import check_axis, check_choice, check_int
from colu.functional import dynamic_relu, frelu, spatial_attention
from colu.geometry import Symmetry

from ._facts import PIXELS, READS, carried, permutations, shown
from .registry import register

__all__ = ["DYReLU", "FReLU"]

# One node each in a torch.fx graph: their checks of shapes cannot be traced.
for _name in ("channel_mean", "check_image", "check_samples", "dynamic_relu", "spatial_attention"):
    fx.wrap(_name)


class DYReLU(nn.Module):
    r"""Dynamic ReLU: the maximum of K lines that a small network computes from the input.

    .. math:: y_c &= \max_k (a^k_c x_c + b^k_c), \\
              (a, b) &= (a, b)_0 + \lambda\,(2\sigma(z) - 1), \\
              z &= W_2 \max(W_1 \bar x + c_1, 0) + c_2

    with :math:`\bar x` the mean over positions.

    Parameters
    ----------
    num_channels : int
        Channels.
    variant : {"A", "B", "C"}
        A: lines shared by the channels. B: lines a channel. C: B times an attention over the pixels of
        ``(N, C, H, W)``, :func:`colu.functional.spatial_attention`.
    pieces : int
        ``K``.
    reduction : int
        ``R``; the hidden width is ``max(1, C // R)``.
    slope_range, offset_range : float
        :math:`\lambda_a, \lambda_b`.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``, and for ``(N, T, C)``, whose positions are the tokens:
        each then sees all others of its sample, also those that follow.

    Notes
    -----
    The first slope starts from 1, all else from 0: ReLU where the hyper-network gives 0, which its weights (torch's
    default) do not do exactly at the start.
    Variant C is a third of that where its attention logits are equal.
    Form after Chen et al., 2020; ``reduction=8`` and the attention (temperature 10) were not checked against the
    text of the paper.
    The attention multiplies ``a`` and ``b`` in third-party code; it is positive, so multiplying the output is the same.

    References
    ----------
    Chen et al., Dynamic ReLU, ECCV 2020, arXiv 2003.10027.

    Examples
    --------
    >>> DYReLU(8, "C")(torch.zeros(2, 8, 4, 4)).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(
        self,
        num_channels: int,
        variant: str = "B",
        pieces: int = 2,
        reduction: int = 8,
        slope_range: float = 1.0,
        offset_range: float = 0.5,
        channel_dim: int = 1,
    ):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        pieces = check_int("pieces", pieces, 1)
        reduction = check_int("reduction", reduction, 1)
        check_choice("variant", variant, ("A", "B", "C"))
        self.num_channels, self.variant, self.pieces = num_channels, variant, pieces
        self.slope_range, self.offset_range, self.channel_dim = slope_range, offset_range, check_axis(channel_dim)
        hidden = max(1, num_channels // reduction)
        self.fc1 = nn.Linear(num_channels, hidden)
        self.fc2 = nn.Linear(hidden, 2 * pieces * (1 if variant == "A" else num_channels))
        self.attention = nn.Conv2d(num_channels, 1, 1) if variant == "C" else None
        # The slopes without the hyper-network: 1, 0, ..., 0.
        self.register_buffer("first", torch.eye(pieces, 1), persistent=False)

    def lines(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets for every sample, ``(N, K, C)``, or ``(N, K, 1)`` in variant A."""
        theta = 2 * torch.sigmoid(self.fc2(torch.relu(self.fc1(channel_mean(x, self.channel_dim))))) - 1
        width = 1 if self.variant == "A" else self.num_channels
        slopes, offsets = theta.unflatten(1, (2, self.pieces, width)).unbind(1)
        return self.first + self.slope_range * slopes, self.offset_range * offsets

    def forward(self, x: Tensor) -> Tensor:
        if self.attention is None:
            check_samples(x, self.num_channels, "DYReLU", self.channel_dim)
            return dynamic_relu(x, *self.lines(x), channel_dim=self.channel_dim)
        check_image(x, self.num_channels, "DYReLU C", self.channel_dim)
        attention = spatial_attention(self.attention(channels_second(x, self.channel_dim)))
        y = dynamic_relu(x, *self.lines(x), channel_dim=self.channel_dim)
        return channels_back(attention, self.channel_dim) * y

    def extra_repr(self) -> str:
        return f"{self.num_channels}, variant={self.variant!r}, pieces={self.pieces}{shown(self.channel_dim)}"


class FReLU(nn.Module):
    r"""FReLU: the maximum of the input and a depthwise convolution of it, :func:`colu.functional.frelu`.

    .. math:: f(x) = \max(x, \mathrm{BN}(w * x + b))

    Parameters
    ----------
    num_channels : int
        Channels.
    kernel_size : int
        Odd number of pixels a side.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``.

    Notes
    -----
    Initial weights are torch's.

    References
    ----------
    Ma, Zhang and Sun, Funnel Activation for Visual Recognition, ECCV 2020, arXiv 2007.11824.

    Examples
    --------
    >>> FReLU(3)(torch.randn(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, num_channels: int, kernel_size: int = 3, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        kernel_size = check_int("kernel_size", kernel_size, 1)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size} is even and would shift the image; use an odd number")
        self.num_channels, self.channel_dim = num_channels, check_axis(channel_dim)
        self.conv = nn.Conv2d(num_channels, num_channels, kernel_size, padding=kernel_size // 2, groups=num_channels)
        self.bn = nn.BatchNorm2d(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        check_image(x, self.num_channels, "FReLU", self.channel_dim)
        condition = self.bn(self.conv(channels_second(x, self.channel_dim)))
        return frelu(x, channels_back(condition, self.channel_dim))


def _symmetry(module: DYReLU, channels: int) -> Symmetry:
    # The small network makes all slopes and offsets of the channels one after the other; in variant A, of none.
    made = {} if module.variant == "A" else {"fc2": (0, 2 * module.pieces)}
    return Symmetry("units", channels, carries=carried(module, {"fc1.weight": READS, "attention.weight": READS} | made))


def _dynamic(variant: str, parameters, formula: str) -> None:
    register(
        f"dy-relu-{variant.lower()}",
        functools.partial(DYReLU, variant=variant),
        r"\max_k (a^k x_c + b^k)" if variant == "A" else r"\max_k (a^k_c x_c + b^k_c)",
        citation="chen2020dyrelu",
        parameters=parameters,
        parameter_formula=formula + r",\ h = \max(1, \lfloor C/8 \rfloor)",
        symmetry=_symmetry,
        needs_channels=True,
        aliases=("dy-relu",) if variant == "B" else (),
        mixes_positions=True,
        unfit=PIXELS if variant == "C" else "",
    )


_dynamic("A", lambda channels: _hyper(channels, 4), "(C + 5)h + 4")
_dynamic("B", lambda channels: _hyper(channels, 4 * channels), "(5C + 1)h + 4C")
_dynamic("C", lambda channels: _hyper(channels, 4 * channels) + channels + 1, "(5C + 1)h + 5C + 1")


def _hyper(channels: int, outputs: int) -> int:
    hidden = max(1, channels // 8)
    return (channels + 1 + outputs) * hidden + outputs


register(
    "frelu",
    FReLU,
    r"\max(x, \mathrm{BN}(w * x + b))",
    citation="ma2020frelu",
    parameters=lambda channels: 12 * channels,
    parameter_formula="12C",
    symmetry=permutations(carries={"conv": 0, "bn": 0}),
    needs_channels=True,
    mixes_positions=True,
    notes="For images; initial weights torch's.",
    unfit=PIXELS,
)
