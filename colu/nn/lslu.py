"""Series activations as modules: LSLU as published, LSLU corrected, and the series of VanillaNet."""

import copy

import torch
from torch import Tensor, fx, nn

from colu.channels import channels_back, channels_second
from colu.checks import check_axis, check_int
from colu.functional import depthwise, fold_batch_norm, lslu, lslu_chain
from colu.geometry import Symmetry

from ._facts import PIXELS, carried, permutations, shown
from .registry import register

__all__ = ["LSLU", "LSLUAsPublished", "SeriesActivation"]

# One node each in a torch.fx graph: their checks of shapes cannot be traced.
for _name in ("depthwise", "lslu", "lslu_chain"):
    fx.wrap(_name)


def _kernel(num_channels: int, radius: int) -> nn.Parameter:
    size = 2 * radius + 1
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(num_channels, 1, size, size), std=0.02))


def _normalised(y: Tensor, bn: nn.BatchNorm2d, channel_dim: int) -> Tensor:
    return channels_back(bn(channels_second(y, channel_dim)), channel_dim)


class _Series(nn.Module):
    """A map, a depthwise convolution, and batch normalisation that folds into it."""

    def __init__(self, num_channels: int, radius: int, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        radius = check_int("radius", radius, 0)
        self.num_channels, self.radius, self.channel_dim = num_channels, radius, check_axis(channel_dim)
        self.weight = _kernel(num_channels, radius)
        self.bn = nn.BatchNorm2d(num_channels, eps=1e-6)
        self.register_parameter("bias", None)

    @property
    def deployed(self) -> bool:
        """Whether the normalisation is in the convolution."""
        return self.bias is not None

    def fold(self) -> "_Series":
        """A copy in deploy form: running statistics, scale and shift are in the weight and bias of the convolution.

        Raises
        ------
        ValueError
            A module that is in deploy form already.
        """
        if self.deployed:
            raise ValueError(f"{type(self).__name__} is in deploy form already; fold it once")
        folded = copy.deepcopy(self)
        bn = self.bn
        with torch.no_grad():
            weight, bias = fold_batch_norm(self.weight, bn.running_mean, bn.running_var, bn.weight, bn.bias, bn.eps)
        folded.weight, folded.bias = nn.Parameter(weight), nn.Parameter(bias)
        del folded.bn
        return folded

    def _series(self, x: Tensor) -> Tensor:
        y = depthwise(x, self.weight, self.bias, channel_dim=self.channel_dim)
        return y if self.deployed else _normalised(y, self.bn, self.channel_dim)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, radius={self.radius}, deployed={self.deployed}{shown(self.channel_dim)}"


class SeriesActivation(_Series):
    r"""VanillaNet's series activation: ReLU, depthwise convolution, batch normalisation.

    .. math:: f(x) &= \mathrm{BN}(z), \\
              z_{h,w,c} &= \sum_{i,j=-n}^{n} a_{i,j,c} \max(x_{h+i,w+j,c}, 0)

    Parameters
    ----------
    num_channels : int
        Channels.
    radius : int
        ``n``; the kernel has ``2n + 1`` pixels a side.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``.

    Notes
    -----
    ``fold`` gives the same function of evaluation mode without the normalisation, exactly.
    Weights are truncated normal of deviation 0.02, as in the official code; names of parameters too.

    References
    ----------
    Chen, Wang, Guo and Tao, VanillaNet, 2023, arXiv 2305.12972.

    Examples
    --------
    >>> net = SeriesActivation(4, radius=1).eval()
    >>> x = torch.ones(1, 4, 5, 5)
    >>> torch.allclose(net(x), net.fold()(x), atol=1e-6)
    True
    """

    def __init__(self, num_channels: int, radius: int = 3, channel_dim: int = 1):
        super().__init__(num_channels, radius, channel_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self._series(torch.relu(x))


class LSLU(nn.Module):
    r"""LSLU corrected: a learnable piecewise-linear function a channel, :func:`colu.functional.lslu`.

    .. math:: f(x)_c = \sum_{i=1}^{n} \theta_{i,c} \max(x_c + \omega_{i,c}, 0)

    Parameters
    ----------
    num_channels : int
        Channels.
    num_terms : int
        ``n``, at least 1.
    radius : int, optional
        Where given, depthwise convolution of ``2 radius + 1`` pixels and batch normalisation follow, as in the
        published code, for ``(N, C, H, W)`` alone (or ``(N, H, W, C)``).
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Notes
    -----
    The initial values are ours: the first term is ReLU, the others have amplitude 0 and offsets spread evenly over
    [-1, 1].
    Amplitudes all 1 and offsets all 0, as published, would give every term the same gradient for ever.
    ``fold`` keeps every amplitude and offset and folds the normalisation alone, so it is exact.

    References
    ----------
    Our correction of Feng et al., 2024, arXiv 2409.08283; see :class:`LSLUAsPublished`.

    Examples
    --------
    >>> LSLU(2)(torch.tensor([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, num_channels: int, num_terms: int = 3, radius: int | None = None, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        num_terms = check_int("num_terms", num_terms, 1)
        self.num_channels, self.channel_dim = num_channels, check_axis(channel_dim)
        theta, omega = torch.zeros(num_terms, num_channels), torch.zeros(num_terms, num_channels)
        theta[0] = 1.0
        if num_terms == 2:
            omega[1] = 1.0
        else:
            omega[1:] = torch.linspace(-1, 1, num_terms - 1)[:, None]
        self.theta, self.omega = nn.Parameter(theta), nn.Parameter(omega)
        self.series = None if radius is None else _Series(num_channels, radius, channel_dim)

    def fold(self) -> "LSLU":
        """A copy in deploy form, the same function as this one in evaluation mode.

        Raises
        ------
        ValueError
            A module that is in deploy form already.
        """
        folded = copy.deepcopy(self).eval()
        if self.series is not None:
            folded.series = self.series.fold()
        return folded

    def forward(self, x: Tensor) -> Tensor:
        y = lslu(x, self.theta, self.omega, channel_dim=self.channel_dim)
        return y if self.series is None else self.series._series(y)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, num_terms={len(self.theta)}{shown(self.channel_dim)}"


class LSLUAsPublished(nn.Module):
    r"""LSLU as its public code computes it, flaws included: for the audit, not for use.

    Training, with :math:`\theta, \omega` the first ``n`` entries of ``alphas`` and ``biases``:

    .. math:: x &\leftarrow \theta_i \max(x, 0) + \omega_i, \ i = 1, \dots, n; \\
              f &= \mathrm{BN}(a * \max(x, 0))

    Deployed, with :math:`a', b'` the kernel and bias after folding:

    .. math:: f_c = (\theta_c\, a'_c) * \max(x_c, 0) + b'_c

    Parameters
    ----------
    num_channels : int
        Channels of ``(N, C, H, W)``, at least ``num_terms``.
    num_terms : int
        ``n``: steps of the chain, and radius of the kernel.
    channel_dim : int
        Position of the channels; -1 for ``(N, H, W, C)``.

    Raises
    ------
    ValueError
        Fewer channels than terms (the public code stops with an ``IndexError`` in its first forward pass).

    Notes
    -----
    What is wrong with it, each held by a test:

    1. The deployed form runs one ReLU where training ran the chain.
    2. The deployed form multiplies the kernel of *channel* c by :math:`\theta_c`; training multiplies every channel
       by the :math:`\theta_i` of *step* i.
    3. The deployed form never uses :math:`\omega`.
    4. :math:`\theta` multiplies a kernel whose normalisation has seen its scale already: it counts twice.
    5. ``alphas`` and ``biases`` have one entry a channel, but only the first ``n`` get a gradient.
    6. Fewer channels than steps cannot run.
    7. With positive :math:`\theta` the chain has one kink: it is one shifted and scaled ReLU, no series.

    So training and deployed form agree only at the initial values :math:`\theta = 1, \omega = 0`.
    The folding of the normalisation itself is right.
    Names and shapes of the parameters are those of the public code.

    References
    ----------
    A code audit: ``LSLU.py`` of Feng et al., 2024, arXiv 2409.08283, whose text could not be read beyond its abstract.

    Examples
    --------
    >>> net = LSLUAsPublished(4).eval()
    >>> x = torch.randn(1, 4, 5, 5)
    >>> torch.allclose(net(x), net.fold()(x), atol=1e-6)
    True
    >>> _ = nn.init.constant_(net.biases, 0.5)
    >>> torch.allclose(net(x), net.fold()(x), atol=1e-2)
    False
    """

    def __init__(self, num_channels: int, num_terms: int = 3, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        num_terms = check_int("num_terms", num_terms, 1)
        if num_channels < num_terms:
            raise ValueError(
                f"num_channels={num_channels} is less than num_terms={num_terms}, and step i reads entry i of a vector "
                "a channel; use as many channels as terms, or LSLU"
            )
        self.num_channels, self.num_terms, self.channel_dim = num_channels, num_terms, check_axis(channel_dim)
        self.weight = _kernel(num_channels, num_terms)
        self.alphas = nn.Parameter(torch.ones(num_channels))
        self.biases = nn.Parameter(torch.zeros(num_channels))
        self.bn = nn.BatchNorm2d(num_channels, eps=1e-6)
        self.register_parameter("bias", None)

    def fold(self) -> "LSLUAsPublished":
        """A copy in the published deploy form, which is another function."""
        folded = copy.deepcopy(self)
        bn = self.bn
        with torch.no_grad():
            weight, bias = fold_batch_norm(self.weight, bn.running_mean, bn.running_var, bn.weight, bn.bias, bn.eps)
        folded.weight, folded.bias = nn.Parameter(weight), nn.Parameter(bias)
        del folded.bn
        return folded

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is not None:
            weight = self.weight * self.alphas.view(-1, 1, 1, 1)
            return depthwise(torch.relu(x), weight, self.bias, channel_dim=self.channel_dim)
        y = lslu_chain(x, self.alphas[: self.num_terms], self.biases[: self.num_terms])
        return _normalised(depthwise(y, self.weight, channel_dim=self.channel_dim), self.bn, self.channel_dim)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, num_terms={self.num_terms}{shown(self.channel_dim)}"


def _as_published(module: LSLUAsPublished, channels: int) -> Symmetry:
    # In training the first entries of alphas and biases belong to the steps; deployed, alphas to the channels.
    deployed = {} if module.bias is None else {"alphas": 0}
    return Symmetry("units", channels, carries=carried(module, {"weight": 0, "bn": 0, "bias": 0} | deployed))


_FACTS = dict(needs_channels=True)
register(
    "lslu",
    LSLU,
    r"\textstyle\sum_i \theta_{i,c} \max(x_c + \omega_{i,c}, 0)",
    citation="feng2024lslu",
    parameters=lambda channels: 6 * channels,
    parameter_formula="2nC = 6C",
    symmetry=permutations(carries={"theta": 1, "omega": 1, "series": 0}),
    lipschitz=1.0,
    pointwise=True,
    notes="Corrected; form and initial values ours.",
    **_FACTS,
)
register(
    "lslu-as-published",
    LSLUAsPublished,
    r"\mathrm{BN}(a * \max(\theta_n \max(\cdots) + \omega_n, 0))",
    citation="feng2024lslu",
    parameters=lambda channels: 53 * channels,
    parameter_formula="((2n + 1)^2 + 4) C = 53C",
    symmetry=_as_published,
    notes="With the flaws of its code, for the audit.",
    mixes_positions=True,
    unfit=PIXELS,
    **_FACTS,
)
register(
    "series",
    SeriesActivation,
    r"\mathrm{BN}(\textstyle\sum_{i,j} a_{i,j,c} \max(x_{h+i,w+j,c}, 0))",
    citation="chen2023vanillanet",
    parameters=lambda channels: 51 * channels,
    parameter_formula="((2n + 1)^2 + 2) C = 51C",
    symmetry=permutations(carries={"weight": 0, "bn": 0, "bias": 0}),
    aliases=("vanillanet",),
    mixes_positions=True,
    unfit=PIXELS,
    **_FACTS,
)
