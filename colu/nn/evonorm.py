"""EvoNorm layers: normalisation and activation in one."""

import torch
from torch import Tensor, nn

from colu.channels import check_samples, per_channel
from colu.checks import check_axis, check_int, check_number
from colu.functional import evonorm_b0, evonorm_s0
from colu.geometry import Symmetry

from ._facts import BATCH, carried, permutations, shown
from .registry import register

__all__ = ["EvoNormB0", "EvoNormS0"]


class _EvoNorm(nn.Module):
    def __init__(self, num_channels: int, eps: float, channel_dim: int):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        eps = check_number("eps", eps, "use a positive number", gt=0)
        self.num_channels, self.eps, self.channel_dim = num_channels, eps, check_axis(channel_dim)
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.v = nn.Parameter(torch.ones(num_channels))

    def affine(self, y: Tensor) -> Tensor:
        weight, bias = (per_channel(getattr(self, name), y, name, self.channel_dim) for name in ("weight", "bias"))
        return weight * y + bias

    def extra_repr(self) -> str:
        return f"{self.num_channels}, eps={self.eps}{shown(self.channel_dim)}"


class EvoNormB0(_EvoNorm):
    r"""EvoNorm-B0: :func:`colu.functional.evonorm_b0` and an affine map.

    .. math:: f(x) = \gamma\,\frac{x}{\max(s_b,\ v_1 x + s_i)} + \beta

    Parameters
    ----------
    num_channels : int
        Channels.
    momentum : float
        Weight of a new batch in the running variance that evaluation uses.
    eps : float
        Added to both variances; timm has 1e-3 here and 1e-5 in S0, where we have one value for both layers.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``, and for ``(N, T, C)``, whose positions are the tokens:
        each then sees all others of its sample, also those that follow.

    Notes
    -----
    The running variance is the biased one, so that a batch seen for ever gives the same output in both modes; timm's is
    the unbiased one.
    Names of parameters and buffers are timm's, whose checkpoints load; give their ``eps=1e-3`` for the same outputs.
    State dicts of ours from before, with ``running_variance``, load too.

    References
    ----------
    Liu, Brock, Simonyan and Le, NeurIPS 2020, arXiv 2004.02967.

    Examples
    --------
    >>> EvoNormB0(3)(torch.randn(4, 3, 5, 5)).shape
    torch.Size([4, 3, 5, 5])
    """

    def __init__(self, num_channels: int, momentum: float = 0.1, eps: float = 1e-5, channel_dim: int = 1):
        super().__init__(num_channels, eps, channel_dim)
        momentum = check_number("momentum", momentum, "use a number in (0, 1]", gt=0, le=1)
        self.momentum = momentum
        self.register_buffer("running_var", torch.ones(num_channels))

    def _load_from_state_dict(self, state_dict, prefix, *args):
        if prefix + "running_variance" in state_dict:
            state_dict[prefix + "running_var"] = state_dict.pop(prefix + "running_variance")
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        place = check_samples(x, self.num_channels, "EvoNormB0", self.channel_dim)
        if not self.training or not x.numel():
            variance = self.running_var
        else:
            others = [d for d in range(x.dim()) if d != place]
            if x.numel() == self.num_channels:
                raise ValueError(f"one value a channel has no variance, shape {tuple(x.shape)}; give a larger batch")
            variance = x.var(others, correction=0)
            with torch.no_grad():
                self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
        return self.affine(evonorm_b0(x, variance.to(x.dtype), self.v, self.eps, channel_dim=place))


class EvoNormS0(_EvoNorm):
    r"""EvoNorm-S0: :func:`colu.functional.evonorm_s0` and an affine map; no sample sees another.

    .. math:: f(x) = \gamma\,\frac{x\,\sigma(v_1 x)}{s_g} + \beta

    Parameters
    ----------
    num_channels : int
        Channels.
    num_groups : int, optional
        Groups of neighbouring channels; 32, or fewer so that they divide the channels and hold two or more.
    eps : float
        Added to the variance.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``, and for ``(N, T, C)``, whose positions are the tokens:
        each then sees all others of its sample, also those that follow.

    References
    ----------
    Liu, Brock, Simonyan and Le, NeurIPS 2020, arXiv 2004.02967.

    Examples
    --------
    >>> EvoNormS0(4, num_groups=2)(torch.randn(1, 4, 5, 5)).shape
    torch.Size([1, 4, 5, 5])
    """

    def __init__(self, num_channels: int, num_groups: int | None = None, eps: float = 1e-5, channel_dim: int = 1):
        super().__init__(num_channels, eps, channel_dim)
        num_groups = _groups(num_channels) if num_groups is None else num_groups
        num_groups = check_int("num_groups", num_groups, 1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups={num_groups} does not divide {num_channels} channels; use a divisor")
        self.num_groups = num_groups

    def forward(self, x: Tensor) -> Tensor:
        place = check_samples(x, self.num_channels, "EvoNormS0", self.channel_dim)
        return self.affine(evonorm_s0(x, self.num_groups, self.v, self.eps, channel_dim=place))

    def extra_repr(self) -> str:
        return f"{self.num_channels}, num_groups={self.num_groups}, eps={self.eps}{shown(self.channel_dim)}"


def _groups(channels: int) -> int:
    return next((groups for groups in range(min(32, channels // 2), 0, -1) if channels % groups == 0), 1)


_CARRIED = {"weight": 0, "bias": 0, "v": 0, "running_var": 0}


def _grouped(module: EvoNormS0, channels: int) -> Symmetry:
    return Symmetry("units", channels, blocks=module.num_groups, carries=carried(module, _CARRIED))


_EVONORM = dict(
    citation="liu2020evonorm",
    parameters=lambda channels: 3 * channels,
    parameter_formula="3C",
    needs_channels=True,
    mixes_positions=True,
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
