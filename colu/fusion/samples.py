"""Samples as people have them, by position or by name, whole or in batches, and what a network makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["call", "count", "first", "inputs_of", "is_pair", "like", "outputs_of", "pairs"]


def like(model: nn.Module, example):
    """Inputs where the model is, floating ones in its dtype."""
    held = next(model.parameters(), torch.empty(0))

    def sent(one):
        if not isinstance(one, Tensor):
            return one
        return one.to(held.device, held.dtype if one.is_floating_point() else one.dtype)

    return tree_map(sent, example)


def call(model: nn.Module, example):
    """The model on an example: a tensor, a tuple of arguments, or a dict of arguments by name."""
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, tuple) else model(example)


def outputs_of(model: nn.Module, x) -> Tensor:
    """What a network makes of inputs, where and as it wants them: the logits where it says which they are."""
    found = call(model, like(model, x))
    found = getattr(found, "logits", found)
    return found[0] if isinstance(found, tuple) else found


def count(x) -> int:
    """How many samples inputs hold."""
    return len(next(one for one in tree_leaves(x) if isinstance(one, Tensor)))


def first(x, number: int):
    """The first samples of inputs, by position or by name."""
    return tree_map(lambda one: one[:number] if isinstance(one, Tensor) and one.dim() else one, x)


def is_pair(data) -> bool:
    """Whether data are all inputs and all labels, and no batches of them.

    Examples
    --------
    >>> is_pair((torch.ones(3, 2), torch.ones(3))), is_pair([(torch.ones(3, 2), torch.ones(3))])
    (True, False)
    """
    return isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], Tensor | Mapping)


def pairs(data, chunk: int = 1000) -> Iterator[tuple]:
    """Batches of inputs and labels.

    Examples
    --------
    >>> [len(y) for _, y in pairs(({"x": torch.ones(5, 2)}, torch.ones(5)), 2)]
    [2, 2, 1]
    """
    if not is_pair(data):
        yield from data
        return
    x, y = data
    if (number := count(x)) != len(y):
        raise ValueError(f"{number} samples have {len(y)} labels; give one each")
    for start in range(0, number, chunk):
        yield tree_map(lambda one, start=start: one[start : start + chunk], x), y[start : start + chunk]


def inputs_of(batches: Iterable | Tensor | Mapping, model: nn.Module) -> Iterator:
    """Inputs of each batch, a tensor, a dict or what a tuple starts with, where and as the model wants them."""
    for batch in [batches] if isinstance(batches, Tensor | Mapping) else batches:
        yield like(model, batch if isinstance(batch, Tensor | Mapping) else batch[0])
