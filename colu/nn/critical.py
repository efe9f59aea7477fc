r"""A start at which a deep plain network keeps its signal and its gradients, for any activation.

With :math:`\rho = E\lVert f(z)\rVert^2 / C` and :math:`\chi = E\lVert J_f(z)\rVert_F^2 / C` for
:math:`z \sim \mathcal N(0, I_C)`, weights of variance :math:`1/(\chi n)` keep the second moment of a gradient, and
biases of variance :math:`1 - \rho/\chi` put back what the signal then loses.
"""

import copy
import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import proofs
from .flow import follow
from .gain import gauss_legendre, second_moment_ratio, sobol_normal
from .registry import create, has_symmetry

__all__ = ["Start", "critical_init_", "gradient_ratio"]

#: Up to so many channels the Jacobian is taken whole; beyond, along one random direction a point.
_WHOLE = 16


class Start(NamedTuple):
    """What a layer was given: gain of its weight, standard deviation of its bias, and what feeds it."""

    gain: float
    bias: float
    fed_by: str


def gradient_ratio(activation: str | nn.Module, num_channels: int | None = None) -> float:
    r"""The ratio :math:`\chi = E\lVert J_f(z)\rVert_F^2 / C` for standard normal ``z``: what is left of a gradient.

    Parameters
    ----------
    activation : str or Module
        A name is created first.
    num_channels : int, optional
        Channels C of the input; None evaluates a pointwise function.

    Returns
    -------
    float

    Notes
    -----
    Deterministic: composite Gauss-Legendre for pointwise functions, otherwise 8192 Sobol points, with the whole
    Jacobian up to 16 channels and one direction of signs a point beyond (relative error below 1 per cent).

    References
    ----------
    Poole et al., "Exponential expressivity in deep neural networks through transient chaos", NeurIPS 2016, for
    pointwise functions; chapter 15 of the book for vector-valued ones.

    Examples
    --------
    >>> round(gradient_ratio("relu"), 6)
    0.5
    >>> import math
    >>> abs(gradient_ratio("colu", 4) - (5 / 8 - 1 / (2 * math.pi))) < 2e-3
    True
    """
    if isinstance(activation, str):
        activation = create(activation, num_channels)
    if num_channels is None:
        x, weight = gauss_legendre([0.25 * k for k in range(-48, 49)], 8)
        density = weight * torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
        return float((density * _pulled(activation, x[:, None], torch.ones_like(x[:, None]))[:, 0].square()).sum())
    z = sobol_normal(num_channels)
    if num_channels <= _WHOLE:
        directions = torch.eye(num_channels, dtype=z.dtype)
        return (
            sum(float(_pulled(activation, z, row.expand_as(z)).square().sum(1).mean()) for row in directions)
            / num_channels
        )
    signs = torch.randint(2, z.shape, generator=torch.Generator().manual_seed(0)).to(z) * 2 - 1
    return float(_pulled(activation, z, signs).square().sum(1).mean()) / num_channels


def _pulled(activation, z: Tensor, direction: Tensor) -> Tensor:
    """A direction pulled back through the activation at each point."""
    parameter = next(activation.parameters(), None)
    like = z if parameter is None else parameter
    with torch.enable_grad():
        x = z.to(like).requires_grad_()
        (gradient,) = torch.autograd.grad(activation(x), x, direction.to(like))
    return gradient.to(z)


@torch.no_grad()
def critical_init_(
    model: nn.Module,
    *,
    example_input: Tensor | tuple | Mapping | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Start]:
    r"""Fill weights and biases in place so that signal and gradients survive a deep plain network.

    .. math:: w \sim \mathcal N\!\left(0, \frac{1}{\chi n}\right), \qquad
              b \sim \mathcal N\!\left(0, 1 - \frac\rho\chi\right)

    with the moments of the activation that feeds the layer; 1 and 1 where that is the model's input.

    Parameters
    ----------
    model : Module
        Its linear maps and convolutions that an activation of the registry, or the model's input, feeds directly: by
        way of views, dropout and pooling at most. All others, such as those after a normalisation or a sum, stay.
    example_input : Tensor, tuple or mapping, optional
        What the model takes; made from the first layer where that will do.
    generator : torch.Generator, optional
        Source of randomness.

    Returns
    -------
    dict of str to Start
        What each layer was given.

    Raises
    ------
    ValueError
        A model that does not run on the example, or in which no layer is fed by an activation.

    Notes
    -----
    Where :math:`\rho > \chi` (a projection onto a cone) no bias can be taken away, and the signal is kept instead:
    gain :math:`1/\sqrt\rho`, bias 0. A layer without a bias cannot put the signal back, and gets that too.
    The last layer is one of them, so logits start with a second moment of 1.
    The input is taken to have second moment 1 an entry.

    The second moment 1 is a fixed point; whether a signal returns to it is another question. In 30 layers of width 128
    it stayed within 0.05 and 2.2 for CoLU, RCoLU, MPU, tanh, ELU, SELU, GELU, Mish and ReLU (three seeds), but SiLU's
    grew to 8 and more, as an error grows with each layer; softplus has :math:`\rho > \chi` and lost its gradient.

    References
    ----------
    Chapter 15 of the book, theorem "Critical initialisation"; for pointwise functions Schoenholz et al., "Deep
    Information Propagation", ICLR 2017, arXiv 1611.01232.

    Examples
    --------
    >>> from colu.nn import CoLU
    >>> net = nn.Sequential(nn.Linear(8, 64), CoLU(), nn.Linear(64, 64), CoLU(), nn.Linear(64, 2))
    >>> starts = critical_init_(net)
    >>> [(name, round(start.gain, 2), round(start.bias, 2)) for name, start in starts.items()]
    [('0', 1.0, 0.0), ('2', 1.47, 0.52), ('4', 1.47, 0.52)]
    """
    example = proofs.made_example(model) if example_input is None else example_input
    if example is None:
        raise ValueError("no input could be made from the model's first layer; give example_input=...")
    names = {id(module): name for name, module in reversed(list(model.named_modules()))}
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    watched = {id(one): one for one in model.modules() if isinstance(one, kinds) or has_symmetry(one)}
    try:
        with proofs.as_it_was(model):
            flow = follow(model.eval(), example, watched)
    except Exception as error:
        raise ValueError(f"the model does not run on the example: {error}; give example_input=...") from error
    starts, moments = {}, {}
    for key, layer in watched.items():
        if not isinstance(layer, kinds) or len(flow.feeds.get(key, ())) != 1:
            continue
        (source,) = flow.feeds[key]
        if source is None:
            if not flow.calls[key][0].channels.lost.startswith("it comes from the model's input"):
                continue
            rho, chi, fed_by = 1.0, 1.0, "the input"
        elif isinstance(watched[source], kinds):
            rho, chi, fed_by = 1.0, 1.0, names[source]
        else:
            place = flow.calls[source][0]
            if place.channels.axes is None or len(place.channels.axes) != 1:
                continue
            width = place.shape[next(iter(place.channels.axes))]
            if (source, width) not in moments:
                moments[source, width] = _moments(watched[source], width)
            (rho, chi), fed_by = moments[source, width], names[source]
        keeps = chi >= rho and layer.bias is not None
        gain, spread = (chi**-0.5, math.sqrt(_share(1 - rho / chi))) if keeps else (rho**-0.5, 0.0)
        layer.weight.normal_(0, gain / math.sqrt(layer.weight[0].numel()), generator=generator)
        if layer.bias is not None:
            layer.bias.normal_(0, spread, generator=generator) if spread else layer.bias.zero_()
        starts[names[key]] = Start(gain, spread, fed_by)
    if not any(start.fed_by != "the input" for start in starts.values()):
        raise ValueError("no layer of the model is fed by an activation that the registry knows; use kaiming_like_")
    return starts


def _share(value: float) -> float:
    """What is left for the biases; the points of the moments tell nothing below a thousandth."""
    return value if value > 1e-3 else 0.0


def _moments(activation: nn.Module, channels: int) -> tuple[float, float]:
    """rho and chi of an activation as it stands, on vectors of channels."""
    plain = copy.deepcopy(activation).eval()
    if hasattr(plain, "channel_dim"):
        plain.channel_dim = 1
    return second_moment_ratio(plain, channels), gradient_ratio(plain, channels)
