"""What the loop needs to know of a task."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

__all__ = ["Task"]


@runtime_checkable
class Task(Protocol):
    """A model with its data and its loss.

    The loop knows nothing else; a task keeps no state of its own that changes while training.

    Attributes
    ----------
    model : torch.nn.Module
        On the device already, initialised from the run's seed.

    Examples
    --------
    >>> import torch
    >>> class Line:
    ...     def __init__(self):
    ...         self.model = torch.nn.Linear(1, 1)
    ...     def batch(self, step, rank=0, world_size=1):
    ...         x = torch.linspace(-1, 1, 8)[:, None]
    ...         return x, 2 * x
    ...     def loss(self, model, batch):
    ...         return (model(batch[0]) - batch[1]).square().mean()
    ...     def evaluate(self, model):
    ...         return {"slope": float(model.weight)}
    >>> isinstance(Line(), Task)
    True
    """

    model: nn.Module

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> Any:
        """This process's share of the batch of update ``step``; a function of its arguments only."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Mean loss of the batch, a scalar."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics by name; the loop calls it in evaluation mode and without gradients."""
