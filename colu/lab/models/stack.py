"""Many small perceptrons side by side: every seed and setting of a comparison in one batched product."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

__all__ = ["Stack", "fit_stack"]


class Stack(nn.Module):
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
        A function or module without parameters; it sees ``(batch, width)``, the channels on dimension 1.
    seeds : sequence of int
        One network for each.
    gain : float
        :math:`g`; :func:`colu.nn.gain` has that of an activation.
    bias : float
        Deviation of the first biases of hidden layers.
    scale : float or sequence of float
        :math:`\omega`, one for all networks or one for each: radians per unit where the activation is the sine.

    Raises
    ------
    ValueError
        Fewer than two widths, no seeds, or scales that are neither one nor one for each network.

    Examples
    --------
    >>> model = Stack([2, 8, 1], torch.relu, seeds=range(3))
    >>> model(torch.zeros(5, 2)).shape
    torch.Size([3, 5, 1])
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Callable[[Tensor], Tensor],
        *,
        seeds: Sequence[int],
        gain: float = 1.0,
        bias: float = 0.0,
        scale: float | Sequence[float] = 1.0,
    ) -> None:
        super().__init__()
        seeds = list(seeds)
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"widths are {list(widths)}, wanted at least two numbers of 1 or more")
        if not seeds:
            raise ValueError("there are no seeds, wanted one for each network")
        scales = [scale] * len(seeds) if isinstance(scale, int | float) else list(scale)
        if len(scales) != len(seeds):
            raise ValueError(f"{len(scales)} scales for {len(seeds)} networks; give one, or one for each")
        self.activation, self.seeds = activation, seeds
        self.register_buffer("scale", torch.tensor(scales, dtype=torch.get_default_dtype()).view(-1, 1, 1))
        starts = [self._start(widths, seed, gain, bias) for seed in seeds]
        self.weights = nn.ParameterList(torch.stack(same) for same in zip(*(w for w, _ in starts), strict=True))
        self.biases = nn.ParameterList(torch.stack(same) for same in zip(*(b for _, b in starts), strict=True))

    @staticmethod
    def _start(widths: Sequence[int], seed: int, gain: float, bias: float) -> tuple[list[Tensor], list[Tensor]]:
        generator, weights, biases = torch.Generator().manual_seed(seed), [], []
        last = len(widths) - 2
        for layer, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            size = (gain if layer else 1.0) / math.sqrt(inputs)
            weights.append(size * torch.randn(inputs, outputs, generator=generator))
            biases.append((bias if layer < last else 0.0) * torch.randn(1, outputs, generator=generator))
        return weights, biases

    def hidden(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Iterator[Tensor]:
        """What stands behind each activation, layer by layer, each ``(networks, batch, width)``.

        Parameters
        ----------
        x : Tensor
            ``(batch, in)``, the same for all networks, or ``(networks, batch, in)``.
        change : callable, optional
            Done to what stands behind each activation before the next layer sees it.
        """
        h = self._spread(x)
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            h = torch.baddbmm(bias, h, weight)
            h = h if layer else self.scale * h
            h = self.activation(h.flatten(0, 1)).unflatten(0, h.shape[:2])
            h = h if change is None else change(h)
            yield h

    def forward(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Outputs ``(networks, batch, out)``; parameters as for :meth:`hidden`."""
        *_, h = self._spread(x), *self.hidden(x, change)
        return torch.baddbmm(self.biases[-1], h, self.weights[-1])

    def _spread(self, x: Tensor) -> Tensor:
        return x if x.dim() == 3 else x.expand(len(self.seeds), *x.shape)


def fit_stack(
    model: Stack,
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    *,
    lr: float | Sequence[float],
    steps: int,
    batch: int | None = None,
    decay: bool = True,
) -> None:
    """Train all networks of a stack with Adam, each at its own rate and on its own batches.

    Parameters
    ----------
    model : Stack
        Trained in place.
    loss : callable
        From the outputs ``(networks, batch, out)`` and the targets ``(networks, batch, ...)`` to one loss a network,
        ``(networks,)``.
    x, y : Tensor
        Inputs ``(n, in)`` and targets ``(n, ...)`` for all networks, or ``(networks, n, in)`` and
        ``(networks, n, ...)``.
    lr : float or sequence of float
        Of Adam, one for all or one for each network.
    steps : int
    batch : int, optional
        Examples a step, drawn anew from the seed of each network; None takes all, without drawing.
    decay : bool
        Whether the rate falls to 0 along half a wave of the cosine.

    Raises
    ------
    ValueError
        Rates that are neither one nor one for each network.

    Examples
    --------
    >>> model = Stack([1, 16, 1], torch.tanh, seeds=[0, 1], bias=1.0)
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> def loss(out, y):
    ...     return (out - y).square().mean(dim=(1, 2))
    >>> before = loss(model(x), x.square())
    >>> fit_stack(model, loss, x, x.square(), lr=0.02, steps=200)
    >>> bool((loss(model(x), x.square()) < before / 10).all())
    True
    """
    count = len(model.seeds)
    rates = [lr] * count if isinstance(lr, int | float) else list(lr)
    if len(rates) != count:
        raise ValueError(f"{len(rates)} rates for {count} networks; give one, or one for each")
    # Copies of one set of examples, without its memory; or a set for each.
    x, y = (x, y) if x.dim() == 3 else (x.expand(count, *x.shape), y.expand(count, *y.shape))
    rows = torch.arange(count)[:, None]
    # Adam's step does not see the size of the loss, so a sum over networks trains each as if it were alone; its own
    # rate is a factor on its gradient's step.
    parameters = list(model.parameters())
    factors = torch.tensor(rates, dtype=parameters[0].dtype).view(-1, 1, 1)
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    generators = [torch.Generator().manual_seed(10_000 + seed) for seed in model.seeds]
    one, two, tiny = 0.9, 0.999, 1e-8
    for step in range(1, steps + 1):
        inputs, targets = x, y
        if batch is not None:
            chosen = torch.stack([torch.randint(x.shape[1], (batch,), generator=g) for g in generators])
            inputs, targets = x[rows, chosen], y[rows, chosen]
        gradients = torch.autograd.grad(loss(model(inputs), targets).sum(), parameters)
        now = factors * (0.5 * (1 + math.cos(math.pi * (step - 1) / steps)) if decay else 1.0)
        with torch.no_grad():
            for p, g, (first, second) in zip(parameters, gradients, moments, strict=True):
                first.mul_(one).add_(g, alpha=1 - one)
                second.mul_(two).addcmul_(g, g, value=1 - two)
                size = (second / (1 - two**step)).sqrt_().add_(tiny)
                p.sub_(now / (1 - one**step) * first / size)
