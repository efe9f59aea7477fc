"""Small perceptrons of several seeds, trained side by side as one stack of tensors: many short runs in little time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Stack"]


@dataclass
class Stack:
    r"""Perceptrons that differ in their seed alone, one activation behind each hidden layer.

    .. math:: h_{\ell} = f(z_\ell), \quad z_\ell = h_{\ell-1} W_\ell + b_\ell

    Weights start normal with variance :math:`g^2/n`, with gain :math:`g` behind an activation and 1 behind the input;
    biases start at 0. Two stacks of the same seeds and sizes start from the same random numbers whatever ``f``.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of each hidden layer, and of the output.
    activation : callable
        From ``(seeds, n, width)`` to the same shape.
    gain : float
        Such as :func:`colu.nn.gain` gives.
    seeds : iterable of int
        Of weights and of the order of the examples.
    batch_norm : bool
        Whether each hidden layer is normalised before its activation, by mean and variance of the examples that it is
        given, with a learnt scale and shift.
    dtype : torch.dtype

    Attributes
    ----------
    weights, biases : list of Tensor
        ``(seeds, in, out)`` and ``(seeds, 1, out)``, one a layer.
    norms : list of tuple of Tensor
        Scale and shift, ``(seeds, 1, width)`` each, one pair a hidden layer; empty without ``batch_norm``.

    Examples
    --------
    >>> stack = Stack([4, 8, 8, 2], torch.relu, gain=2**0.5, seeds=[0, 1, 2])
    >>> stack.logits(torch.zeros(5, 4)).shape
    torch.Size([3, 5, 2])
    """

    sizes: Sequence[int]
    activation: Callable[[Tensor], Tensor]
    gain: float
    seeds: Iterable[int]
    batch_norm: bool = False
    dtype: torch.dtype = torch.float32
    weights: list[Tensor] = field(init=False, repr=False)
    biases: list[Tensor] = field(init=False, repr=False)
    norms: list[tuple[Tensor, Tensor]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.seeds = list(self.seeds)
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        self.weights, self.biases, self.norms = [], [], []
        for layer, (fan_in, fan_out) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True)):
            drawn = torch.stack([torch.randn(fan_in, fan_out, generator=g, dtype=self.dtype) for g in generators])
            scale = (self.gain if layer else 1.0) / math.sqrt(fan_in)
            self.weights.append((drawn * scale).requires_grad_())
            self.biases.append(drawn.new_zeros(len(self.seeds), 1, fan_out).requires_grad_())
            if self.batch_norm and layer < len(self.sizes) - 2:
                ones = drawn.new_ones(len(self.seeds), 1, fan_out)
                self.norms.append((ones.requires_grad_(), torch.zeros_like(ones).requires_grad_()))

    def parameters(self) -> list[Tensor]:
        """All that is trained."""
        return [*self.weights, *self.biases, *(one for pair in self.norms for one in pair)]

    def hidden(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits ``(seeds, n, classes)`` and the pre-activations of each hidden layer, ``(seeds, n, width)``.

        Parameters
        ----------
        x : Tensor
            ``(n, in)``, the same for all seeds, or ``(seeds, n, in)``.
        """
        x = x.to(self.dtype)
        x = x if x.dim() == 3 else x.expand(len(self.seeds), *x.shape)
        before = []
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            z = torch.baddbmm(bias, x, weight)
            if self.norms:
                scale, shift = self.norms[layer]
                variance, mean = torch.var_mean(z, dim=1, keepdim=True, correction=0)
                z = scale * (z - mean) / (variance + 1e-5).sqrt() + shift
            before.append(z)
            x = self.activation(z)
        return torch.baddbmm(self.biases[-1], x, self.weights[-1]), before

    def logits(self, x: Tensor) -> Tensor:
        """``(seeds, n, classes)``."""
        return self.hidden(x)[0]

    def losses(self, x: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy of each seed, in nats; ``labels`` is ``(n,)`` or ``(seeds, n)``."""
        logits = self.logits(x)
        labels = labels.expand(len(self.seeds), labels.shape[-1])
        each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return each.view(len(self.seeds), -1).mean(dim=1)

    @torch.no_grad()
    def accuracy(self, x: Tensor, labels: Tensor) -> list[float]:
        """Per cent of the examples, one value a seed; a seed whose logits are not finite has none right."""
        logits = self.logits(x)
        right = (logits.argmax(dim=2) == labels) & logits.isfinite().all(dim=2)
        return (100 * right.double().mean(dim=1)).tolist()

    def gradient_norms(self, x: Tensor, labels: Tensor) -> Tensor:
        """Norm of the loss's gradient by each hidden layer's weights: ``(seeds, hidden layers)``."""
        gradients = torch.autograd.grad(self.losses(x, labels).sum(), self.weights[:-1])
        return torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients], dim=1)

    def train(
        self,
        x: Tensor,
        labels: Tensor,
        *,
        learning_rate: float,
        epochs: int,
        batch: int,
        optimiser: str = "adam",
        watch: Callable[[int], None] | None = None,
        every: int = 1,
    ) -> Stack:
        """Train in place, each seed with its own order of the examples.

        Parameters
        ----------
        x, labels : Tensor
            ``(n, in)`` and ``(n,)``.
        learning_rate : float
        epochs, batch : int
            A last batch that is not full is left out.
        optimiser : {"adam", "sgd"}
            Plain, without momentum and decay where it is ``"sgd"``.
        watch : callable, optional
            Called with the number of steps taken, before the first, after each ``every``-th and after the last.
        every : int

        Returns
        -------
        Stack
            Itself.

        Raises
        ------
        ValueError
            For another optimiser, or a batch larger than the data.
        """
        if optimiser not in ("adam", "sgd"):
            raise ValueError(f"optimiser is {optimiser!r}, choose 'adam' or 'sgd'")
        if batch > len(x):
            raise ValueError(f"batch is {batch}, and there are {len(x)} examples: choose at most that many")
        chosen = torch.optim.Adam if optimiser == "adam" else torch.optim.SGD
        method = chosen(self.parameters(), lr=learning_rate, fused=True)
        generators = [torch.Generator().manual_seed(1_000_003 + seed) for seed in self.seeds]
        step, last = 0, epochs * (len(x) // batch)
        if watch:
            watch(0)
        for _ in range(epochs):
            orders = torch.stack([torch.randperm(len(x), generator=g) for g in generators])
            for rows in orders[:, : len(x) // batch * batch].split(batch, dim=1):
                method.zero_grad()
                self.losses(x[rows], labels[rows]).sum().backward()
                method.step()
                step += 1
                if watch and (step % every == 0 or step == last):
                    watch(step)
        return self
