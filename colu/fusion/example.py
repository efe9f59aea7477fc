"""Inputs to compare networks on where none are given: numbers, or tokens, in a shape that the model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from .samples import first as sample
from .samples import outputs_of
from .states import unwrapped

__all__ = ["example_for"]

#: Height and width of images that are tried.
SIDES = (32, 224, 28, 64, 96, 128, 16, 8, 6)


def example_for(model: nn.Module, shape: tuple[int, ...] | None = None) -> Tensor | Mapping[str, Tensor] | None:
    """Inputs from a fixed seed, or None where no shape that is tried runs through the model.

    Parameters
    ----------
    model : Module
        Run in evaluation mode; its first layer, or what timm and transformers note in it, says what it reads.
    shape : tuple of int, optional
        Of one sample.

    Examples
    --------
    >>> example_for(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 2))).shape
    torch.Size([4, 3, 28, 28])
    """
    model, generator = unwrapped(model), torch.Generator().manual_seed(0)
    training = model.training
    try:
        for kind, sizes in [("numbers", shape)] if shape else _shapes(model):
            if kind == "tokens":
                x = torch.randint(sizes[0], (2, 8), generator=generator)
                x = {"input_ids": x} if hasattr(model, "config") else x
            else:
                x = torch.randn(4, *sizes, generator=generator, dtype=torch.float64)
            if shape or _runs(model, sample(x, 2)):
                return x
    finally:
        model.train(training)
    return None


def _shapes(model: nn.Module) -> Iterator[tuple[str, tuple[int, ...]]]:
    noted = getattr(model, "default_cfg", None)
    if isinstance(noted, Mapping) and "input_size" in noted:
        yield "numbers", tuple(noted["input_size"])
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            yield "tokens", (module.num_embeddings,)
            return
        if isinstance(module, nn.Linear):
            yield "numbers", (module.in_features,)
            yield "numbers", (1, module.in_features)
            return
        if isinstance(module, nn.Conv1d):
            yield "numbers", (module.in_channels, 64)
            return
        if isinstance(module, nn.Conv2d):
            yield from (("numbers", (module.in_channels, side, side)) for side in SIDES)
            return


@torch.no_grad()
def _runs(model: nn.Module, x) -> bool:
    try:
        outputs_of(model.eval(), x)
    except Exception:
        # Whatever a stranger's model raises at a shape, it is not this shape.
        return False
    return True
