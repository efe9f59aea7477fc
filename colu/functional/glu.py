"""Gated linear units: one half of the channels times a function of the other."""

__all__ = ["glu"]

import torch
from torch import Tensor
from torch.nn import functional

from colu.channels import taken
from colu.checks import check_channel_dim, check_choice, check_floating

GATES = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "identity": lambda x: x,
}


def glu(x: Tensor, gate: str = "sigmoid", *, channel_dim: int = 1, gate_last: bool = True) -> Tensor:
    r"""Gated linear unit: the channels are two halves, and one opens the other.

    .. math:: f(a, b) = a \odot \varphi(b)

    GLU with the sigmoid, ReGLU with ReLU, GeGLU with GELU, SwiGLU with SiLU; the identity is the bilinear layer.

    Parameters
    ----------
    x : Tensor
        ``(..., 2 C, ...)``: first :math:`a`, then :math:`b`; floating.
    gate : {"sigmoid", "relu", "gelu", "silu", "identity"}
        :math:`\varphi`.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, 2 C)``.
    gate_last : bool
        Whether :math:`b` is the second half, as in torch; some models of the package timm have it first, and so have
        SwiGLU, GEGLU and ReGLU of the package torch_activation.

    Returns
    -------
    Tensor
        ``C`` channels.

    Raises
    ------
    ValueError
        An odd number of channels, or an unknown gate.

    References
    ----------
    Dauphin, Fan, Auli and Grangier, Language Modeling with Gated Convolutional Networks, ICML 2017, arXiv 1612.08083;
    Shazeer, GLU Variants Improve Transformer, 2020, arXiv 2002.05202.

    Examples
    --------
    >>> glu(torch.tensor([[3.0, 4.0, 0.0, -1.0]]), "relu")
    tensor([[0., 0.]])
    >>> glu(torch.tensor([[[3.0, 4.0]]]), "identity", channel_dim=-1)
    tensor([[[12.]]])
    """
    check_floating(x, "glu")
    check_choice("gate", gate, tuple(GATES))
    place = check_channel_dim(x, channel_dim)
    if x.shape[place] % 2:
        raise ValueError(f"{x.shape[place]} channels do not make halves; use an even number{taken(x.shape, place)}")
    value, opened = x.chunk(2, place)
    return value * GATES[gate](opened) if gate_last else opened * GATES[gate](value)
