"""Many small networks trained at once, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from colu.lab.models import SideBySide

from .plan import Plan, learning_rate

__all__ = ["cross_entropy", "squared_error", "train_together"]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each network, ``(networks,)``.

    Parameters
    ----------
    outputs : Tensor
        ``(networks, batch, out)``.
    targets : Tensor
        ``(batch, out)`` for all networks, or ``(networks, batch, out)``.
    """
    return (outputs - targets).square().mean(dim=(1, 2))


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of each network in nats, ``(networks,)``.

    Parameters
    ----------
    outputs : Tensor
        Logits, ``(networks, batch, classes)``.
    labels : Tensor
        ``(batch,)`` for all networks, or ``(networks, batch)``; int64.
    """
    labels = labels.expand(outputs.shape[:2])
    losses = F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none")
    return losses.view(outputs.shape[:2]).mean(dim=1)


def train_together(
    networks: SideBySide,
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    *,
    lr: float | Sequence[float],
    steps: int,
    batch: int | None = None,
    shuffle: bool = True,
    optimiser: str = "adam",
    schedule: str = "constant",
    watch: Callable[[int], None] | None = None,
    every: int = 1,
) -> SideBySide:
    """Train networks that stand side by side, each at its own rate and on its own batches.

    Parameters
    ----------
    networks : SideBySide
        Trained in place, such as :class:`colu.lab.models.Perceptrons`.
    loss : callable
        From outputs ``(networks, batch, out)`` and targets ``(networks, batch, ...)`` to one loss a network,
        ``(networks,)``: :func:`squared_error`, :func:`cross_entropy`, or one of your own.
    x, y : Tensor
        Inputs ``(n, in)`` and targets ``(n, ...)`` for all networks, or ``(networks, n, in)`` and
        ``(networks, n, ...)``.
    lr : float or sequence of float
        Learning rate, one for all or one for each network.
    steps : int
    batch : int, optional
        Examples a step; None takes all of them in every step.
    shuffle : bool
        Whether each network goes through the examples in an order drawn from its seed, a new one when they are used
        up, or always as they stand. What does not fill a batch is left out.
    optimiser : {"adam", "sgd"}
        Plain, without momentum and decay where it is ``"sgd"``.
    schedule : {"constant", "cosine", "linear"}
        How the rate goes on, see :func:`colu.lab.training.learning_rate`; the last two fall to 0.
    watch : callable, optional
        Called with the number of steps taken, before the first, after each ``every``-th and after the last.
    every : int

    Returns
    -------
    SideBySide
        ``networks``, trained.

    Raises
    ------
    ValueError
        Rates that are neither one nor one for each network, a batch larger than the data, another optimiser or
        schedule.

    Examples
    --------
    >>> from colu.lab.models import Perceptrons
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> networks = Perceptrons([1, 16, 1], torch.tanh, seeds=[0, 1], bias=1.0)
    >>> before = squared_error(networks(x), x.square())
    >>> after = squared_error(train_together(networks, squared_error, x, x.square(), lr=0.02, steps=200)(x), x.square())
    >>> bool((after < before / 10).all())
    True
    """
    if optimiser not in ("adam", "sgd"):
        raise ValueError(f"optimiser is {optimiser!r}, choose 'adam' or 'sgd'")
    count = len(networks)
    rates = [lr] * count if isinstance(lr, int | float) else list(lr)
    if len(rates) != count:
        raise ValueError(f"{len(rates)} rates for {count} networks; give one, or one for each")
    if x.dim() == 2:
        # One set of examples for all networks, seen by each without a copy.
        x, y = x.expand(count, *x.shape), y.expand(count, *y.shape)
    if batch is not None and batch > x.shape[1]:
        raise ValueError(f"batch is {batch}, and there are {x.shape[1]} examples: choose at most that many")
    plan = Plan(steps=steps, batch_size=batch or x.shape[1], learning_rate=1.0, schedule=schedule)
    parameters = list(networks.parameters())
    rates = parameters[0].new_tensor(rates).view(-1, 1, 1)
    move = _adam(parameters) if optimiser == "adam" else _descent(parameters)
    batches = _batches(networks.seeds, x, y, batch, shuffle)
    if watch:
        watch(0)
    for step in range(steps):
        inputs, targets = next(batches)
        # No parameter has a part in two losses, so a sum trains each network as if it were alone. Behind an
        # activation without a slope, such as a step, there is nothing to go by: a gradient of zeros.
        total = loss(networks(inputs), targets).sum()
        gradients = torch.autograd.grad(total, parameters, materialize_grads=True)
        with torch.no_grad():
            move(gradients, learning_rate(plan, step) * rates)
        if watch and ((step + 1) % every == 0 or step + 1 == steps):
            watch(step + 1)
    return networks


def _batches(
    seeds: Sequence[int], x: Tensor, y: Tensor, batch: int | None, shuffle: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """All examples again and again, or batches of them in each network's own order."""
    while batch is None:
        yield x, y
    generators = [torch.Generator().manual_seed(1_000_003 + seed) for seed in seeds]
    which = torch.arange(len(seeds))[:, None]
    count = x.shape[1]
    while True:
        orders = [torch.randperm(count, generator=g) if shuffle else torch.arange(count) for g in generators]
        for rows in torch.stack(orders)[:, : count // batch * batch].split(batch, dim=1):
            yield x[which, rows], y[which, rows]


def _adam(parameters: Sequence[Tensor]) -> Callable[[Sequence[Tensor], Tensor], None]:
    """Steps of Adam whose rate may differ from network to network, as PyTorch's may not."""
    means = [torch.zeros_like(parameter) for parameter in parameters]
    squares = [torch.zeros_like(parameter) for parameter in parameters]
    taken = 0

    def move(gradients: Sequence[Tensor], rates: Tensor) -> None:
        nonlocal taken
        taken += 1
        # Both corrections for the start, and the rate, in the one factor of the divisor.
        root = (1 - 0.999**taken) ** 0.5
        factor = rates * (root / (1 - 0.9**taken))
        for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            parameter.addcdiv_(mean, square.sqrt().add_(1e-8 * root).div_(factor), value=-1)

    return move


def _descent(parameters: Sequence[Tensor]) -> Callable[[Sequence[Tensor], Tensor], None]:
    """Steps of plain gradient descent."""

    def move(gradients: Sequence[Tensor], rates: Tensor) -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.addcmul_(rates, gradient, value=-1)

    return move
