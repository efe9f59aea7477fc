"""The symmetry of a whole transformer: its stream, its heads and its perceptrons."""

from __future__ import annotations

from torch import nn

from .groups import Permutation
from .spec import FIXED, Part, Spec
from .trace import from_chains

__all__ = ["transformer_spec"]

_BLOCK = ("norm1", "qkv", "out", "norm2", "up", "act", "down")


def transformer_spec(model: nn.Module, *, rotate: bool = True) -> Spec:
    r"""The specification of a :class:`colu.models.GPT`, written by hand where nothing can be traced.

    Three kinds of groups: permutations of the residual ``stream``, tied over all blocks because each adds to it;
    permutations of the heads of each attention, which carry query, key and value of a head together;
    and what the activation of each perceptron has.

    .. math:: h_i = \operatorname{softmax}(q_i^\top k_i)\, v_i, \qquad
              \sum_i O_i h_i = \sum_i O_{\pi(i)} h_{\pi(i)}

    Parameters
    ----------
    model : Module
        With embeddings ``tokens`` and ``positions``, blocks of ``norm1``, ``qkv``, ``out``, ``norm2``, ``up``,
        ``act`` and ``down``, a last ``norm`` and a ``head``, named as in :class:`colu.models.GPT`.
    rotate : bool
        False asks for permutations of cones only.

    Returns
    -------
    Spec
        Groups ``stream``, and for each block its ``attention`` and its perceptron.

    Raises
    ------
    ValueError
        For a model without such blocks.

    Notes
    -----
    A LayerNorm with a gain for each channel leaves permutations of the stream and no other orthogonal map.
    Invertible maps inside a head, between query and key or between value and output, are symmetries as well;
    they are not searched.

    Examples
    --------
    >>> from colu.models import GPT
    >>> from colu.nn import CoLU
    >>> spec = transformer_spec(GPT(65, length=16, width=32, depth=1, activation=lambda: CoLU(dim=4)))
    >>> list(spec.groups)
    ['stream', 'blocks.0.attention', 'blocks.0.up']
    """
    blocks = {n: m for n, m in model.named_modules() if all(hasattr(m, part) for part in _BLOCK)}
    if not blocks:
        raise ValueError(
            f"{type(model).__name__} has no blocks of {', '.join(_BLOCK)}; "
            "write the Spec by hand, or name chains of layers with from_chains"
        )
    chains = [[f"{name}.{layer}" for layer in ("up", "act", "down")] for name in blocks]
    inside = from_chains(model, chains, rotate=rotate)
    axes = dict(inside.axes)
    groups = {"stream": Permutation(model.norm.weight.shape[0])}
    # An embedding makes the channels on its second axis.
    made = Part("stream", side="out")
    axes |= {"tokens.weight": (FIXED, made), "positions.weight": (FIXED, made)}
    axes |= {"norm.weight": ("stream",), "norm.bias": ("stream",), "head.weight": (FIXED, "stream")}
    for name, block in blocks.items():
        heads = f"{name}.attention"
        groups[heads] = Permutation(block.heads)
        part = Part(heads, repeat=block.out.in_features // block.heads)
        axes |= {f"{name}.{norm}.{kind}": ("stream",) for norm in ("norm1", "norm2") for kind in ("weight", "bias")}
        axes |= {
            f"{name}.qkv.weight": ((part,) * 3, "stream"),
            f"{name}.qkv.bias": ((part,) * 3,),
            f"{name}.out.weight": ("stream", part),
            f"{name}.out.bias": ("stream",),
            f"{name}.up.weight": (axes[f"{name}.up.weight"][0], "stream"),
            f"{name}.down.weight": ("stream", axes[f"{name}.down.weight"][1]),
            f"{name}.down.bias": ("stream",),
        }
        groups |= {key: group for key, group in inside.groups.items() if key.startswith(f"{name}.")}
    return Spec(groups, axes)
