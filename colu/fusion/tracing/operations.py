"""What each operation of torch does to the labels of channels; one that is not here fixes what it touches."""

from __future__ import annotations

import torch
from torch import Tensor

from .contractions import Contractions
from .entries import LINEAR
from .labels import Labels
from .moves import MOVES, Moves
from .norms import BATCH_NORM, REDUCTIONS, SOFTMAX, SPATIAL, SPATIAL_EACH, SUMS, Norms

__all__ = ["FACTORIES", "Operations"]

#: Only the shape of what they read matters.
FACTORIES = {"new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like",
             "rand_like", "randn_like", "new_empty_strided"}  # fmt: skip
_COPIES = {"_to_copy", "contiguous"}


class Operations(Moves, Contractions, Norms):
    """Reads and writes labels, operation by operation."""

    def apply(self, func, args, kwargs, out, known, place: str):
        """The labels of what an operation returns, in the structure of ``out``; None where nothing is known."""
        name = func.overloadpacket.__name__
        plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        handler = getattr(self, f"_do_{plain}", None)
        if plain in MOVES:
            return self._move(func, plain, args, kwargs, out, known, place)
        if handler is not None:
            return handler(args, kwargs, out, known, place)
        first = known(args[0]) if args and isinstance(args[0], Tensor) else None
        if plain in _COPIES:
            return None if first is None else Labels(first.legs, first.parameter)
        if plain in SPATIAL or plain in SPATIAL_EACH:
            return self._spatial(plain, first, out, place)
        if plain in SUMS or plain in REDUCTIONS:
            return self._reduce(plain, args, kwargs, first, out, place)
        if plain in SOFTMAX:
            return self._softmax(args, first, out, place)
        if plain in BATCH_NORM:
            return self._batch_norm(args, first, out, known, place)
        if torch.Tag.pointwise in func.tags or plain in LINEAR:
            return self._elementwise(plain, args, kwargs, out, known, place)
        self.refuse(args, kwargs, known, place)
        return None
