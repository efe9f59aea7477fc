"""Many small networks side by side: all seeds and settings of a comparison in one batched product a layer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Layers", "Perceptrons", "ResidualPerceptrons", "SideBySide"]

#: What a layer is drawn from: inputs, outputs, deviation of its weights times the root of the inputs, of its biases.
Shape = tuple[int, int, float, float]


class Layers(NamedTuple):
    """What many networks compute on the way to their outputs.

    Attributes
    ----------
    outputs : Tensor
        ``(networks, batch, out)``.
    before, behind : list of Tensor
        Pre-activations and what the activation makes of them, ``(networks, batch, width)`` for each hidden layer.
    """

    outputs: Tensor
    before: list[Tensor]
    behind: list[Tensor]


class SideBySide(nn.Module, ABC):
    """Networks of one shape, each with weights and a seed of its own: what architectures have in common.

    Parameters
    ----------
    activation : callable
        A function or module without parameters; it sees rows ``(rows, width)``, the channels on dimension 1.
    seeds : iterable of int
        One network for each: its weights depend on its own seed alone.
    shapes : sequence of tuple
        Inputs and outputs of each linear layer, and the deviations of its weights, times the root of the inputs, and
        of its biases.
    dtype : torch.dtype, optional
        Of all parameters; the default of PyTorch where it is not given.

    Attributes
    ----------
    seeds : list of int
    weights, biases : torch.nn.ParameterList
        ``(networks, in, out)`` and ``(networks, 1, out)``, one a layer.

    Raises
    ------
    ValueError
        No seeds, or an activation that learns, which all networks would share.
    """

    def __init__(
        self,
        activation: Callable[[Tensor], Tensor],
        seeds: Iterable[int],
        shapes: Sequence[Shape],
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.seeds = activation, list(seeds)
        if not self.seeds:
            raise ValueError("there are no seeds, wanted one for each network")
        if isinstance(activation, nn.Module) and any(True for _ in activation.parameters()):
            raise ValueError(f"{activation!r} learns a shape, which all networks would share; wanted no parameters")
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

        def draw(size: float, *shape: int) -> nn.Parameter:
            drawn = [torch.randn(*shape, generator=g, dtype=dtype) for g in generators]
            return nn.Parameter(size * torch.stack(drawn))

        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs, weight, bias in shapes:
            self.weights.append(draw(weight / math.sqrt(inputs), inputs, outputs))
            zeros = torch.zeros(len(self.seeds), 1, outputs, dtype=dtype)
            self.biases.append(draw(bias, 1, outputs) if bias else nn.Parameter(zeros))

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def num_parameters(self) -> int:
        """Of one network."""
        return sum(parameter[0].numel() for parameter in self.parameters())

    @abstractmethod
    def layers(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Layers:
        """Outputs, and what stands before and behind each activation.

        Parameters
        ----------
        x : Tensor
            ``(batch, in)``, the same for all networks, or ``(networks, batch, in)``.
        change : callable, optional
            Done to what stands behind each activation, ``(networks, batch, width)``, before the next layer sees it.

        Returns
        -------
        Layers
        """

    def forward(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Outputs ``(networks, batch, out)``; parameters as for :meth:`layers`."""
        return self.layers(x, change).outputs

    @torch.no_grad()
    def accuracy(self, x: Tensor, labels: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> list[float]:
        """Per cent of the examples whose largest output is that of their label, one value a network.

        What is not finite is never right; ``labels`` are ``(batch,)`` or ``(networks, batch)``.
        """
        outputs = self(x, change)
        right = (outputs.argmax(dim=2) == labels) & outputs.isfinite().all(dim=2)
        return (100 * right.double().mean(dim=1)).tolist()

    def weights_of(self, network: int) -> list[tuple[Tensor, Tensor]]:
        """Weight (out, in) and bias (out,) of each layer of one network, as :class:`torch.nn.Linear` has them."""
        pairs = zip(self.weights, self.biases, strict=True)
        return [(weight[network].detach().mT, bias[network, 0].detach()) for weight, bias in pairs]

    def _spread(self, x: Tensor) -> Tensor:
        return x if x.dim() == 3 else x.expand(len(self), *x.shape)

    def _linear(self) -> Iterator[Callable[[Tensor], Tensor]]:
        """The linear layers in their order."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            yield lambda h, weight=weight, bias=bias: torch.baddbmm(bias, h, weight)

    def _activate(self, z: Tensor, change: Callable[[Tensor], Tensor] | None) -> Tensor:
        h = self.activation(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return h if change is None else change(h)


class Perceptrons(SideBySide):
    r"""Perceptrons of one shape, each with weights and a seed of its own.

    .. math:: h_1 &= f\bigl(\omega\,(x W_1 + b_1)\bigr), \\
              h_{l+1} &= f(h_l W_{l+1} + b_{l+1}), \\
              y &= h_L W_{L+1} + b_{L+1}

    The entries of :math:`W_l` are normal with variance :math:`g_l^2 / n_l`, where :math:`g_1 = 1` and the others have
    the activation's ``gain``; biases of hidden layers are normal with deviation ``bias``, the last is 0.
    The weights of a seed are the same, up to the gain, whatever the activation.

    Parameters
    ----------
    widths : sequence of int
        Entries of the input, of the hidden layers, of the output.
    activation : callable
        A function or module without parameters; it sees rows ``(rows, width)``, the channels on dimension 1.
    seeds : iterable of int
        One network for each.
    gain : float
        :math:`g`; :func:`colu.nn.gain` has that of an activation.
    bias : float
        Deviation of the first biases of hidden layers.
    scale : float or sequence of float
        :math:`\omega`, one for all networks or one for each: radians per unit where the activation is the sine.
    batch_norm : bool
        Whether each hidden layer is normalised before its activation, by mean and variance of the examples that it is
        given, with a learnt scale and shift.
    dtype : torch.dtype, optional
        Of all parameters; the default of PyTorch where it is not given.

    Raises
    ------
    ValueError
        Fewer than two widths, no seeds, scales that are neither one nor one for each network, or an activation that
        learns.

    Examples
    --------
    >>> networks = Perceptrons([2, 8, 1], torch.relu, seeds=range(3))
    >>> networks(torch.zeros(5, 2)).shape, networks.layers(torch.zeros(5, 2)).before[0].shape
    (torch.Size([3, 5, 1]), torch.Size([3, 5, 8]))
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Callable[[Tensor], Tensor],
        *,
        seeds: Iterable[int],
        gain: float = 1.0,
        bias: float = 0.0,
        scale: float | Sequence[float] = 1.0,
        batch_norm: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"widths are {list(widths)}, wanted at least two numbers of 1 or more")
        last = len(widths) - 2
        pairs = enumerate(zip(widths[:-1], widths[1:], strict=True))
        shapes = [(rows, columns, gain if at else 1.0, bias if at < last else 0.0) for at, (rows, columns) in pairs]
        super().__init__(activation, seeds, shapes, dtype)
        scales = [scale] * len(self) if isinstance(scale, int | float) else list(scale)
        if len(scales) != len(self):
            raise ValueError(f"{len(scales)} scales for {len(self)} networks; give one, or one for each")
        self.register_buffer("scale", self.weights[0].new_tensor(scales).view(-1, 1, 1))
        self._scaled = any(scale != 1 for scale in scales)
        norms = [self.biases[layer] for layer in range(last)] if batch_norm else []
        self.norm_scales = nn.ParameterList(torch.ones_like(bias) for bias in norms)
        self.norm_shifts = nn.ParameterList(torch.zeros_like(bias) for bias in norms)

    def layers(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Layers:
        """Outputs, and what stands before and behind each activation; see :meth:`SideBySide.layers`."""
        h, before, behind = self._spread(x), [], []
        *hidden, last = self._linear()
        for layer, linear in enumerate(hidden):
            z = linear(h)
            z = self.scale * z if self._scaled and layer == 0 else z
            if self.norm_scales:
                variance, mean = torch.var_mean(z, dim=1, keepdim=True, correction=0)
                z = (z - mean) / (variance + 1e-5).sqrt()
                z = self.norm_scales[layer] * z + self.norm_shifts[layer]
            h = self._activate(z, change)
            before.append(z)
            behind.append(h)
        return Layers(last(h), before, behind)


class ResidualPerceptrons(SideBySide):
    r"""Perceptrons of residual blocks, each with weights and a seed of its own.

    .. math:: x_0 &= x\,W_{\text{in}} + b, \\
              x_{l+1} &= x_l + f(\bar x_l V_l + b_l)\,W_l + c_l, \\
              y &= \bar x_L W_{\text{out}} + d

    with :math:`\bar x = x / \operatorname{rms}(x)`.
    Weights start normal with variance :math:`1/n`, those of :math:`W_l` with :math:`g^2/n`; all biases start at 0.

    Parameters
    ----------
    widths : sequence of int
        Entries of the input, of the stream :math:`x_l`, of the output.
    activation : callable
        A function or module without parameters; it sees rows ``(rows, width)``, the channels on dimension 1.
    hidden : tuple of int
        Channels before and behind the activation, which differ where it is a gated unit.
    seeds : iterable of int
        One network for each.
    blocks : int
    gain : float
        :math:`g`; with :math:`g^{-2} = \mathbb E f(z)^2` what a block adds has the same size for all activations.
    dtype : torch.dtype, optional
        Of all parameters; the default of PyTorch where it is not given.

    Raises
    ------
    ValueError
        Other than three widths, no seeds, or an activation that learns.

    Examples
    --------
    >>> networks = ResidualPerceptrons([64, 32, 10], torch.relu, (128, 128), seeds=[0, 1])
    >>> networks(torch.zeros(3, 64)).shape, networks.num_parameters
    (torch.Size([2, 3, 10]), 19114)
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Callable[[Tensor], Tensor],
        hidden: tuple[int, int],
        *,
        seeds: Iterable[int],
        blocks: int = 2,
        gain: float = 1.0,
        dtype: torch.dtype | None = None,
    ) -> None:
        if len(widths) != 3:
            raise ValueError(f"widths are {list(widths)}, wanted three: of the input, the stream and the output")
        inputs, stream, outputs = widths
        before, behind = hidden
        block = [(stream, before, 1.0, 0.0), (behind, stream, gain, 0.0)]
        shapes = [(inputs, stream, 1.0, 0.0), *block * blocks, (stream, outputs, 1.0, 0.0)]
        super().__init__(activation, seeds, shapes, dtype)

    def layers(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Layers:
        """Outputs, and what stands before and behind each activation; see :meth:`SideBySide.layers`."""
        first, *inner, last = self._linear()
        x, before, behind = first(self._spread(x)), [], []
        for up, down in zip(inner[::2], inner[1::2], strict=True):
            z = up(_divided(x))
            h = self._activate(z, change)
            x = x + down(h)
            before.append(z)
            behind.append(h)
        return Layers(last(_divided(x)), before, behind)


def _divided(x: Tensor) -> Tensor:
    """Rows over their root mean square."""
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
