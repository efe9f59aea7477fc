"""Whether two digits are of one class: a comparison of arms that a chapter can run itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from colu.lab import data
from colu.lab.models import ResidualPerceptrons
from colu.lab.training import cross_entropy, train_together

from .arms import get_arm

__all__ = ["Tuned", "blocks_of", "pairs_of_digits", "same_or_not", "tuned_blocks"]

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


def blocks_of(arm: str, *, seeds: Iterable[int], inputs: int, outputs: int) -> ResidualPerceptrons:
    """Untrained residual perceptrons of an arm, one for each seed, with about as many weights as those of any other.

    Gated arms have two thirds of the width, and what a block adds has the same size for every arm.

    Parameters
    ----------
    arm : str
    seeds : iterable of int
    inputs, outputs : int

    Raises
    ------
    ValueError
        For an arm that learns its shape, which all networks would share.

    Examples
    --------
    >>> networks = blocks_of("swiglu", seeds=[0, 1], inputs=64, outputs=10)
    >>> networks(torch.zeros(3, 64)).shape, networks.num_parameters
    (torch.Size([2, 3, 10]), 19134)
    """
    hidden = get_arm(arm).hidden(HIDDEN)
    act = get_arm(arm).for_channels(hidden[0])
    normal = torch.randn(4096, hidden[0], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gain = float(act(normal).square().mean()) ** -0.5
    return ResidualPerceptrons([inputs, WIDTH, outputs], act, hidden, seeds=seeds, blocks=DEPTH, gain=gain)


@dataclass(frozen=True, eq=False)
class Tuned:
    """What became of one arm.

    Attributes
    ----------
    rate : float
        Chosen on images that training did not see.
    accuracies : list of float
        On the test images, one value a seed.
    networks : ResidualPerceptrons
    """

    rate: float
    accuracies: list[float]
    networks: ResidualPerceptrons


def _pairs(images: Tensor, labels: Tensor, seeds: Iterable[int], count: int) -> tuple[Tensor, Tensor]:
    """Pairs of each seed, ``(seeds, count, ...)``."""
    drawn = [same_or_not(images, labels, count, torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack([pairs for pairs, _ in drawn]), torch.stack([same for _, same in drawn])


def tuned_blocks(
    arms: Iterable[str],
    *,
    seeds: Sequence[int],
    rates: Sequence[float],
    steps: int,
    tuning_seeds: Sequence[int] = (1000, 1001),
) -> dict[str, Tuned]:
    """Train every arm to tell whether two digits are of one class, each at the rate that is best for it.

    All arms see the same pairs in the same order, each pair once.
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
    inputs = 2 * images.shape[1]
    trial_rates, trial_seeds = zip(*product(rates, tuning_seeds), strict=True)
    small = _pairs(images[:KNOWN], labels[:KNOWN], trial_seeds, steps * BATCH)
    whole = _pairs(images, labels, seeds, steps * BATCH)
    judge = same_or_not(images[KNOWN:], labels[KNOWN:], 2000, torch.Generator().manual_seed(1))
    test = same_or_not(*pairs_of_digits("test"), 2000, torch.Generator().manual_seed(2))
    # The pairs are drawn in a random order, half of each batch of one class: no need to mix them again.
    plan = {"steps": steps, "batch": BATCH, "shuffle": False, "schedule": "linear"}
    found = {}
    for arm in arms:
        trial = blocks_of(arm, seeds=trial_seeds, inputs=inputs, outputs=2)
        train_together(trial, cross_entropy, *small, lr=trial_rates, **plan)
        scores = torch.tensor(trial.accuracy(*judge)).view(len(rates), -1).mean(1)
        rate = rates[int(scores.argmax())]
        networks = blocks_of(arm, seeds=seeds, inputs=inputs, outputs=2)
        train_together(networks, cross_entropy, *whole, lr=rate, **plan)
        found[arm] = Tuned(rate, networks.accuracy(*test), networks)
    return found
