"""The symmetry of a whole transformer: its stream, its heads and its perceptrons."""

from __future__ import annotations

from torch import nn

from colu.checks import check_choice

from .groups import Orthogonal, Permutation
from .propagate import from_chains
from .spec import FIXED, Part, Spec
from .states import unwrapped

__all__ = ["transformer_spec"]

_BLOCK = ("norm1", "qkv", "out", "norm2", "up", "act", "down")


def transformer_spec(model: nn.Module, *, heads: str = "turn", rotate: bool = True) -> Spec:
    r"""The specification of a :class:`colu.lab.models.GPT`, written by hand where nothing can be traced.

    Three kinds of groups: permutations of the residual ``stream``, tied over all blocks because each adds to it;
    what the activation of each perceptron has; and for each attention either permutations of its heads or,
    inside each head, orthogonal maps: one that query and key share, one that value and output share.

    .. math:: (R q_i)^\top (R k_i) = q_i^\top k_i, \qquad (O_i R^\top)(R\, v_i) = O_i v_i

    Parameters
    ----------
    model : Module
        With embeddings ``tokens`` and ``positions``, blocks of ``norm1``, ``qkv``, ``out``, ``norm2``, ``up``,
        ``act`` and ``down``, a last ``norm`` and a ``head``, named as in :class:`colu.lab.models.GPT`.
    heads : {"turn", "move"}
        Maps inside each head, or permutations of whole heads.
    rotate : bool
        False asks for permutations of cones only.

    Returns
    -------
    Spec
        Groups ``stream``, and for each block those of its attention and its perceptron.

    Raises
    ------
    ValueError
        For a model without such blocks.

    Notes
    -----
    A LayerNorm with a gain for each channel leaves permutations of the stream and no other orthogonal map.
    Query and key, and value and output, allow any invertible map; orthogonal ones keep the norm of the weights,
    as matching by inner products supposes.

    Examples
    --------
    >>> from colu.lab.models import GPT
    >>> from colu.nn import CoLU
    >>> model = GPT(65, length=16, width=32, depth=1, heads=2, activation=lambda: CoLU(dim=4))
    >>> list(transformer_spec(model).groups)
    ['stream', 'blocks.0.qk0', 'blocks.0.qk1', 'blocks.0.vo0', 'blocks.0.vo1', 'blocks.0.up']
    >>> list(transformer_spec(model, heads="move").groups)
    ['stream', 'blocks.0.attention', 'blocks.0.up']
    """
    check_choice("heads", heads, ("turn", "move"))
    model = unwrapped(model)
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
        size = block.out.in_features // block.heads
        if heads == "move":
            groups[f"{name}.attention"] = Permutation(block.heads)
            value = query = (Part(f"{name}.attention", repeat=size),)
        else:
            query, value = (tuple(f"{name}.{pair}{k}" for k in range(block.heads)) for pair in ("qk", "vo"))
            groups |= dict.fromkeys((*query, *value), Orthogonal(size))
        axes |= {f"{name}.{norm}.{kind}": ("stream",) for norm in ("norm1", "norm2") for kind in ("weight", "bias")}
        axes |= {
            f"{name}.qkv.weight": (query + query + value, "stream"),
            f"{name}.qkv.bias": (query + query + value,),
            f"{name}.out.weight": ("stream", value),
            f"{name}.out.bias": ("stream",),
            f"{name}.up.weight": (axes[f"{name}.up.weight"][0], "stream"),
            f"{name}.down.weight": ("stream", axes[f"{name}.down.weight"][1]),
            f"{name}.down.bias": ("stream",),
        }
        groups |= {key: group for key, group in inside.groups.items() if key.startswith(f"{name}.")}
    return Spec(groups, axes)
