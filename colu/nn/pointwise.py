"""Torch's own pointwise activations, entered in the registry as baselines."""

from torch import nn

from colu.geometry import Symmetry

from ._facts import permutations
from .registry import register, register_symmetry

__all__ = []

def _add(name, module, formula, *, lipschitz, homogeneity="none", symmetry=None, **facts):
    symmetry = symmetry or permutations(scales=homogeneity == "positive")
    register(name, module, formula, lipschitz=lipschitz, homogeneity=homogeneity, symmetry=symmetry,
             pointwise=True, family="pointwise", **facts)  # fmt: skip


_add(
    "identity",
    nn.Identity,
    "x",
    lipschitz=1.0,
    homogeneity="positive",
    symmetry=lambda module, channels: Symmetry("linear", channels),
)
_add("relu", nn.ReLU, r"\max(x, 0)", lipschitz=1.0, homogeneity="positive")
_add("leaky-relu", nn.LeakyReLU, r"\max(x, 0.01 x)", lipschitz=1.0, homogeneity="positive")
_add("silu", nn.SiLU, r"x\,\sigma(x)", lipschitz=1.0998394)
_add("gelu", nn.GELU, r"x\,\Phi(x)", lipschitz=1.1289042)
_add("elu", nn.ELU, r"\max(x, 0) + \min(e^x - 1, 0)", lipschitz=1.0)
_add("softplus", nn.Softplus, r"\log(1 + e^x)", lipschitz=1.0)
_add("tanh", nn.Tanh, r"\tanh x", lipschitz=1.0, symmetry=permutations(signs=True))
_add("sigmoid", nn.Sigmoid, r"\sigma(x) = 1 / (1 + e^{-x})", lipschitz=0.25)

# The rest of torch's, which have no name here, and those of them that are odd or positively homogeneous.
for _module in (nn.CELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LogSigmoid, nn.Mish, nn.ReLU6, nn.SELU):
    register_symmetry(_module, permutations())
register_symmetry(nn.Threshold, permutations())
for _module in (nn.Hardshrink, nn.Softshrink, nn.Softsign, nn.Tanhshrink):
    register_symmetry(_module, permutations(signs=True))
register_symmetry(nn.RReLU, permutations(scales=True))
