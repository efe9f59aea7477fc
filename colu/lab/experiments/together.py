"""Small residual perceptrons of many seeds and rates, trained at once: a comparison that a chapter can run itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from colu.lab import data

from .arms import get_arm

__all__ = ["BlockNetworks", "Tuned", "pairs_of_digits", "same_or_not", "tuned_blocks"]

WIDTH, HIDDEN, DEPTH, BATCH = 32, 128, 2, 32
#: Training images that tuning sees, of 1,347; the others choose the rate.
KNOWN = 1000


def same_or_not(images: Tensor, labels: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of images, side by side, and whether their classes are the same; every second pair is.

    Parameters
    ----------
    images : Tensor, shape (n, pixels)
    labels : Tensor, shape (n,)
        Classes from 0 on, of each at least one image.
    count : int
    generator : torch.Generator

    Returns
    -------
    pairs : Tensor, shape (count, 2 pixels)
    same : Tensor, shape (count,), int64

    Examples
    --------
    >>> x, y = torch.eye(4), torch.tensor([0, 0, 1, 1])
    >>> pairs, same = same_or_not(x, y, 6, torch.Generator().manual_seed(0))
    >>> pairs.shape, same.tolist()
    (torch.Size([6, 8]), [1, 0, 1, 0, 1, 0])
    """
    sizes = torch.bincount(labels)
    by_class, begins = torch.argsort(labels, stable=True), sizes.cumsum(0) - sizes
    first = torch.randint(len(images), (count,), generator=generator)
    same = torch.arange(count) % 2 == 0
    other = (labels[first] + torch.randint(1, len(sizes), (count,), generator=generator)) % len(sizes)
    wanted = torch.where(same, labels[first], other)
    place = (torch.rand(count, generator=generator) * sizes[wanted]).long()
    second = by_class[begins[wanted] + place]
    return torch.cat([images[first], images[second]], dim=1), same.long()


def pairs_of_digits(split: str) -> tuple[Tensor, Tensor]:
    """The digits as rows with the mean 0 and the spread 1 of the training set, and their classes."""
    train, wanted = data.load("digits", "train").scaled(), data.load("digits", split)
    return (wanted.scaled() - train.mean()).flatten(1) / train.std(), wanted.labels


@dataclass(frozen=True, eq=False)
class BlockNetworks:
    r"""Networks of one arm that differ in their seed, and stand in one tensor for each layer.

    A linear layer, two blocks :math:`x \mapsto x + W_2 f(W_1 x / \operatorname{rms}(x) + b_1) + b_2`, and a linear
    layer behind the same division.
    Gated arms have two thirds of the width, so that a block has as many weights as a plain one.
    Weights are normal with the variance :math:`1/n`, those of :math:`W_2` with :math:`1/(n\,\mathbb E f(z)^2)`: what
    a block adds has the same size for every arm.

    Parameters
    ----------
    arm : str
    act : callable
        On rows.
    tensors : list of Tensor
        Weight and bias of each layer in turn, the seeds on axis 0.
    touch : callable, optional
        What is done to the values behind each activation, such as rounding them.

    Examples
    --------
    >>> networks = BlockNetworks.start("swiglu", seeds=[0, 1], inputs=64, outputs=10)
    >>> networks(torch.zeros(3, 64)).shape, networks.num_parameters
    (torch.Size([2, 3, 10]), 19134)
    """

    arm: str
    act: Callable[[Tensor], Tensor]
    tensors: list[Tensor]
    touch: Callable[[Tensor], Tensor] | None = None

    @classmethod
    def start(cls, arm: str, seeds: Iterable[int], inputs: int, outputs: int) -> BlockNetworks:
        """Untrained networks, one for each seed."""
        before, behind = get_arm(arm).hidden(HIDDEN)
        act = get_arm(arm).for_channels(before)
        if any(True for _ in act.parameters()):
            raise ValueError(f"{arm!r} learns a shape, which networks that stand in one tensor would share")
        normal = torch.randn(4096, before, generator=torch.Generator().manual_seed(0))
        moment = float(act(normal).square().mean())
        shapes = [(inputs, WIDTH, 1.0), *[(WIDTH, before, 1.0), (behind, WIDTH, moment)] * DEPTH, (WIDTH, outputs, 1.0)]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        tensors = []
        for rows, columns, size in shapes:
            drawn = [torch.randn(rows, columns, generator=g) / math.sqrt(rows * size) for g in generators]
            tensors += [torch.stack(drawn), torch.zeros(len(drawn), 1, columns)]
        return cls(arm, act, [tensor.requires_grad_() for tensor in tensors])

    @property
    def num_parameters(self) -> int:
        """Of one network."""
        return sum(tensor[0].numel() for tensor in self.tensors)

    def touched(self, touch: Callable[[Tensor], Tensor] | None) -> BlockNetworks:
        """The same networks with something else done behind the activations."""
        return replace(self, touch=touch)

    def __call__(self, x: Tensor) -> Tensor:
        """Logits of shape (seeds, batch, outputs) for rows (batch, inputs), or for rows of each seed."""
        x = x.expand(len(self.tensors[0]), -1, -1)
        layers = list(zip(self.tensors[::2], self.tensors[1::2], strict=True))
        x = torch.baddbmm(layers[0][1], x, layers[0][0])
        for (up, first), (down, second) in zip(layers[1:-1:2], layers[2:-1:2], strict=True):
            hidden = self.act(torch.baddbmm(first, _divided(x), up).flatten(0, 1)).unflatten(0, x.shape[:2])
            hidden = hidden if self.touch is None else self.touch(hidden)
            x = x + torch.baddbmm(second, hidden, down)
        return torch.baddbmm(layers[-1][1], _divided(x), layers[-1][0])

    def accuracy(self, x: Tensor, wanted: Tensor) -> list[float]:
        """Per cent of right answers, one value a seed."""
        with torch.no_grad():
            return (100 * (self(x).argmax(2) == wanted).double().mean(1)).tolist()


def _divided(x: Tensor) -> Tensor:
    """Rows over their root mean square."""
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


@dataclass(frozen=True, eq=False)
class Tuned:
    """What became of one arm.

    Attributes
    ----------
    rate : float
        Chosen on images that training did not see.
    accuracies : list of float
        On the test images, one value a seed.
    networks : BlockNetworks
    """

    rate: float
    accuracies: list[float]
    networks: BlockNetworks


def _train(networks: BlockNetworks, batches: Sequence[tuple[Tensor, Tensor]], rates: Sequence[float]) -> None:
    """Adam with a rate for each network that falls to 0 along a line; the batches are (seeds, batch, ...)."""
    moments = [(torch.zeros_like(t), torch.zeros_like(t)) for t in networks.tensors]
    rate = torch.tensor(rates).view(-1, 1, 1)
    for step, (x, wanted) in enumerate(batches):
        # A sum over the networks, so that each has the gradient of its own mean.
        loss = F.cross_entropy(networks(x).flatten(0, 1), wanted.flatten(), reduction="sum") / wanted.shape[1]
        gradients = torch.autograd.grad(loss, networks.tensors)
        # Both corrections for the start of Adam, and the rate of each network, in the one factor of the divisor.
        size = rate * (1 - step / len(batches)) * (1 - 0.999 ** (step + 1)) ** 0.5 / (1 - 0.9 ** (step + 1))
        with torch.no_grad():
            for tensor, gradient, (mean, square) in zip(networks.tensors, gradients, moments, strict=True):
                mean.lerp_(gradient, 0.1)
                square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                tensor.addcdiv_(mean, square.sqrt().add_(1e-9).div_(size), value=-1)


def _batches(images: Tensor, labels: Tensor, seeds: Sequence[int], steps: int) -> list[tuple[Tensor, Tensor]]:
    """The batches of each seed, one tensor a step."""
    drawn = [same_or_not(images, labels, steps * BATCH, torch.Generator().manual_seed(seed)) for seed in seeds]
    x = torch.stack([pairs for pairs, _ in drawn]).unflatten(1, (steps, BATCH))
    wanted = torch.stack([same for _, same in drawn]).unflatten(1, (steps, BATCH))
    return list(zip(x.unbind(1), wanted.unbind(1), strict=True))


def tuned_blocks(
    arms: Iterable[str],
    *,
    seeds: Sequence[int],
    rates: Sequence[float],
    steps: int,
    tuning_seeds: Sequence[int] = (1000, 1001),
) -> dict[str, Tuned]:
    """Train every arm to tell whether two digits are of one class, each at the rate that is best for it.

    All arms see the same pairs in the same order.
    Every rate is tried on seeds of its own with 1,000 of the training images, and judged on the 347 others.

    Parameters
    ----------
    arms : iterable of str
        Names of arms without parameters of their own.
    seeds, tuning_seeds : sequence of int
        Of initial weights and of the pairs.
    rates : sequence of float
    steps : int
        Updates with 32 pairs.

    Returns
    -------
    dict of str to Tuned

    Raises
    ------
    ValueError
        If a seed is used for both.

    Examples
    --------
    >>> found = tuned_blocks(["relu"], seeds=[0, 1], rates=[1e-3], steps=2)
    >>> found["relu"].rate, len(found["relu"].accuracies)
    (0.001, 2)
    """
    if shared := set(seeds) & set(tuning_seeds):
        raise ValueError(f"seed {min(shared)} is used for tuning and for the comparison; give each its own")
    images, labels = pairs_of_digits("train")
    tried = [(rate, seed) for rate in rates for seed in tuning_seeds]
    small = _batches(images[:KNOWN], labels[:KNOWN], [seed for _, seed in tried], steps)
    whole = _batches(images, labels, seeds, steps)
    judge = same_or_not(images[KNOWN:], labels[KNOWN:], 2000, torch.Generator().manual_seed(1))
    test = same_or_not(*pairs_of_digits("test"), 2000, torch.Generator().manual_seed(2))
    found = {}
    for arm in arms:
        trial = BlockNetworks.start(arm, [seed for _, seed in tried], images.shape[1] * 2, 2)
        _train(trial, small, [rate for rate, _ in tried])
        scores = torch.tensor(trial.accuracy(*judge)).view(len(rates), -1).mean(1)
        rate = rates[int(scores.argmax())]
        networks = BlockNetworks.start(arm, seeds, images.shape[1] * 2, 2)
        _train(networks, whole, [rate] * len(seeds))
        found[arm] = Tuned(rate, networks.accuracy(*test), networks)
    return found
