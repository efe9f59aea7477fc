"""Swap the activations of diffusers' models without touching their time embedding."""

from __future__ import annotations

from torch import Tensor, nn

from colu.lab.models import make_activation
from colu.lab.models.activation import Activation

__all__ = ["OnFeatureMaps", "replace_feature_activations"]


class OnFeatureMaps(nn.Module):
    r"""One activation for feature maps, another for vectors.

    .. math:: y = a(x) \text{ for } x \text{ of rank 4}, \qquad y = b(x) \text{ else}

    The residual block of diffusers holds *one* activation and calls it three times: after each normalisation, and on
    the time vector. Only the rank of the input tells the calls apart.

    Parameters
    ----------
    maps : torch.nn.Module
        The activation under test.
    vectors : torch.nn.Module
        What is kept.

    Examples
    --------
    >>> import torch
    >>> act = OnFeatureMaps(nn.ReLU(), nn.Identity())
    >>> float(act(-torch.ones(1, 1, 1, 1))), float(act(-torch.ones(1, 1)))
    (0.0, -1.0)
    """

    def __init__(self, maps: nn.Module, vectors: nn.Module) -> None:
        super().__init__()
        self.maps, self.vectors = maps, vectors

    def forward(self, x: Tensor) -> Tensor:
        """Activate ``x`` of any shape; the shape stays."""
        return self.maps(x) if x.ndim == 4 else self.vectors(x)


def replace_feature_activations(model: nn.Module, activation: Activation) -> list[str]:
    """Swap, in place, the activations that diffusers' residual blocks apply to feature maps.

    Also swaps the one before the last convolution (``conv_act``).
    The time embedding, and every call on a time vector, keep what they have; weights and their names stay as they are.

    Parameters
    ----------
    model : torch.nn.Module
        A ``UNet2DModel``, an ``AutoencoderKL``, or another model of these blocks.
    activation : str or callable
        Without parameters, as one block has two widths; see :func:`colu.lab.models.make_activation`.

    Returns
    -------
    list of str
        Names of the swapped modules, in the model's order.

    Raises
    ------
    ValueError
        For a model without such blocks, or an activation with parameters, which would change the state dict.

    Examples
    --------
    >>> from diffusers import AutoencoderKL
    >>> model = AutoencoderKL(in_channels=1, out_channels=1, block_out_channels=(8,), norm_num_groups=4)
    >>> replace_feature_activations(model, "colu")[-1]
    'decoder.conv_act'
    """
    found = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in ("nonlinearity", "conv_act")]
    if not found:
        raise ValueError(f"{type(model).__name__} has no 'nonlinearity' or 'conv_act'; give a model of diffusers")
    swaps = {}
    for name in found:
        old, new = model.get_submodule(name), make_activation(activation, 0)
        if isinstance(old, OnFeatureMaps):
            old = old.vectors
        if new.state_dict():
            raise ValueError(f"{new!r} has parameters, and keys of the state dict would change; choose one without")
        swaps[name] = OnFeatureMaps(new, old)
    for name, module in swaps.items():
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, module.train(model.training))
    return found
