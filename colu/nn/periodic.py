"""Activations with waves as modules, and the initial weights that a network of sines wants."""

import math

import torch
from torch import Tensor, fx, nn

from colu.checks import check_axis, check_int, check_number
from colu.functional import sine, snake

from ._facts import permutations, shown
from .registry import register
from .smooth import channel_parameter

__all__ = ["Sine", "Snake", "siren_init_"]

for _name in ("sine", "snake"):
    fx.wrap(_name)


class Snake(nn.Module):
    r"""Snake with a learnable frequency a channel, :func:`colu.functional.snake`.

    .. math:: f(x) = x + \frac{\sin^2(\alpha_c x)}{\alpha_c}

    Parameters
    ----------
    num_channels : int
        Channels.
    alpha : float
        :math:`\alpha` at the start; larger where the data have short periods.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    References
    ----------
    Ziyin, Hartwig and Ueda, NeurIPS 2020, arXiv 2006.08195.

    Examples
    --------
    >>> Snake(2)(torch.zeros(1, 2)).detach()
    tensor([[0., 0.]])
    """

    def __init__(self, num_channels: int, alpha: float = 1.0, channel_dim: int = 1):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        alpha = check_number("alpha", alpha, "use a number")
        self.channel_dim = check_axis(channel_dim)
        self.alpha = channel_parameter(alpha, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return snake(x, self.alpha, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"{len(self.alpha)}{shown(self.channel_dim)}"


class Sine(nn.Module):
    r"""Sine, :func:`colu.functional.sine`.

    .. math:: f(x) = \sin(\omega x)

    Parameters
    ----------
    omega : float
        :math:`\omega`; SIREN has 30, with the weights of :func:`siren_init_`.

    References
    ----------
    Sitzmann et al., NeurIPS 2020, arXiv 2006.09661.

    Examples
    --------
    >>> Sine(math.pi)(torch.tensor([0.5]))
    tensor([1.])
    """

    def __init__(self, omega: float = 1.0):
        super().__init__()
        self.omega = check_number("omega", omega, "use a positive number", gt=0)

    def forward(self, x: Tensor) -> Tensor:
        return sine(x, self.omega)

    def extra_repr(self) -> str:
        return f"omega={self.omega}"


def siren_init_(
    tensor: Tensor, omega: float = 30.0, *, first: bool = False, generator: torch.Generator | None = None
) -> Tensor:
    r"""Fill the weight of a layer before :class:`Sine` in place, as SIREN does.

    .. math:: w &\sim U\!\left(\pm \frac{1}{n_\text{in}}\right) \text{ in the first layer,} \\
              w &\sim U\!\left(\pm \frac{1}{\omega}\sqrt{\frac{6}{n_\text{in}}}\right) \text{ in the others}

    The arguments of the sines are then near N(0, 1) in every layer but the first, whose inputs are in [-1, 1] and whose
    frequencies :math:`\omega` spreads.

    Parameters
    ----------
    tensor : Tensor
        Weight of a linear layer or convolution, ``(out, in, ...)``.
    omega : float
        That of the sine that follows.
    first : bool
        Whether the layer reads the coordinates.
    generator : torch.Generator, optional
        Source of randomness.

    Returns
    -------
    Tensor
        ``tensor``.

    Raises
    ------
    ValueError
        A weight of fewer than two dimensions, or ``omega`` that is not positive.

    References
    ----------
    Sitzmann et al., NeurIPS 2020, arXiv 2006.09661, section 3.2, and its code.

    Examples
    --------
    >>> weight = siren_init_(torch.empty(8, 6), generator=torch.Generator().manual_seed(0))
    >>> bool(weight.abs().max() <= 1 / 30)
    True
    """
    omega = check_number("omega", omega, "use a positive number", gt=0)
    if tensor.dim() < 2:
        raise ValueError(f"shape {tuple(tensor.shape)} is no weight of a layer; use (out, in, ...)")
    inputs = tensor[0].numel()
    bound = 1 / inputs if first else math.sqrt(6 / inputs) / omega
    with torch.no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


register(
    "snake",
    Snake,
    r"x + \sin^2(\alpha_c x) / \alpha_c",
    citation="ziyin2020snake",
    parameters=lambda channels: channels,
    parameter_formula="C",
    symmetry=permutations(carries={"alpha": 0}),
    lipschitz=2.0,
    lipschitz_all=2.0,
    pointwise=True,
    needs_channels=True,
)
register(
    "sine",
    Sine,
    r"\sin(\omega x)",
    citation="sitzmann2020siren",
    symmetry=permutations(signs=True),
    lipschitz=1.0,
    pointwise=True,
    notes="Here omega = 1; SIREN has 30, and its own initial weights.",
)
