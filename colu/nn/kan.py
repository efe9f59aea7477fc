"""Layers of Kolmogorov-Arnold networks: GR-KAN and AF-KAN."""

import math

import torch
from torch import Tensor, nn

from colu.checks import check_choice, check_int

from .gain import second_moment_ratio
from .rational import GroupRational, _groups
from .registry import register

__all__ = ["AFKANLinear", "GRKANLinear"]


class GRKANLinear(nn.Module):
    r"""GR-KAN layer: a grouped rational activation, then a linear map that keeps the variance.

    .. math:: f(x) &= W\,F(x) + b, \\
              W_{ij} &\sim N\!\left(0, \frac{1}{d\ \mathbb E F(z)^2}\right), \\
              z &\sim N(0, 1)

    Parameters
    ----------
    in_features : int
        ``d`` of ``(..., d)``.
    out_features : int, optional
        As many as go in if not given.
    **options
        Of :class:`colu.nn.GroupRational`, whose channels are the last dimension here.

    References
    ----------
    Yang and Wang, Kolmogorov-Arnold Transformer, ICLR 2025, arXiv 2409.10594 (abstract and introduction); the form is a
    code audit of github.com/Adamdad/rational_kat_cu.

    Examples
    --------
    >>> GRKANLinear(16, 4)(torch.zeros(2, 16)).shape
    torch.Size([2, 4])
    """

    def __init__(self, in_features: int, out_features: int | None = None, **options):
        super().__init__()
        out_features = in_features if out_features is None else out_features
        in_features = check_int("in_features", in_features, 1)
        out_features = check_int("out_features", out_features, 1)
        # A linear map acts on the last dimension, so what stands before it does too.
        self.activation = GroupRational(in_features, channel_dim=-1, **options)
        self.linear = nn.Linear(in_features, out_features)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight so that unit Gaussian input gives outputs of second moment one."""
        with torch.no_grad():
            # The same function in every group at the start: one channel tells the moment.
            probe = GroupRational(1, 1, self.activation.init, self.activation.version)
            moment = second_moment_ratio(probe, 1)
        nn.init.normal_(self.linear.weight, std=1 / math.sqrt(self.linear.in_features * moment))
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.activation(x))


class AFKANLinear(nn.Module):
    r"""AF-KAN layer: bumps on a grid made of an activation, normalised, weighed by attention, then a linear map.

    .. math:: \phi_{ji}(x) &= \left(F(x_j - s_{ji})\,F(e_{ji} - x_j)\right)^2, \\
              z_j &= \sum_i \alpha_i \frac{\phi_{ji}}{r}, \\
              f(x) &= W\,F(\mathrm{LN}(z)) + b

    with F = SiLU, :math:`s_{ji} = i / g`, :math:`e_{ji} = s_{ji} + (k + 1)/g` for :math:`i = -k, \dots, g - 1`.

    Parameters
    ----------
    in_features : int
        ``d`` of ``(..., d)``.
    out_features : int, optional
        As many as go in if not given.
    grid, order : int
        ``g`` and ``k``.
    normalisation : {"sample", "batch"}
        Whether ``r`` is the root mean square of the bumps of one sample (of one token, where there are tokens), or of
        the whole batch's.
        The public code scales by the range of the whole batch, so that a prediction depends on what else is in it.

    Notes
    -----
    Form after Ta and Tran, 2025.
    The attention is ours: :math:`\alpha` is the softmax over ``i`` of :math:`\sum_j a_j \phi_{ji} / (r \sqrt d)`.
    The published layers also make convolutions and attention that they do not use, which inflates their counts.

    References
    ----------
    Ta and Tran, AF-KAN, arXiv 2503.06112 (abstract); the form is a code audit of github.com/hoangthangta/All-KAN.

    Examples
    --------
    >>> AFKANLinear(8, 4)(torch.zeros(2, 8)).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int | None = None,
        grid: int = 3,
        order: int = 3,
        normalisation: str = "sample",
    ):
        super().__init__()
        out_features = in_features if out_features is None else out_features
        in_features = check_int("in_features", in_features, 1)
        out_features = check_int("out_features", out_features, 1)
        grid = check_int("grid", grid, 1)
        order = check_int("order", order, 0)
        check_choice("normalisation", normalisation, ("sample", "batch"))
        self.in_features, self.normalisation = in_features, normalisation
        starts = torch.arange(-order, grid) / grid
        self.start = nn.Parameter(starts.repeat(in_features, 1))
        self.end = nn.Parameter(self.start.detach() + (order + 1) / grid)
        self.attention = nn.Parameter(torch.zeros(in_features))
        self.norm = nn.LayerNorm(in_features)
        self.linear = nn.Linear(in_features, out_features)
        nn.init.kaiming_uniform_(self.linear.weight)

    def bumps(self, x: Tensor) -> Tensor:
        """The normalised bumps, ``(..., d, g + k)``."""
        x = x.unsqueeze(-1)
        raw = (nn.functional.silu(x - self.start) * nn.functional.silu(self.end - x)).square()
        over = (-2, -1) if self.normalisation == "sample" else tuple(range(raw.dim()))
        # The largest first, so that no square over- or underflows; far from the grid all bumps fade to 0.
        floor = torch.finfo(raw.dtype).eps
        largest = raw.detach().amax(over, keepdim=True).clamp(min=floor) if raw.numel() else 1
        raw = raw / largest
        return raw / (raw.square().mean(over, keepdim=True) + floor).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.shape[-1] != self.in_features:
            raise ValueError(f"AFKANLinear wants (N, ..., {self.in_features}), got shape {tuple(x.shape)}")
        bumps = self.bumps(x)
        score = torch.einsum("j,...ji->...i", self.attention, bumps) / math.sqrt(self.in_features)
        pooled = torch.einsum("...i,...ji->...j", score.softmax(-1), bumps)
        return self.linear(nn.functional.silu(self.norm(pooled)))

    def extra_repr(self) -> str:
        return f"normalisation={self.normalisation!r}"


register(
    "gr-kan",
    GRKANLinear,
    r"W\,F(x) + b,\ F \text{ rational a group}",
    citation="yang2024kat",
    parameters=lambda channels: 6 + 4 * _groups(channels) + channels * (channels + 1),
    parameter_formula=r"6 + 4G + C(C + 1),\ G \le 8",
    needs_channels=True,
    kind="layer",
)
register(
    "af-kan",
    AFKANLinear,
    r"W\,F(\mathrm{LN}(\sum_i \alpha_i \phi_i(x))) + b",
    citation="ta2025afkan",
    parameters=lambda channels: 12 * channels + 3 * channels + channels * (channels + 1),
    parameter_formula="C(C + 16)",
    needs_channels=True,
    kind="layer",
    notes="Normalised a sample; the published normalisation, over the batch, is an option.",
)
