"""One way for every model to be told its activation."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

__all__ = ["Activation", "make_activation"]

#: A registered name, a factory without arguments, or an object with ``for_channels(num_channels)``; one that has
#: ``for_layer(num_channels, kernel)`` is asked by that where a layer says the size of the filters before it.
Activation = str | Callable[[], nn.Module]


def make_activation(activation: Activation, num_channels: int, kernel: int | None = None) -> nn.Module:
    """A new activation module for a layer of ``num_channels``.

    Parameters
    ----------
    activation : str, callable, or object with ``for_channels``
        A name of :func:`colu.nn.list_activations`, a factory without arguments,
        or an arm of an experiment, which is told the channels.
    num_channels : int
    kernel : int, optional
        Side of the filters of the convolution before it, for arms that stand behind some of them only.

    Raises
    ------
    TypeError
        For a module: it would be shared by all layers.

    Examples
    --------
    >>> make_activation("prelu", 8)
    PReLU(num_parameters=8)
    >>> make_activation(nn.ReLU, 8)
    ReLU()
    """
    if isinstance(activation, str):
        from colu.nn import create

        return create(activation, num_channels=num_channels)
    if isinstance(activation, nn.Module):
        raise TypeError(
            f"activation is the module {activation!r}: give a name or a factory, for example lambda: CoLU(dim=4), "
            "so that each layer gets its own"
        )
    if kernel is not None and hasattr(activation, "for_layer"):
        return activation.for_layer(num_channels, kernel)
    if hasattr(activation, "for_channels"):
        return activation.for_channels(num_channels)
    return activation()
