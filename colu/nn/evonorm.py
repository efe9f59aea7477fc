"""EvoNorm layers: normalisation and activation in one."""

import torch
from torch import Tensor, nn

from colu.channels import check_channels, per_channel
from colu.checks import check_int, check_number
from colu.functional import evonorm_b0, evonorm_s0
from colu.geometry import Symmetry

from ._facts import BATCH, carried, permutations
from .registry import register

__all__ = ["EvoNormB0", "EvoNormS0"]


class _EvoNorm(nn.Module):
    def __init__(self, num_channels: int, eps: float):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        eps = check_number("eps", eps, "use a positive number", gt=0)
        self.num_channels, self.eps = num_channels, eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.v = nn.Parameter(torch.ones(num_channels))

    def affine(self, y: Tensor) -> Tensor:
        return per_channel(self.weight, y, "weight") * y + per_channel(self.bias, y, "bias")

    def extra_repr(self) -> str:
        return f"{self.num_channels}, eps={self.eps}"


class EvoNormB0(_EvoNorm):
    r"""EvoNorm-B0: :func:`colu.functional.evonorm_b0` and an affine map.

    .. math:: f(x) = \gamma\,\frac{x}{\max(s_b,\ v_1 x + s_i)} + \beta

    Parameters
    ----------
    num_channels : int
        Channels, in dimension 1 of ``(N, C, ...)``.
    momentum : float
        Weight of a new batch in the running variance that evaluation uses.
    eps : float
        Added to both variances.

    Notes
    -----
    The running variance is the biased one, so that a batch seen for ever gives the same output in both modes.

    References
    ----------
    Liu, Brock, Simonyan and Le, NeurIPS 2020, arXiv 2004.02967.

    Examples
    --------
    >>> EvoNormB0(3)(torch.randn(4, 3, 5, 5)).shape
    torch.Size([4, 3, 5, 5])
    """

    def __init__(self, num_channels: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__(num_channels, eps)
        momentum = check_number("momentum", momentum, "use a number in (0, 1]", gt=0, le=1)
        self.momentum = momentum
        self.register_buffer("running_variance", torch.ones(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.num_channels, "EvoNormB0")
        if not self.training or not x.numel():
            variance = self.running_variance
        else:
            others = [d for d in range(x.dim()) if d != 1]
            if x.numel() == self.num_channels:
                raise ValueError(f"one value a channel has no variance, shape {tuple(x.shape)}; give a larger batch")
            variance = x.var(others, correction=0)
            with torch.no_grad():
                self.running_variance.lerp_(variance.to(self.running_variance.dtype), self.momentum)
        return self.affine(evonorm_b0(x, variance.to(x.dtype), self.v, self.eps))


class EvoNormS0(_EvoNorm):
    r"""EvoNorm-S0: :func:`colu.functional.evonorm_s0` and an affine map; no sample sees another.

    .. math:: f(x) = \gamma\,\frac{x\,\sigma(v_1 x)}{s_g} + \beta

    Parameters
    ----------
    num_channels : int
        Channels, in dimension 1 of ``(N, C, ...)``.
    num_groups : int, optional
        Groups of neighbouring channels; 32, or fewer so that they divide the channels and hold two or more.
    eps : float
        Added to the variance.

    References
    ----------
    Liu, Brock, Simonyan and Le, NeurIPS 2020, arXiv 2004.02967.

    Examples
    --------
    >>> EvoNormS0(4, num_groups=2)(torch.randn(1, 4, 5, 5)).shape
    torch.Size([1, 4, 5, 5])
    """

    def __init__(self, num_channels: int, num_groups: int | None = None, eps: float = 1e-5):
        super().__init__(num_channels, eps)
        num_groups = _groups(num_channels) if num_groups is None else num_groups
        num_groups = check_int("num_groups", num_groups, 1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups={num_groups} does not divide {num_channels} channels; use a divisor")
        self.num_groups = num_groups

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.num_channels, "EvoNormS0")
        return self.affine(evonorm_s0(x, self.num_groups, self.v, self.eps))

    def extra_repr(self) -> str:
        return f"{self.num_channels}, num_groups={self.num_groups}, eps={self.eps}"


def _groups(channels: int) -> int:
    return next((groups for groups in range(min(32, channels // 2), 0, -1) if channels % groups == 0), 1)


_CARRIED = {"weight": 0, "bias": 0, "v": 0, "running_variance": 0}


def _grouped(module: EvoNormS0, channels: int) -> Symmetry:
    return Symmetry("units", channels, blocks=module.num_groups, carries=carried(module, _CARRIED))


_EVONORM = dict(
    citation="liu2020evonorm",
    parameters=lambda channels: 3 * channels,
    parameter_formula="3C",
    needs_channels=True,
)
register(
    "evonorm-b0",
    EvoNormB0,
    r"\gamma\,\frac{x}{\max(s_b,\ v_1 x + s_i)} + \beta",
    symmetry=permutations(carries=_CARRIED),
    notes="Normalises over the batch; no activation is written, yet it is not linear.",
    unfit=BATCH,
    **_EVONORM,
)
register(
    "evonorm-s0",
    EvoNormS0,
    r"\gamma\,\frac{x\,\sigma(v_1 x)}{s_g} + \beta",
    symmetry=_grouped,
    notes="Normalises over groups of channels.",
    **_EVONORM,
)
