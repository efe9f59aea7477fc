"""What each operation of torch does to the labels of channels; one that is not here fixes what it touches."""

from __future__ import annotations

import torch
from torch import Tensor

from .atoms import varying
from .contractions import Contractions
from .entries import LINEAR
from .labels import Labels
from .moves import MOVES, Moves
from .norms import BATCH_NORM, REDUCTIONS, SOFTMAX, SPATIAL, SPATIAL_EACH, SUMS, Norms

__all__ = ["ASKING", "FACTORIES", "Operations"]

#: Only the shape of what they read matters.
FACTORIES = {"new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like",
             "rand_like", "randn_like", "new_empty_strided"}  # fmt: skip
#: What they give is a number of Python, not a tensor.
ASKING = {"_local_scalar_dense", "equal", "is_nonzero"}
_COPIES = {"_to_copy", "contiguous"}


class Operations(Moves, Contractions, Norms):
    """Reads and writes labels, operation by operation."""

    def apply(self, func, args, kwargs, out, known, place: str):
        """The labels of what an operation returns, in the structure of ``out``; None where nothing is known."""
        name = func.overloadpacket.__name__
        plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        handler = getattr(self, f"_do_{plain}", None)
        if plain not in MOVES and plain not in _COPIES:
            self._note_uses(plain, args, known, place)
        if plain in MOVES:
            return self._move(func, plain, args, kwargs, out, known, place)
        if handler is not None:
            return handler(args, kwargs, out, known, place)
        first = known(args[0]) if args and isinstance(args[0], Tensor) else None
        if plain in _COPIES:
            return None if first is None else Labels(first.legs, first.parameter, first.norm)
        if plain in SPATIAL or plain in SPATIAL_EACH:
            return self._spatial(plain, first, out, place)
        if plain in SUMS or plain in REDUCTIONS:
            return self._reduce(plain, args, kwargs, first, out, place)
        if plain in SOFTMAX:
            return self._softmax(args, first, out, place)
        if plain in BATCH_NORM:
            return self._batch_norm(args, first, out, known, place)
        if torch.Tag.pointwise in _tags(func, name, plain) or plain in LINEAR:
            return self._elementwise(plain, args, kwargs, out, known, place)
        self.refuse(args, kwargs, known, place)
        return None

    def _note_uses(self, plain, args, known, place: str) -> None:
        """Which weights read what a norm has made, and what else does."""
        found = [known(one) for one in args if isinstance(one, Tensor)]
        norms = {labels.norm for labels in found if labels is not None and labels.norm}
        reader = None
        if plain in ("mm", "addmm", "convolution"):
            x, weight = (known(one) for one in (args[1:3] if plain == "addmm" else args[:2]))
            if x is not None and x.norm and weight is not None and weight.parameter and len(weight.legs) > 1:
                reader = self._reading_axis(plain, args, weight)
        for norm in norms:
            self.norm_uses.setdefault(norm, []).append(place if reader is None else (weight.parameter, reader))
        for labels in found:
            if labels is not None and labels.parameter and len(labels.legs) > 1:
                self.weight_uses.setdefault(labels.parameter, set()).add(None if reader is None else x.norm)

    @staticmethod
    def _reading_axis(plain, args, weight: Labels) -> int | None:
        if plain == "convolution":
            return (0 if args[6] else 1) if args[8] == 1 else None
        axes = [axis for axis, leg in enumerate(weight.legs) if 0 in varying(leg)]
        return axes[0] if len(axes) == 1 else None


def _tags(func, name: str, plain: str):
    """Of an operation in place those of the one that is not, which some lack."""
    if plain == name or func.namespace != "aten":
        return func.tags
    same = getattr(getattr(torch.ops.aten, plain, None), func._overloadname, None)
    return func.tags if same is None else same.tags
