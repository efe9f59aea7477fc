"""Smooth activations as modules: Swish, Sqish, squared ReLU, Fourier, linear combinations."""

import torch
from torch import Tensor, fx, nn

from colu.checks import check_axis, check_int, check_number
from colu.functional import fourier, fourier_relu, linear_combination, sqish, squared_relu, swish

from ._facts import permutations, shown
from .registry import register

__all__ = ["FourierActivation", "LinearCombination", "Sqish", "SquaredReLU", "Swish"]

# One node each in a torch.fx graph: their checks of shapes cannot be traced.
for _name in ("fourier", "linear_combination", "sqish", "swish"):
    fx.wrap(_name)


def channel_parameter(value: float, num_channels: int | None) -> nn.Parameter:
    """A parameter filled with ``value``: 0-d, or ``(C,)`` where channels are given."""
    if num_channels is not None:
        num_channels = check_int("num_channels", num_channels, 1)
    return nn.Parameter(torch.full(() if num_channels is None else (num_channels,), float(value)))


def channels_shown(parameter: Tensor, channel_dim: int) -> str:
    """The text of a module that has one such parameter for all channels, or one for each."""
    return f"{len(parameter)}{shown(channel_dim)}" if parameter.dim() else ""


class Swish(nn.Module):
    r"""Swish with a learnable slope, :func:`colu.functional.swish`.

    .. math:: f(x) = x\,\sigma(\beta x)

    Parameters
    ----------
    num_channels : int, optional
        One ``beta`` a channel; one for all by default.
    beta : float
        Initial value.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    With a fixed ``beta = 1`` use ``torch.nn.SiLU``.

    Examples
    --------
    >>> Swish()(torch.tensor([0.0])).item()
    0.0
    """

    def __init__(self, num_channels: int | None = None, beta: float = 1.0, channel_dim: int = 1):
        super().__init__()
        self.channel_dim = check_axis(channel_dim)
        self.beta = channel_parameter(beta, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return swish(x, self.beta, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return channels_shown(self.beta, self.channel_dim)


class Sqish(nn.Module):
    r"""Sqish with learnable parameters, :func:`colu.functional.sqish`.

    .. math:: f(x) = \alpha x + \frac{(1 - \alpha)\,x}{\sqrt{1 + \beta e^{-2\gamma(1-\alpha)x}}}

    Parameters
    ----------
    num_channels : int, optional
        Parameters a channel; one of each for all by default.
    alpha, beta, gamma : float
        Initial values, ``beta`` positive.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    The initial values are ours; those of the paper were not found.
    Third-party code draws ``max(1, N(0, 1))`` for all three, which makes ``alpha >= 1`` and bends the wrong way.
    ``beta`` is learnt as its logarithm and so stays positive.

    Examples
    --------
    >>> round(Sqish()(torch.tensor([-100.0])).item(), 3)
    -25.0
    """

    def __init__(
        self,
        num_channels: int | None = None,
        alpha: float = 0.25,
        beta: float = 1.0,
        gamma: float = 1.0,
        channel_dim: int = 1,
    ):
        super().__init__()
        self.channel_dim = check_axis(channel_dim)
        beta = check_number("beta", beta, "use a positive number", gt=0)
        self.alpha = channel_parameter(alpha, num_channels)
        self.log_beta = channel_parameter(torch.tensor(float(beta)).log().item(), num_channels)
        self.gamma = channel_parameter(gamma, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return sqish(x, self.alpha, self.log_beta.exp(), self.gamma, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return channels_shown(self.alpha, self.channel_dim)


class SquaredReLU(nn.Module):
    r"""Squared ReLU, :func:`colu.functional.squared_relu`.

    .. math:: f(x) = \max(x, 0)^2

    Examples
    --------
    >>> SquaredReLU()(torch.tensor([-2.0, 3.0]))
    tensor([0., 9.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return squared_relu(x)


class FourierActivation(nn.Module):
    r"""A learnable trigonometric polynomial, one for all channels, :func:`colu.functional.fourier`.

    .. math:: f(x) = \frac{a_0}{2} & + \sum_{k=1}^{K} a_k \cos(k\omega x) \\
              & + \sum_{k=1}^{K} b_k \sin(k\omega x)

    Parameters
    ----------
    num_terms : int
        ``K``.
    frequency : float
        :math:`\omega`, the initial value where it is learnt; the period is :math:`2\pi/\omega`.
    learn_frequency : bool
        Whether :math:`\omega` is a parameter.

    Notes
    -----
    Form after Liao, 2020, arXiv 2004.13271; its inits were not found, ours are the Fourier coefficients of ReLU on one
    period.
    Outside that period the function repeats: keep inputs inside with a normalisation.

    Examples
    --------
    >>> FourierActivation()(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, num_terms: int = 5, frequency: float = torch.pi / 4, learn_frequency: bool = True):
        super().__init__()
        num_terms = check_int("num_terms", num_terms, 1)
        cosines, sines = fourier_relu(num_terms, frequency)
        self.cosines = nn.Parameter(cosines.to(torch.get_default_dtype()))
        self.sines = nn.Parameter(sines.to(torch.get_default_dtype()))
        self.frequency = nn.Parameter(torch.tensor(float(frequency)), requires_grad=learn_frequency)

    def forward(self, x: Tensor) -> Tensor:
        return fourier(x, self.cosines, self.sines, self.frequency)


class LinearCombination(nn.Module):
    r"""A learnable weighted sum of activations, :func:`colu.functional.linear_combination`.

    .. math:: f(x) = \sum_i \alpha_i f_i(x)

    Parameters
    ----------
    num_channels : int, optional
        Weights a channel; one set for all by default.
    functions : sequence of str or callable
        Names of ``colu.functional.smooth.STANDARD`` or callables.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    Form after Liao, 2020, arXiv 2004.13271; the list of functions and the initial weights ``1 / n`` are ours.

    Examples
    --------
    >>> LinearCombination(functions=("relu", "identity"))(torch.tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(
        self,
        num_channels: int | None = None,
        functions=("relu", "elu", "tanh", "sigmoid", "softplus"),
        channel_dim: int = 1,
    ):
        super().__init__()
        self.functions, self.channel_dim = tuple(functions), check_axis(channel_dim)
        shape = (len(self.functions),) if num_channels is None else (len(self.functions), num_channels)
        if num_channels is not None:
            num_channels = check_int("num_channels", num_channels, 1)
        if not self.functions:
            raise ValueError("functions=() is empty; name at least one")
        self.weights = nn.Parameter(torch.full(shape, 1 / len(self.functions)))
        linear_combination(torch.zeros(1, shape[-1]), self.weights.detach(), self.functions)

    def forward(self, x: Tensor) -> Tensor:
        return linear_combination(x, self.weights, self.functions, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"functions={self.functions}{shown(self.channel_dim)}"


# Most have one set of parameters for all channels, or where asked one a channel.
_PARAMETERS = {"beta": 0, "alpha": 0, "log_beta": 0, "gamma": 0, "weights": 1}
_SHARED = dict(symmetry=permutations(carries=_PARAMETERS), pointwise=True)
register(
    "swish",
    Swish,
    r"x\,\sigma(\beta x)",
    citation="ramachandran2017swish",
    parameters=lambda channels: 1,
    parameter_formula="1",
    lipschitz=1.0998394,
    lipschitz_all=1.0998394,
    **_SHARED,
)
register(
    "sqish",
    Sqish,
    r"\alpha x + (1 - \alpha) x / \sqrt{1 + \beta e^{-2\gamma(1 - \alpha)x}}",
    citation="biswas2023sqish",
    parameters=lambda channels: 3,
    parameter_formula="3",
    lipschitz=1.04,
    notes="Initial values ours.",
    **_SHARED,
)
register(
    "squared-relu",
    SquaredReLU,
    r"\max(x, 0)^2",
    citation="so2021primer",
    homogeneity="of degree 2",
    aliases=("relu2", "relu-squared"),
    **_SHARED,
)
register(
    "fourier",
    FourierActivation,
    r"\tfrac12 a_0 + \textstyle\sum_{k \le K} a_k \cos k\omega x + b_k \sin k\omega x",
    citation="trainable2020",
    parameters=lambda channels: 12,
    parameter_formula="2K + 2 = 12",
    lipschitz=5.033065,
    notes="Initial values ours.",
    **_SHARED,
)
register(
    "linear-combination",
    LinearCombination,
    r"\textstyle\sum_i \alpha_i f_i(x)",
    citation="trainable2020",
    parameters=lambda channels: 5,
    parameter_formula="n = 5",
    lipschitz=0.753,
    notes="Functions and initial values ours.",
    **_SHARED,
)
