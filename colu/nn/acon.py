"""ACON as modules: A, B, C and Meta-ACON."""

import torch
from torch import Tensor, fx, nn

from colu.channels import along_channels, channel_mean, check_samples
from colu.checks import check_axis, check_choice, check_int
from colu.functional import acon_a, acon_b, acon_c

from ._facts import BATCH, READS, permutations, shown
from .registry import register
from .smooth import channel_parameter

__all__ = ["AconA", "AconB", "AconC", "MetaAcon"]

# One node each in a torch.fx graph: their checks of shapes cannot be traced.
for _name in ("acon_a", "acon_b", "acon_c", "along_channels", "channel_mean", "check_samples"):
    fx.wrap(_name)


class _FlatState(nn.Module):
    """Loads parameters of the official shapes ``(1, C, 1, 1)`` and ``(out, in, 1, 1)`` into ``(C,)`` and matrices."""

    def _load_from_state_dict(self, state_dict, prefix, *args):
        for name, own in self.state_dict().items():
            given = state_dict.get(prefix + name)
            if given is not None and given.dim() == 4 and own.dim() in (1, 2) and given.numel() == own.numel():
                state_dict[prefix + name] = given.reshape(own.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class _Acon(_FlatState):
    """Channels common to the three."""

    def __init__(self, num_channels: int, channel_dim: int):
        super().__init__()
        self.num_channels, self.channel_dim = check_int("num_channels", num_channels, 1), check_axis(channel_dim)

    def extra_repr(self) -> str:
        return f"{self.num_channels}{shown(self.channel_dim)}"


class AconA(_Acon):
    r"""ACON-A with one learnable ``beta`` a channel, :func:`colu.functional.acon_a`.

    .. math:: f(x) = x\,\sigma(\beta_c x)

    Parameters
    ----------
    num_channels : int
        Channels.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    ``beta`` starts at 1.

    Examples
    --------
    >>> AconA(3)(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, num_channels: int, channel_dim: int = 1):
        super().__init__(num_channels, channel_dim)
        self.beta = channel_parameter(1.0, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return acon_a(x, self.beta, channel_dim=self.channel_dim)


class AconB(_Acon):
    r"""ACON-B with learnable ``p`` and ``beta`` a channel, :func:`colu.functional.acon_b`.

    .. math:: f(x) &= d\,\sigma(\beta_c d) + p_c x, \\
              d &= (1 - p_c)\,x

    Parameters
    ----------
    num_channels : int
        Channels.
    p : float
        Initial slope; 0.25 is that of PReLU, the choice is ours.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Examples
    --------
    >>> AconB(3)(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, num_channels: int, p: float = 0.25, channel_dim: int = 1):
        super().__init__(num_channels, channel_dim)
        self.p = channel_parameter(p, num_channels)
        self.beta = channel_parameter(1.0, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return acon_b(x, self.p, self.beta, channel_dim=self.channel_dim)


class AconC(_Acon):
    r"""ACON-C with learnable slopes and ``beta`` a channel, :func:`colu.functional.acon_c`.

    .. math:: f(x) &= d\,\sigma(\beta d) + p_{2} x, \\
              d &= (p_{1} - p_{2})\,x

    Parameters
    ----------
    num_channels : int
        Channels.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    As the official code: :math:`p_1, p_2 \sim N(0, 1)` and ``beta`` 1.
    The parameters are ``(C,)`` here and ``(1, C, 1, 1)`` there; a state dict of theirs loads.

    References
    ----------
    Ma et al., 2021, arXiv 2009.04759, and its code.

    Examples
    --------
    >>> AconC(3)(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, num_channels: int, channel_dim: int = 1):
        super().__init__(num_channels, channel_dim)
        self.p1 = nn.Parameter(torch.randn(self.num_channels))
        self.p2 = nn.Parameter(torch.randn(self.num_channels))
        self.beta = channel_parameter(1.0, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return acon_c(x, self.p1, self.p2, self.beta, channel_dim=self.channel_dim)


class MetaAcon(_FlatState):
    r"""Meta-ACON: ACON-C whose ``beta`` is computed from the input.

    .. math:: \beta &= \begin{cases} \sigma(\mathrm{BN}_2(W_2 h + b_2)) & \text{channel} \\
              \sigma(\bar{\bar x}) & \text{layer} \\
              \sigma(x) & \text{pixel,} \end{cases} \\
              h &= \mathrm{BN}_1(W_1 \bar x + b_1)

    with :math:`\bar x` the mean over positions, :math:`\bar{\bar x}` that over channels too.

    Parameters
    ----------
    num_channels : int
        Channels.
    mode : {"channel", "layer", "pixel"}
        Of what ``beta`` is a function; the official code has the first alone.
    reduction : int
        ``r``; the hidden width is ``max(r, C // r)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``, and for ``(N, T, C)``, whose positions are the tokens:
        each then sees all others of its sample, also those that follow.

    Notes
    -----
    Channel mode as the official code: no nonlinearity between the two maps, biases, normalisation after each.
    In training its normalisation needs more than one sample.
    Layer and pixel modes are form after Ma et al., not checked against the text of the paper; the mean in place of
    a sum is ours, so that the sigmoid does not saturate.
    The argument of the sigmoid is clamped to [-30, 30].

    References
    ----------
    Ma et al., 2021, arXiv 2009.04759, and its code.

    Examples
    --------
    >>> MetaAcon(3)(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, num_channels: int, mode: str = "channel", reduction: int = 16, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        reduction = check_int("reduction", reduction, 1)
        check_choice("mode", mode, ("channel", "layer", "pixel"))
        self.num_channels, self.mode, self.channel_dim = num_channels, mode, check_axis(channel_dim)
        if mode == "channel":
            hidden = max(reduction, num_channels // reduction)
            self.fc1 = nn.Linear(num_channels, hidden)
            self.bn1 = nn.BatchNorm1d(hidden)
            self.fc2 = nn.Linear(hidden, num_channels)
            self.bn2 = nn.BatchNorm1d(num_channels)
        self.p1 = nn.Parameter(torch.randn(num_channels))
        self.p2 = nn.Parameter(torch.randn(num_channels))

    def beta(self, x: Tensor) -> Tensor:
        """The factor that the input gives, in a shape that broadcasts with it."""
        if self.mode == "pixel":
            logit = x
        elif self.mode == "layer":
            logit = along_channels(x.flatten(1).mean(1, keepdim=True), x, self.channel_dim)
        else:
            mean = channel_mean(x, self.channel_dim)
            logit = along_channels(self.bn2(self.fc2(self.bn1(self.fc1(mean)))), x, self.channel_dim)
        # A beta of exactly 0 times a huge input would give 0 times infinity in the gradient.
        return torch.sigmoid(logit.clamp(-30, 30))

    def forward(self, x: Tensor) -> Tensor:
        check_samples(x, self.num_channels, type(self).__name__, self.channel_dim)
        return acon_c(x, self.p1, self.p2, self.beta(x), channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, mode={self.mode!r}{shown(self.channel_dim)}"


def _meta_parameters(channels: int) -> int:
    hidden = max(16, channels // 16)
    return 2 * channels + (channels + 1) * hidden + (hidden + 1) * channels + 2 * (hidden + channels)


# Meta-ACON's small network reads and makes channels too.
_PARAMETERS = {"p": 0, "p1": 0, "p2": 0, "beta": 0, "fc1.weight": READS, "fc2": 0, "bn2": 0}
_ACON = dict(citation="ma2021acon", symmetry=permutations(carries=_PARAMETERS), needs_channels=True)
register(
    "acon-a",
    AconA,
    r"x\,\sigma(\beta x)",
    parameters=lambda channels: channels,
    parameter_formula="C",
    lipschitz=1.0998394,
    lipschitz_all=1.0998394,
    pointwise=True,
    **_ACON,
)
register(
    "acon-b",
    AconB,
    r"(1 - p)\,x\,\sigma(\beta(1 - p)x) + p x",
    parameters=lambda channels: 2 * channels,
    parameter_formula="2C",
    lipschitz=1.0748796,
    pointwise=True,
    notes="Initial slope ours.",
    **_ACON,
)
register(
    "acon-c",
    AconC,
    r"(p_1 - p_2)\,x\,\sigma(\beta(p_1 - p_2)x) + p_2 x",
    parameters=lambda channels: 3 * channels,
    parameter_formula="3C",
    pointwise=True,
    notes="Slopes are drawn, so its Lipschitz constant is too.",
    **_ACON,
)
register(
    "meta-acon-c",
    MetaAcon,
    r"d\,x\,\sigma(\beta(x)\,d\,x) + p_2 x,\ d = p_1 - p_2",
    parameters=_meta_parameters,
    parameter_formula=r"5C + 3h + 2Ch,\ h = \max(16, \lfloor C/16 \rfloor)",
    aliases=("meta-acon",),
    mixes_positions=True,
    unfit=BATCH,
    **_ACON,
)
