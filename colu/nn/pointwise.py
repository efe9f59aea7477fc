"""Pointwise activations without learnable parameters: torch's own, hard Mish and quick GELU.

The package torch_activation has other functions under two of these names: its HardSigmoid is
min(max((x + 1) / 2, 0), 1), and its RReLU divides by a number from [3, 8], in evaluation by 5.5, where torch multiplies
by one from [1/8, 1/3], in evaluation by their mean; a constant of its SELU differs in the eighth digit.
"""

import functools

from torch import Tensor, fx, nn

from colu.functional import hard_mish, quick_gelu
from colu.geometry import Symmetry

from ._facts import permutations
from .registry import register, register_symmetry

__all__ = ["HardMish", "QuickGELU"]

for _name in ("hard_mish", "quick_gelu"):
    fx.wrap(_name)


class HardMish(nn.Module):
    r"""Hard Mish, :func:`colu.functional.hard_mish`.

    .. math:: f(x) = \tfrac12\, x \min(\max(x + 2, 0), 2)

    Parameters
    ----------
    inplace : bool
        Accepted because timm passes it; never in place.

    Examples
    --------
    >>> import torch
    >>> HardMish()(torch.tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, inplace: bool = False):
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return hard_mish(x)


class QuickGELU(nn.Module):
    r"""Quick GELU, :func:`colu.functional.quick_gelu`.

    .. math:: f(x) = x\,\sigma(1.702\,x)

    Parameters
    ----------
    inplace : bool
        Accepted because timm passes it; never in place.

    Examples
    --------
    >>> import torch
    >>> QuickGELU()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8458])
    """

    def __init__(self, inplace: bool = False):
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return quick_gelu(x)


def _add(name, module, formula, *, lipschitz, homogeneity="none", odd=False, symmetry=None, **facts):
    symmetry = symmetry or permutations(scales=homogeneity == "positive", signs=odd)
    register(
        name,
        module,
        formula,
        lipschitz=lipschitz,
        homogeneity=homogeneity,
        symmetry=symmetry,
        pointwise=True,
        family="pointwise",
        **facts,
    )


_add(
    "identity",
    nn.Identity,
    "x",
    lipschitz=1.0,
    homogeneity="positive",
    symmetry=lambda module, channels: Symmetry("linear", channels),
)
_add("relu", nn.ReLU, r"\max(x, 0)", lipschitz=1.0, homogeneity="positive", citation="nair2010relu")
_add("leaky-relu", nn.LeakyReLU, r"\max(x, 0.01 x)", lipschitz=1.0, homogeneity="positive", citation="maas2013leaky")
_add(
    "rrelu",
    nn.RReLU,
    r"\max(x, 0) + a \min(x, 0)",
    lipschitz=1.0,
    homogeneity="positive",
    citation="xu2015rrelu",
    notes="In training the slope a is drawn from [1/8, 1/3], for each entry; in evaluation it is their mean.",
)
_add("relu6", nn.ReLU6, r"\min(\max(x, 0), 6)", lipschitz=1.0)
_add("silu", nn.SiLU, r"x\,\sigma(x)", lipschitz=1.0998394, citation="elfwing2018silu")
_add("gelu", nn.GELU, r"x\,\Phi(x)", lipschitz=1.1289042, citation="hendrycks2016gelu")
_add(
    "gelu-tanh",
    functools.partial(nn.GELU, approximate="tanh"),
    r"\tfrac12 x\,(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))",
    lipschitz=1.1289931,
    citation="hendrycks2016gelu",
)
_add("quick-gelu", QuickGELU, r"x\,\sigma(1.702 x)", lipschitz=1.0998394, citation="hendrycks2016gelu")
_add("mish", nn.Mish, r"x \tanh(\log(1 + e^x))", lipschitz=1.0884982, citation="misra2020mish")
_add(
    "hard-mish",
    HardMish,
    r"\tfrac12\, x \min(\max(x + 2, 0), 2)",
    lipschitz=1.0,
    notes="Of the package timm, in no paper that we know.",
)
_add("elu", nn.ELU, r"\max(x, 0) + \min(e^x - 1, 0)", lipschitz=1.0, citation="clevert2016elu")
_add(
    "celu",
    nn.CELU,
    r"\max(x, 0) + \min(\alpha(e^{x/\alpha} - 1), 0)",
    lipschitz=1.0,
    citation="barron2017celu",
    notes="At its default of 1 for the constant it is ELU.",
)
_add(
    "selu",
    nn.SELU,
    r"\lambda (\max(x, 0) + \min(\alpha(e^x - 1), 0))",
    lipschitz=1.7580994,
    citation="klambauer2017selu",
    notes="Two constants, 1.0507 and 1.6733, keep mean 0 and variance 1.",
)
_add("softplus", nn.Softplus, r"\log(1 + e^x)", lipschitz=1.0)
_add("logsigmoid", nn.LogSigmoid, r"\log \sigma(x)", lipschitz=1.0, aliases=("log-sigmoid",))
_add("tanh", nn.Tanh, r"\tanh x", lipschitz=1.0, odd=True)
_add("hardtanh", nn.Hardtanh, r"\min(\max(x, -1), 1)", lipschitz=1.0, odd=True, aliases=("hard-tanh",))
_add("softsign", nn.Softsign, r"x / (1 + |x|)", lipschitz=1.0, odd=True, citation="glorot2010")
_add("sigmoid", nn.Sigmoid, r"\sigma(x) = 1 / (1 + e^{-x})", lipschitz=0.25)
_add(
    "hardsigmoid",
    nn.Hardsigmoid,
    r"\min(\max(x + 3, 0), 6) / 6",
    lipschitz=0.1666667,
    citation="howard2019mobilenetv3",
    aliases=("hard-sigmoid",),
)
_add(
    "hardswish",
    nn.Hardswish,
    r"x \min(\max(x + 3, 0), 6) / 6",
    lipschitz=1.5,
    citation="howard2019mobilenetv3",
    aliases=("hard-swish",),
)
_add("tanhshrink", nn.Tanhshrink, r"x - \tanh x", lipschitz=1.0, odd=True)
_add("softshrink", nn.Softshrink, r"x - \min(\max(x, -\tfrac12), \tfrac12)", lipschitz=1.0, odd=True)
_add(
    "hardshrink",
    nn.Hardshrink,
    r"x\,\mathbf 1\{|x| > \tfrac12\}",
    lipschitz=None,
    odd=True,
    notes="Jumps at 1/2.",
)

# Torch's, whose two numbers have no default; the registry's own threshold is another map.
register_symmetry(nn.Threshold, permutations())
