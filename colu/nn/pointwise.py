"""Torch's own pointwise activations, entered in the registry as baselines."""

from torch import nn

from .registry import register

_PERM = r"\mathrm{Perm}(C)"
_SCALED = r"\mathbb R_{>0} \wr \mathrm{Perm}(C)"


def _add(name, module, formula, *, lipschitz, homogeneity="none", citation="", **facts):
    group = _SCALED if homogeneity == "positive" else _PERM
    register(name, module, formula, citation=citation, lipschitz=lipschitz, homogeneity=homogeneity,
             equivariance=group, pointwise=True, family="pointwise", **facts)  # fmt: skip


_add("identity", nn.Identity, "x", lipschitz=1.0, homogeneity="positive")
_add("relu", nn.ReLU, r"\max(x, 0)", lipschitz=1.0, homogeneity="positive")
_add("leaky-relu", nn.LeakyReLU, r"\max(x, 0.01 x)", lipschitz=1.0, homogeneity="positive")
_add("silu", nn.SiLU, r"x\,\sigma(x)", lipschitz=1.0998394)
_add("gelu", nn.GELU, r"x\,\Phi(x)", lipschitz=1.1289042)
_add("elu", nn.ELU, r"\max(x, 0) + \min(e^x - 1, 0)", lipschitz=1.0)
_add("softplus", nn.Softplus, r"\log(1 + e^x)", lipschitz=1.0)
_add("tanh", nn.Tanh, r"\tanh x", lipschitz=1.0)
_add("sigmoid", nn.Sigmoid, r"\sigma(x) = 1 / (1 + e^{-x})", lipschitz=0.25)
