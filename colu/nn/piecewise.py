"""Activations in pieces as modules: PReLU, TaLU, APALU, PWLU, maxout."""

import torch
from torch import Tensor, fx, nn

from colu.channels import check_channels
from colu.checks import check_axis, check_int, check_number
from colu.functional import apalu, maxout, prelu, pwlu, talu
from colu.geometry import Symmetry

from ._facts import CHANNELS, permutations, shown
from .registry import register, register_symmetry
from .smooth import channel_parameter, channels_shown

__all__ = ["APALU", "PWLU", "Maxout", "PReLU", "TaLU"]

# One node each in a torch.fx graph: their checks of shapes cannot be traced.
for _name in ("apalu", "check_channels", "maxout", "prelu", "pwlu"):
    fx.wrap(_name)


class PReLU(nn.PReLU):
    r"""PReLU, :func:`colu.functional.prelu`: torch's, with a choice where the channels are.

    .. math:: f(x) = \max(x, 0) + a_c \min(x, 0)

    Parameters
    ----------
    num_channels : int
        Slopes; 1 for all channels together.
    init : float
        Their value at the start.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    The key of its state dict is torch's, ``weight``.

    References
    ----------
    He, Zhang, Ren and Sun, Delving Deep into Rectifiers, ICCV 2015, arXiv 1502.01852, equation 1.

    Examples
    --------
    >>> PReLU(3, channel_dim=-1)(-torch.ones(1, 1, 3)).tolist()
    [[[-0.25, -0.25, -0.25]]]
    """

    def __init__(self, num_channels: int = 1, init: float = 0.25, channel_dim: int = 1):
        super().__init__(check_int("num_channels", num_channels, 1), init)
        self.channel_dim = check_axis(channel_dim)

    def forward(self, x: Tensor) -> Tensor:
        return prelu(x, self.weight, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}{shown(self.channel_dim)}"


class TaLU(nn.Module):
    r"""TaLU, :func:`colu.functional.talu`.

    .. math:: f(x) = \begin{cases} x & x > 0 \\ \tanh x & \lambda < x \le 0 \\ \tanh\lambda & x \le \lambda \end{cases}

    Parameters
    ----------
    threshold : float
        :math:`\lambda < 0`.

    Examples
    --------
    >>> TaLU()(torch.tensor([-3.0, 2.0]))
    tensor([-0.4621,  2.0000])
    """

    def __init__(self, threshold: float = -0.5):
        super().__init__()
        threshold = check_number("threshold", threshold, "use a negative number", lt=0)
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return talu(x, self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"


class APALU(nn.Module):
    r"""APALU with learnable scales, :func:`colu.functional.apalu`.

    .. math:: f(x) = \begin{cases} a\,(x + x\,\sigma(1.702 x)) & x \ge 0 \\ b\,(e^x - 1) & x < 0 \end{cases}

    Parameters
    ----------
    num_channels : int, optional
        Scales a channel; one pair for all by default.
    a, b : float
        Initial values; the defaults are from a comment in third-party code.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Examples
    --------
    >>> APALU()(torch.tensor([0.0])).item()
    0.0
    """

    def __init__(self, num_channels: int | None = None, a: float = 0.55, b: float = 0.065, channel_dim: int = 1):
        super().__init__()
        self.channel_dim = check_axis(channel_dim)
        self.a = channel_parameter(a, num_channels)
        self.b = channel_parameter(b, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return apalu(x, self.a, self.b, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return channels_shown(self.a, self.channel_dim)


class PWLU(nn.Module):
    r"""PWLU: a learnable piecewise-linear function a channel, :func:`colu.functional.pwlu`.

    Parameters
    ----------
    num_channels : int
        Channels.
    num_intervals : int
        ``N``, even: zero is a knot, so that the function starts as ReLU exactly.
    bound : float
        The grid covers ``[-bound, bound]`` until it is realigned.
    observe : bool
        Whether to begin with the first of the two phases below.
    momentum : float
        Smallest weight of a new batch in the statistics; before that the batches weigh the same.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    Two phases.
    While ``observing``, the module is ReLU and follows mean and deviation of its input a channel (in training mode).
    :meth:`realign` sets the grid to :math:`\mu \pm 3\sigma` with the values of ReLU and its slopes at the ends,
    and ends that phase.
    A grid without zero has no place for ReLU's kink: the function is then linear, :math:`x` or 0, also beyond zero.
    The phase is part of the state dict.

    Form after Zhou, Zhu and Zhong, ICCV 2021, arXiv 2104.03693 (abstract): ``N + 5`` parameters a channel, 16 intervals
    and the two phases are as cited by github.com/MrGoriay/pwlu-pytorch, which takes 0.1 for the weight of a new batch.

    Examples
    --------
    >>> net = PWLU(1, observe=True)
    >>> _ = net(torch.tensor([[1.0], [3.0]]))
    >>> net.realign()
    >>> net.left.item(), net.right.item()
    (-1.0, 5.0)
    """

    def __init__(
        self,
        num_channels: int,
        num_intervals: int = 16,
        bound: float = 3.0,
        observe: bool = False,
        momentum: float = 0.1,
        channel_dim: int = 1,
    ):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        num_intervals = check_int("num_intervals", num_intervals, 2)
        if num_intervals % 2:
            raise ValueError(f"num_intervals={num_intervals} is odd and zero would be no knot; use an even number")
        bound = check_number("bound", bound, "use a positive number", gt=0)
        momentum = check_number("momentum", momentum, "use a number in (0, 1]", gt=0, le=1)
        self.num_channels, self.num_intervals, self.momentum = num_channels, num_intervals, momentum
        self.channel_dim = check_axis(channel_dim)
        self.left = channel_parameter(-bound, num_channels)
        self.right = channel_parameter(bound, num_channels)
        self.values = nn.Parameter(torch.empty(num_channels, num_intervals + 1))
        self.slope_left = channel_parameter(0.0, num_channels)
        self.slope_right = channel_parameter(1.0, num_channels)
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.register_buffer("num_batches", torch.tensor(0))
        self.register_buffer("phase", torch.tensor(0 if observe else 1))
        # The buffer is what is saved; a Python bool is what a compiled graph may branch on.
        self.observing = observe
        self._relu_values()

    @torch.no_grad()
    def _relu_values(self) -> None:
        share = torch.linspace(0, 1, self.num_intervals + 1, dtype=self.left.dtype, device=self.left.device)
        knots = self.left[:, None] + share * (self.right - self.left)[:, None]
        self.values.copy_(knots.clamp(min=0))
        # ReLU's own slopes at the ends: both 1 or both 0 where zero is outside the grid.
        self.slope_left.copy_(self.left > 0)
        self.slope_right.copy_(self.right > 0)

    @torch.no_grad()
    def _observe(self, x: Tensor, place: int) -> None:
        if x.numel() == 0:
            return
        dims = [d for d in range(x.dim()) if d != place]
        var, mean = torch.var_mean(x, dims, correction=0)
        self.num_batches += 1
        weight = (1 / self.num_batches).clamp(min=self.momentum).to(mean)
        gap = mean - self.running_mean
        # Pooled variance, so that equal batches give the variance of all of them together.
        self.running_var.lerp_(var, weight).add_(weight * (1 - weight) * gap.square())
        self.running_mean.add_(weight * gap)

    @torch.no_grad()
    def realign(self) -> None:
        r"""Set the grid to :math:`\mu \pm 3\sigma` with values and outer slopes of ReLU and end the observing phase.

        Raises
        ------
        ValueError
            No batch was observed.
        """
        if not self.num_batches:
            raise ValueError("num_batches=0: nothing was observed; run training batches with observe=True first")
        reach = (3 * self.running_var.sqrt()).clamp(min=1e-3)
        self.left.copy_(self.running_mean - reach)
        self.right.copy_(self.running_mean + reach)
        self._relu_values()
        self.phase.fill_(1)
        self.observing = False

    def _load_from_state_dict(self, *args):
        super()._load_from_state_dict(*args)
        self.observing = not bool(self.phase)

    def forward(self, x: Tensor) -> Tensor:
        if self.observing:
            place = check_channels(x, self.num_channels, "PWLU", self.channel_dim)
            if self.training:
                self._observe(x, place)
            return torch.relu(x)
        parameters = self.left, self.right, self.values, self.slope_left, self.slope_right
        return pwlu(x, *parameters, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        options = f"num_intervals={self.num_intervals}, observing={self.observing}"
        return f"{self.num_channels}, {options}{shown(self.channel_dim)}"


class Maxout(nn.Module):
    r"""The maximum over groups of neighbouring channels, :func:`colu.functional.maxout`.

    .. math:: y_c = \max_{0 \le k < K} x_{Kc + k}

    Parameters
    ----------
    pieces : int
        ``K``; the output has ``C / K`` channels.
    channel_dim : int
        Dimension of the channels.

    Examples
    --------
    >>> Maxout(2)(torch.tensor([[1.0, 2.0, 5.0, 3.0]]))
    tensor([[2., 5.]])
    """

    def __init__(self, pieces: int = 2, channel_dim: int = 1):
        super().__init__()
        pieces = check_int("pieces", pieces, 1)
        self.pieces, self.channel_dim = pieces, check_axis(channel_dim)

    def forward(self, x: Tensor) -> Tensor:
        return maxout(x, self.pieces, self.channel_dim)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}, channel_dim={self.channel_dim}"


_SLOPES = permutations(scales=True, carries={"weight": 0})
_GRID = dict.fromkeys(("left", "right", "values", "slope_left", "slope_right", "running_mean", "running_var"), 0)
register(
    "talu",
    TaLU,
    r"x\ (x > 0),\ \tanh\max(x, \lambda)\ (x \le 0)",
    citation="hasan2023talu",
    symmetry=permutations(),
    lipschitz=1.0,
    pointwise=True,
)
register(
    "apalu",
    APALU,
    r"a x_+(1 + \sigma(1.702 x)) + b(e^{\min(x, 0)} - 1)",
    citation="subramanian2024apalu",
    parameters=lambda channels: 2,
    parameter_formula="2",
    symmetry=permutations(carries={"a": 0, "b": 0}),
    lipschitz=1.1549117,
    pointwise=True,
    notes="Has a kink at 0 unless b = 1.5a.",
)
register(
    "pwlu",
    PWLU,
    r"Y_k + (Y_{k+1} - Y_k)(x - B_k) / (B_{k+1} - B_k)",
    citation="zhou2021pwlu",
    parameters=lambda channels: 21 * channels,
    parameter_formula="(N + 5) C = 21C",
    symmetry=permutations(carries=_GRID),
    lipschitz=1.0,
    pointwise=True,
    needs_channels=True,
    notes="Starts as ReLU.",
)
register(
    "prelu",
    PReLU,
    r"\max(x, 0) + a_c \min(x, 0)",
    citation="he2015init",
    parameters=lambda channels: channels,
    parameter_formula="C",
    symmetry=_SLOPES,
    homogeneity="positive",
    lipschitz=1.0,
    pointwise=True,
    needs_channels=True,
)
register_symmetry(nn.PReLU, _SLOPES)
register(
    "maxout",
    Maxout,
    r"\max_{0 \le k < K} x_{Kc + k}",
    citation="goodfellow2013maxout",
    symmetry=lambda module, channels: Symmetry("units", channels, dim=module.pieces, scales=True, output="units"),
    homogeneity="positive",
    lipschitz=1.0,
    notes="The output has C/K channels; their order inside a unit does not matter.",
    unfit=CHANNELS,
)
