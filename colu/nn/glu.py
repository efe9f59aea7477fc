"""Gated linear units as modules, and the width at which they cost what a plain layer does."""

import functools

from torch import Tensor, fx, nn

from colu.checks import check_axis, check_choice, check_int
from colu.functional import glu
from colu.functional.glu import GATES
from colu.geometry import Symmetry

from ._facts import CHANNELS, shown
from .registry import register

__all__ = ["GLU", "glu_width"]

fx.wrap("glu")


class GLU(nn.Module):
    r"""Gated linear unit, :func:`colu.functional.glu`: ``2 C`` channels become ``C``.

    .. math:: f(a, b) = a \odot \varphi(b)

    It holds no linear map: the layer before makes both halves, twice as many channels as come out.

    Parameters
    ----------
    gate : {"sigmoid", "relu", "gelu", "silu", "identity"}
        :math:`\varphi`; with SiLU it is SwiGLU.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, 2 C)``. Torch's own ``nn.GLU`` takes the last by default.
    gate_last : bool
        Whether the second half is the gate.

    References
    ----------
    Dauphin et al., ICML 2017, arXiv 1612.08083; Shazeer, 2020, arXiv 2002.05202.

    Examples
    --------
    >>> import torch
    >>> width = glu_width(4 * 64)
    >>> block = nn.Sequential(nn.Linear(64, 2 * width), GLU("silu", channel_dim=-1), nn.Linear(width, 64))
    >>> block(torch.zeros(2, 5, 64)).shape
    torch.Size([2, 5, 64])
    """

    def __init__(self, gate: str = "sigmoid", channel_dim: int = 1, gate_last: bool = True):
        super().__init__()
        check_choice("gate", gate, tuple(GATES))
        self.gate, self.channel_dim, self.gate_last = gate, check_axis(channel_dim), gate_last

    def forward(self, x: Tensor) -> Tensor:
        return glu(x, self.gate, channel_dim=self.channel_dim, gate_last=self.gate_last)

    def extra_repr(self) -> str:
        return f"{self.gate!r}{shown(self.channel_dim)}{'' if self.gate_last else ', gate_last=False'}"


def glu_width(hidden: int, multiple: int = 1) -> int:
    r"""Channels that come out of a gated unit in a block with the weights of a plain one.

    A plain block of ``n`` to ``hidden`` to ``n`` has :math:`2 n h` weights, a gated one of width ``w`` has
    :math:`3 n w`: hence

    .. math:: w = \tfrac23 h

    Parameters
    ----------
    hidden : int
        :math:`h`, channels of the plain block.
    multiple : int
        Round to the nearest multiple of this, at least one of it.

    Returns
    -------
    int
        :math:`w`; the layer before the unit has twice as many channels.

    References
    ----------
    Shazeer, GLU Variants Improve Transformer, 2020, arXiv 2002.05202, section 2.

    Examples
    --------
    >>> glu_width(3072), glu_width(4096, 256)
    (2048, 2816)
    """
    hidden, multiple = check_int("hidden", hidden, 1), check_int("multiple", multiple, 1)
    # In integers: two thirds of a large width are no float.
    return max(1, (4 * hidden + 3 * multiple) // (6 * multiple)) * multiple


def _pairs(module: GLU, channels: int) -> Symmetry:
    # A value and its gate are one unit, all values before all gates.
    return Symmetry("units", channels, dim=2, layout="axes_first", output="units")


def _add(name: str, gate: str, formula: str, **facts) -> None:
    register(
        name,
        functools.partial(GLU, gate=gate),
        formula,
        symmetry=_pairs,
        notes="Halves the channels: the layer before makes values and gates.",
        unfit=CHANNELS,
        **facts,
    )


_add("glu", "sigmoid", r"a\,\sigma(b)", citation="dauphin2017glu")
_add("reglu", "relu", r"a \max(b, 0)", citation="shazeer2020glu", homogeneity="of degree 2")
_add("geglu", "gelu", r"a\,b\,\Phi(b)", citation="shazeer2020glu")
_add("swiglu", "silu", r"a\,b\,\sigma(b)", citation="shazeer2020glu")
