"""How sparse a transformer's perceptrons are: exact zeros, and what is lost where small values are left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from colu.lab.models import GPT

__all__ = ["Zeros", "counted_zeros", "only_large"]


@dataclass
class Zeros:
    """Values that were seen, and how many of them are exactly 0."""

    zeros: int = 0
    values: int = 0

    @property
    def share(self) -> float:
        """Of all values; 0 where none was seen."""
        return self.zeros / max(self.values, 1)


@contextmanager
def _before_the_last_matrices(model: GPT, hook) -> Iterator[None]:
    with ExitStack() as stack:
        for block in model.blocks:
            stack.callback(block.down.register_forward_pre_hook(hook).remove)
        yield


@contextmanager
def counted_zeros(model: GPT) -> Iterator[Zeros]:
    """Count the exact zeros behind the activations of all perceptrons while the model is used.

    Examples
    --------
    >>> model = GPT(9, length=8, width=16, depth=1, heads=2, activation="relu")
    >>> with counted_zeros(model) as found:
    ...     _ = model(torch.zeros(4, 8, dtype=torch.long))
    >>> found.values, 0.2 < found.share < 0.8
    (2048, True)
    """
    found = Zeros()

    def count(module, inputs: tuple[Tensor]) -> None:
        found.zeros += int((inputs[0] == 0).sum())
        found.values += inputs[0].numel()

    with _before_the_last_matrices(model, count):
        yield found


@contextmanager
def only_large(model: GPT, share: float) -> Iterator[None]:
    r"""Set to 0 what is smallest behind the activations while the model is used.

    In each layer and call the threshold :math:`t` is the magnitude below which ``share`` of the values lie:

    .. math:: h_i \mapsto h_i \text{ if } |h_i| > t, \text{ else } 0

    Exact zeros count among the smallest, so where they are more than the share, nothing changes.

    Parameters
    ----------
    model : GPT
    share : float
        In [0, 1).

    Raises
    ------
    ValueError
        For a share outside that.

    Examples
    --------
    >>> model = GPT(9, length=8, width=16, depth=1, heads=2, activation="gelu")
    >>> with only_large(model, 0.75), counted_zeros(model) as found:
    ...     _ = model(torch.zeros(4, 8, dtype=torch.long))
    >>> found.share
    0.75
    """
    if not 0 <= share < 1:
        raise ValueError(f"share is {share}, wanted at least 0 and less than 1")

    def drop(module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        size = inputs[0].abs()
        if not (place := int(share * size.numel())):
            return inputs
        threshold = size.flatten().kthvalue(place).values
        return (torch.where(size > threshold, inputs[0], 0),)

    with _before_the_last_matrices(model, drop):
        yield
