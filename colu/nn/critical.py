r"""A start at which a deep plain network keeps its signal and its gradients, for any activation.

With :math:`\rho = E\lVert f(z)\rVert^2 / C` and :math:`\chi = E\lVert J_f(z)\rVert_F^2 / C` for
:math:`z \sim \mathcal N(0, I_C)`, weights of variance :math:`1/(\chi n)` keep the second moment of a gradient, and
biases of variance :math:`1 - \rho/\chi` put back what the signal then loses.
"""

import copy
import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import proofs
from .flow import INPUT, Call, follow, tensors_in
from .gain import gauss_legendre, second_moment_ratio, sobol_normal
from .registry import create, has_symmetry, list_activations
from .wrappers import PassRemainder

__all__ = ["Start", "critical_init_", "gradient_ratio"]

#: Up to so many channels the Jacobian is taken whole; beyond, along so many random directions a point.
_WHOLE, _DIRECTIONS = 16, 8


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
    Jacobian up to 16 channels and eight directions of signs a point beyond (relative error below 1 per cent).

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
    if not isinstance(activation, nn.Module):
        raise ValueError(f"activation={activation!r} is neither a name nor a Module")
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
    generator = torch.Generator().manual_seed(0)
    signs = [torch.randint(2, z.shape, generator=generator).to(z) * 2 - 1 for _ in range(_DIRECTIONS)]
    squares = [float(_pulled(activation, z, one).square().sum(1).mean()) for one in signs]
    return sum(squares) / _DIRECTIONS / num_channels


def _pulled(activation, z: Tensor, direction: Tensor) -> Tensor:
    """A direction pulled back through the activation at each point."""
    parameter = next(activation.parameters(), None)
    like = z if parameter is None else parameter
    with torch.inference_mode(False), torch.enable_grad():
        x = z.to(like).clone().detach().requires_grad_()
        # A copy goes in, since some change their input in place.
        y = activation(x.clone())
        if y.shape != x.shape:
            raise ValueError(
                f"{activation!r} makes shape {tuple(y.shape)} of {tuple(x.shape)}; wanted one that keeps it"
            )
        (gradient,) = torch.autograd.grad(y, x, direction.to(like))
    return gradient.to(z)


@torch.no_grad()
def critical_init_(
    model: nn.Module,
    *,
    example_input: Tensor | tuple | Mapping | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Start]:
    r"""Fill weights and biases in place so that signal and gradients survive a deep plain network.

    .. math:: w &\sim \mathcal N\!\left(0, \frac{1}{\chi n}\right), \\
              b &\sim \mathcal N\!\left(0, 1 - \frac\rho\chi\right)

    with the moments of the activation that feeds the layer; 1 and 1 where that is the model's input.

    Parameters
    ----------
    model : Module
        Its linear maps and convolutions that an activation of the registry, or the model's input, feeds directly: by
        way of views, dropout and pooling at most. All others stay, such as those after a normalisation or a sum, and
        those whose weight is computed (weight norm), frozen, or another layer's too.
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
        A model that does not run on the example, or in which no layer is fed by an activation; nothing is changed then.

    Notes
    -----
    Where :math:`\rho > \chi` (a projection onto a cone) no bias can be taken away, and the signal is kept instead:
    gain :math:`1/\sqrt\rho`, bias 0. A layer without a bias cannot put the signal back, and gets that too.
    The last layer is one of them, so logits start with a second moment of 1.
    The input is taken to have second moment 1 an entry. Pooling is passed over: an average has a smaller second moment
    than what it averages and a maximum a larger one, and neither is put back. A layer has to mix its channels: in
    depthwise convolutions the axis of a cone grows against its sections, to a second moment of 8 to 19 in the sixth
    (four seeds).

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
    proofs.refuse_lazy(model)
    example = proofs.made_example(model) if example_input is None else example_input
    if example is None:
        raise ValueError("no input could be made from the model's first layer; give example_input=...")
    if any(one.is_meta for one in (*tensors_in(example), *model.parameters())):
        raise ValueError("the model is on the meta device and has no values to fill; give it memory first")
    names = {id(module): name for name, module in reversed(list(model.named_modules()))}
    # What is inside of an activation, such as the network that makes its slopes, is the activation's own.
    inner = {
        id(one) for module in model.modules() if has_symmetry(module) for one in module.modules() if one is not module
    }
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    kinds_of_maps = (*kinds, PassRemainder)
    watched = {
        id(one): one
        for one in model.modules()
        if id(one) not in inner and (isinstance(one, kinds_of_maps) or has_symmetry(one))
    }
    try:
        with proofs.as_it_was(model):
            flow = follow(model.eval(), example, watched)
    except Exception as error:
        raise ValueError(f"the model does not run on the example: {error}; give example_input=...") from error
    owners = Counter(id(one) for module in model.modules() for one in module._parameters.values() if one is not None)
    starts, filled, moments = {}, [], {}
    for key, layer in watched.items():
        feeds = flow.feeds.get(key, {None})
        if not isinstance(layer, kinds) or None in feeds or len({one for one, _ in feeds}) > 1:
            continue
        if not _free(layer, owners):
            continue
        source = next(iter(feeds))[0]
        if INPUT in feeds:
            rho, chi, fed_by = 1.0, 1.0, "the input"
        elif isinstance(watched[source], kinds):
            rho, chi, fed_by = 1.0, 1.0, names[source]
        else:
            feeder = watched[source]
            # What is pointwise needs no axis, unless it has parameters a channel.
            widths = {None if _pointwise(feeder) else _width(flow.calls[source][call]) for _, call in feeds}
            width = widths.pop()
            if width == 0 or widths:
                continue
            if (source, width) not in moments:
                moments[source, width] = _moments(feeder, width)
            if moments[source, width] is None:
                continue
            (rho, chi), fed_by = moments[source, width], names[source]
        keeps = chi >= rho and layer.bias is not None
        gain, spread = (chi**-0.5, math.sqrt(_share(1 - rho / chi))) if keeps else (rho**-0.5, 0.0)
        starts[names[key]] = Start(gain, spread, fed_by)
        filled.append(layer)
    if not any(start.fed_by != "the input" for start in starts.values()):
        called = f"; activations are called as functions: {next(iter(flow.functions))[0]}" if flow.functions else ""
        raise ValueError(
            f"no layer of the model is fed by an activation that the registry knows{called}; nothing was changed, use "
            "kaiming_like_"
        )
    # All is known by now, so that an error leaves the model as it was.
    for layer, (gain, spread, _) in zip(filled, starts.values(), strict=True):
        layer.weight.normal_(0, gain / math.sqrt(_fan_in(layer)), generator=generator)
        if layer.bias is not None:
            layer.bias.normal_(0, spread, generator=generator) if spread else layer.bias.zero_()
    return starts


def _width(call: Call) -> int:
    """How many channels an activation was given; 0 where that is not known."""
    known = call.channels.axes is not None and len(call.channels.axes) == 1
    return call.shape[next(iter(call.channels.axes))] if known else 0


def _free(layer: nn.Module, owners: Counter) -> bool:
    """Whether a layer's weight is a parameter of its own that may be filled: not computed, frozen or another's too."""
    own = [layer._parameters.get(name) for name in ("weight", "bias")]
    computed = own[0] is None or layer._forward_pre_hooks or (layer.bias is not None and own[1] is None)
    frozen = not computed and not all(one.requires_grad for one in own if one is not None)
    return not computed and not frozen and all(owners[id(one)] == 1 for one in own if one is not None)


def _fan_in(layer: nn.Module) -> float:
    """How many inputs each output sums over."""
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        return layer.weight[:, 0].numel() / layer.groups / math.prod(layer.stride)
    return layer.weight[0].numel()


def _pointwise(activation: nn.Module) -> bool:
    """Whether an activation of the registry acts on each entry alone, with no parameter a channel."""
    kinds = tuple(
        kind
        for entry in list_activations(lambda entry: entry.pointwise and not entry.needs_channels)
        if isinstance(kind := getattr(entry.factory, "func", entry.factory), type)
    )
    return isinstance(activation, kinds)


def _share(value: float) -> float:
    """What is left for the biases; the points of the moments tell nothing below a thousandth."""
    return value if value > 1e-3 else 0.0


def _moments(activation: nn.Module, channels: int | None) -> tuple[float, float] | None:
    """rho and chi of an activation as it stands, on vectors of channels or, where it is pointwise, on numbers.

    None for what takes no vectors, such as a unit for images, or gives others than it takes.
    """
    plain = copy.deepcopy(activation).eval()
    for one in plain.modules():
        if hasattr(one, "channel_dim"):
            one.channel_dim = 1
    parameter = next(plain.parameters(), torch.zeros((), dtype=torch.float64))
    z = torch.zeros(2, 1 if channels is None else channels).to(parameter)
    try:
        if plain(z).shape != z.shape:
            return None
    except (ValueError, RuntimeError):
        return None
    return second_moment_ratio(plain, channels), gradient_ratio(plain, channels)
