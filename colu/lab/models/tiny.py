"""Many small perceptrons of one shape, computed at once: what takes a loop over seeds takes one product."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

__all__ = ["TinyNetworks"]


class TinyNetworks:
    r"""As many perceptrons as there are seeds, side by side.

    Network :math:`k` is :math:`x \mapsto W^k_L\, f(\dots f(W^k_1 x + b^k_1) \dots) + b^k_L`, and no network knows of
    another: their weights lie in one tensor a layer, so that one product computes all of them.

    Parameters
    ----------
    widths : sequence of int
        Numbers of channels from the input to the output, such as ``[2, 16, 16, 1]``.
    activation : callable
        A map of tensors whose channels are the last axis; between all layers, not after the last one.
    seeds : iterable of int
        One for each network: its weights depend on its own seed alone.
    gain : float
        Hidden weights are normal with variance gain squared over the number of inputs; the default is He's for ReLU.
    bias : float
        Biases of the hidden layers are normal with this deviation; that of the output starts at 0.

    Raises
    ------
    ValueError
        If there are less than two widths, or no seed.

    Examples
    --------
    >>> networks = TinyNetworks([2, 8, 1], torch.relu, seeds=range(5))
    >>> networks(torch.zeros(7, 2)).shape
    torch.Size([5, 7, 1])
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Callable[[torch.Tensor], torch.Tensor],
        seeds: Sequence[int],
        gain: float = math.sqrt(2),
        bias: float = 0.5,
    ) -> None:
        seeds = list(seeds)
        if len(widths) < 2 or not seeds:
            raise ValueError(f"widths are {list(widths)} and seeds {seeds}: wanted two widths or more, and a seed")
        self.activation = activation
        self.weights, self.biases = [], []
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]

        def normal(*shape: int) -> torch.Tensor:
            return torch.stack([torch.randn(*shape, generator=draw, dtype=torch.float64) for draw in draws])

        dtype = torch.get_default_dtype()
        for place, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            last = place == len(widths) - 2
            weight = normal(fan_in, fan_out) * (1.0 if last else gain) / math.sqrt(fan_in)
            offset = normal(1, fan_out) * (0.0 if last else bias)
            self.weights.append(weight.to(dtype).requires_grad_())
            self.biases.append(offset.to(dtype).requires_grad_())

    def __len__(self) -> int:
        return self.weights[0].shape[0]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of all networks, (networks, batch, out), for ``x`` (batch, in) or one input each (networks, ...)."""
        x = x.expand(len(self), *x.shape[-2:])
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = self.activation(torch.baddbmm(bias, x, weight))
        return torch.baddbmm(self.biases[-1], x, self.weights[-1])

    def layers(self, network: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Weight (out, in) and bias (out,) of each layer of one network, as :class:`torch.nn.Linear` has them."""
        pairs = zip(self.weights, self.biases, strict=True)
        return [(weight[network].detach().mT, bias[network, 0].detach()) for weight, bias in pairs]

    def fit(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        steps: int,
        lr: float,
        decay: bool = False,
    ) -> TinyNetworks:
        """Train every network on all of the data at every step, by Adam.

        Parameters
        ----------
        x : Tensor, shape (batch, in) or (networks, batch, in)
        y : Tensor, what ``loss`` compares the outputs (networks, batch, out) with
        loss : callable
            ``loss(outputs, y)``, of the shape of the outputs: an error for each entry. It is averaged over each network
            and summed over networks, so that each is trained as if it were alone.
        steps : int
        lr : float
            Learning rate.
        decay : bool
            Whether the rate falls to 0, as half a cosine.

        Returns
        -------
        TinyNetworks
            Itself, trained.
        """
        parameters = [*self.weights, *self.biases]
        optimiser = torch.optim.Adam(parameters, lr=lr, fused=True)
        for step in range(steps):
            if decay:
                optimiser.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
            optimiser.zero_grad()
            loss(self(x), y).flatten(1).mean(dim=1).sum().backward()
            optimiser.step()
        return self
