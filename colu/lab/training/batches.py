"""Batches made on the device: order and augmentation are functions of seed and step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["ImageBatches", "TokenBatches", "generator_for", "seed_for"]


def seed_for(seed: int, *labels: object) -> int:
    """A seed for one use of one run: a hash of ``seed`` and ``labels``, below 2**63.

    Examples
    --------
    >>> seed_for(0, "order", 3) == seed_for(0, "order", 3)
    True
    >>> seed_for(0, "order", 3) == seed_for(0, "order", 4)
    False
    """
    text = "/".join(map(str, (seed, *labels)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_for(seed: int, *labels: object) -> torch.Generator:
    """A CPU generator seeded by :func:`colu.lab.training.seed_for`, so that a GPU run sees the numbers of a CPU run."""
    return torch.Generator().manual_seed(seed_for(seed, *labels))


def _share(index: Tensor, rank: int, world_size: int) -> Tensor:
    """Every ``world_size``-th entry; the shares of all processes make up the batch."""
    return index[rank::world_size]


@dataclass
class _Order:
    """A new order of ``n`` things each epoch; the incomplete last batch is left out."""

    n: int
    batch_size: int
    seed: int
    _epoch: int = -1
    _order: Tensor = field(default_factory=lambda: torch.empty(0))

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.n:
            raise ValueError(f"batch_size is {self.batch_size} for {self.n} examples; wanted 1 to {self.n}")

    @property
    def steps_per_epoch(self) -> int:
        return self.n // self.batch_size

    def at(self, step: int) -> Tensor:
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = torch.randperm(self.n, generator=generator_for(self.seed, "order", epoch))
            self._epoch = epoch
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]


class ImageBatches:
    """Batches of a whole image set on its device.

    Parameters
    ----------
    images : torch.Tensor, shape (n, channels, height, width), uint8
    labels : torch.Tensor, shape (n,), int64
    batch_size : int
    seed : int
    mean, std : torch.Tensor, shape (channels,), optional
        Of pixels in [0, 1]; pixels become ``(x / top - mean) / std``.
    top : int
        Largest pixel value.
    crop : int
        Zero padding of a random crop; 0 for none.
    flip : bool
        Whether half the images are mirrored.

    Examples
    --------
    >>> images = torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8)
    >>> batches = ImageBatches(images, torch.arange(10), 4, seed=0, crop=2, flip=True)
    >>> x, y = batches.at(5)
    >>> x.shape, x.dtype, torch.equal(x, batches.at(5)[0])
    (torch.Size([4, 3, 8, 8]), torch.float32, True)
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        *,
        seed: int,
        mean: Tensor | None = None,
        std: Tensor | None = None,
        top: int = 255,
        crop: int = 0,
        flip: bool = False,
    ) -> None:
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images for {len(labels)} labels; wanted one label an image")
        if crop < 0:
            raise ValueError(f"crop is {crop}, wanted a padding of at least 0 pixels")
        self.images, self.labels, self.seed, self.top, self.crop, self.flip = images, labels, seed, top, crop, flip
        self._order = _Order(len(images), batch_size, seed)
        channels = images.shape[1]
        zero, one = torch.zeros(channels), torch.ones(channels)
        self.mean = (zero if mean is None else mean).to(images.device).view(-1, 1, 1)
        self.std = (one if std is None else std).to(images.device).view(-1, 1, 1)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the set."""
        return self._order.steps_per_epoch

    def normalise(self, images: Tensor) -> Tensor:
        """Pixels as the model sees them, float32."""
        return (images.to(torch.float32) / self.top - self.mean) / self.std

    def at(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Images and labels of update ``step``: the share of process ``rank``."""
        batch_size = self._order.batch_size
        if batch_size % world_size:
            raise ValueError(f"batch_size {batch_size} does not divide by {world_size} processes; choose a multiple")
        index = _share(self._order.at(step), rank, world_size).to(self.labels.device)
        images = self.images[index]
        if self.crop or self.flip:
            images = self._augmented(images, step, rank, world_size)
        return self.normalise(images), self.labels[index]

    def _augmented(self, images: Tensor, step: int, rank: int, world_size: int) -> Tensor:
        n, channels, height, width = images.shape
        generator = generator_for(self.seed, "augment", step)
        # Drawn for the whole batch, so the images do not depend on the number of processes.
        draws = torch.randint(2 * self.crop + 1, (2, self._order.batch_size), generator=generator)
        mirrored = torch.rand(self._order.batch_size, generator=generator) < 0.5
        top, left = (_share(row, rank, world_size).to(images.device)[:, None] for row in draws)
        rows = top + torch.arange(height, device=images.device)
        columns = left + torch.arange(width, device=images.device)
        if self.flip:
            mirrored = _share(mirrored, rank, world_size).to(images.device)[:, None]
            columns = torch.where(mirrored, columns.flip(1), columns)
        padded = torch.nn.functional.pad(images, (self.crop,) * 4)
        stride = width + 2 * self.crop
        flat = (rows[:, :, None] * stride + columns[:, None, :]).view(n, 1, height * width)
        chosen = padded.flatten(2).gather(2, flat.expand(n, channels, height * width))
        return chosen.view(n, channels, height, width)


class TokenBatches:
    """Windows of one long sequence of tokens, drawn uniformly with replacement.

    Parameters
    ----------
    tokens : torch.Tensor, shape (n,), int64
    batch_size, length : int
        Windows an update, and tokens a window.
    seed : int

    Examples
    --------
    >>> x, y = TokenBatches(torch.arange(100), 2, 8, seed=0).at(0)
    >>> torch.equal(y, x + 1)
    True
    """

    def __init__(self, tokens: Tensor, batch_size: int, length: int, *, seed: int) -> None:
        if len(tokens) < length + 1:
            raise ValueError(f"{len(tokens)} tokens for windows of {length}: wanted at least {length + 1}")
        self.tokens, self.batch_size, self.length, self.seed = tokens, batch_size, length, seed

    def at(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Tokens and the tokens that follow them, each of shape (batch, length)."""
        if self.batch_size % world_size:
            raise ValueError(f"batch_size {self.batch_size} does not divide by {world_size} processes")
        starts = torch.randint(
            len(self.tokens) - self.length, (self.batch_size,), generator=generator_for(self.seed, "windows", step)
        )
        starts = _share(starts, rank, world_size).to(self.tokens.device)
        window = self.tokens[starts[:, None] + torch.arange(self.length + 1, device=starts.device)]
        return window[:, :-1], window[:, 1:]
