"""The multilayer perceptron of the experiments."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .activation import Activation, make_activation

__all__ = ["MLP"]


class MLP(nn.Sequential):
    r"""Flatten, then ``Linear, activation, ..., Linear``.

    With one hidden layer it is :math:`x \mapsto W_2\,\lambda(W_1 x + b_1) + b_2`.
    The linear layers are made before the activations,
    so two models built from one seed start from equal weights whatever their activation.

    Parameters
    ----------
    in_features : int
        Entries of one flattened input.
    hidden : sequence of int
        Widths of the hidden layers; empty for a linear model.
    out_features : int
    activation : str or callable
        A registered name, or a factory called without arguments once for each hidden layer:
        a class such as ``nn.ReLU``, or ``lambda: CoLU(dim=4)``; see :func:`colu.lab.models.make_activation`.
        Hidden layers have shape (batch, width), the channels last.

    Raises
    ------
    ValueError
        If a width is below 1.
    TypeError
        If ``activation`` is a module rather than a factory: one module would be shared by all layers.

    Examples
    --------
    >>> import torch
    >>> model = MLP(64, [512], 10, activation=nn.ReLU)
    >>> model(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    >>> sum(p.numel() for p in model.parameters())
    38410
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        out_features: int,
        activation: Activation = nn.ReLU,
    ) -> None:
        widths = [in_features, *hidden, out_features]
        if min(widths) < 1:
            raise ValueError(f"widths are {widths}, each must be at least 1")
        linears = [nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)]
        layers: list[nn.Module] = [nn.Flatten()]
        for linear in linears[:-1]:
            layers += [linear, make_activation(activation, linear.out_features)]
        super().__init__(*layers, linears[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of shape (batch, out_features) for ``x`` of shape (batch, ...)."""
        return super().forward(x)
