"""Operations that only move entries: their labels move in the same way."""

from __future__ import annotations

import torch
from torch import Tensor

from .atoms import CONSTANT, ZERO, common, varying
from .labels import SYMBOLS, Labels, Rules

__all__ = ["MOVES", "Moves"]

MOVES = {
    "alias", "cat", "clone", "constant_pad_nd", "detach", "expand", "flip", "index_select", "lift_fresh",
    "narrow", "permute", "pixel_shuffle", "pixel_unshuffle", "repeat", "roll", "rot90", "select", "slice",
    "split", "split_with_sizes", "squeeze", "stack", "t", "transpose", "unbind", "unfold", "unsqueeze", "view",
    "_unsafe_view", "_reshape_alias", "im2col", "channel_shuffle", "native_channel_shuffle", "unsafe_split",
    "unsafe_split_with_sizes",
}  # fmt: skip


class Moves(Rules):
    """Views, slices, permutations, concatenation, lookups."""

    def _move(self, func, name, args, kwargs, out, known, place):
        if name in ("cat", "stack"):
            return self._join(func, name, args, kwargs, out, known, place)
        labels = known(args[0])
        if labels is None:
            return None
        results = [self._moved(func, name, leg, args, kwargs, out, place) for leg in labels.legs]
        if isinstance(out, Tensor):
            same = labels.parameter if name in ("detach", "alias", "expand", "view", "unsqueeze", "squeeze",
                                                "_unsafe_view", "clone", "slice", "select", "t", "permute",
                                                "transpose", "lift_fresh") else None  # fmt: skip
            return Labels(results, same, labels.norm)
        return [Labels([r[k] for r in results], labels.parameter, labels.norm) for k in range(len(out))]

    def _moved(self, func, name, leg, args, kwargs, out, place):
        if name in ("view", "_unsafe_view", "_reshape_alias"):
            return leg.reshape(out.shape)
        if name == "constant_pad_nd":
            value = args[2] if len(args) > 2 else 0
            return func(leg, args[1], ZERO if not value else CONSTANT)
        if name in ("clone", "lift_fresh"):
            return leg
        if name in ("unfold", "im2col") and varying(leg) & set(range(2, leg.dim())):
            self.atoms.fix(leg, place)
        if name == "im2col":
            # It is not there for integers, and pads with zeros.
            return func((leg - ZERO).double(), *args[1:], **kwargs).long() + ZERO
        return func(leg, *args[1:], **{key: value for key, value in kwargs.items() if key != "memory_format"})

    def _join(self, func, name, args, kwargs, out, known, place):
        tensors, rest = args[0], args[1:]
        found = [known(tensor) for tensor in tensors]
        if all(one is None for one in found):
            return None
        dim = (rest[0] if rest else kwargs.get("dim", 0)) % out.dim()
        keys: dict[frozenset[int], list] = {}
        for index, one in enumerate(found):
            for leg in one.legs if one is not None else ():
                spread = varying(leg)
                if name == "cat" and (spread or one.parameter is None):
                    key = spread - {dim}
                elif spread:
                    key = frozenset(d + (d >= dim) for d in spread)
                else:
                    continue
                pieces = keys.setdefault(key, [None] * len(tensors))
                if pieces[index] is not None:
                    self.atoms.fix(leg, place)
                pieces[index] = leg
        legs = []
        for key, pieces in keys.items():
            whole = [one for one in pieces if one is not None]
            if name == "cat" and key and len(whole) == len(pieces) and not any(dim in varying(one) for one in whole):
                # What follows each other along samples or tokens has the same channels.
                first = common(whole[0], dim)
                for one in whole[1:]:
                    self.atoms.unite(first, common(one, dim))
                legs.append(first.expand(out.shape))
                continue
            for index, tensor in enumerate(tensors):
                if pieces[index] is None:
                    empty = ZERO if found[index] is None and tensor.numel() and not tensor.any() else CONSTANT
                    pieces[index] = torch.full((), empty).expand(tensor.shape)
            legs.append(func(pieces, *rest, **kwargs))
        return Labels(legs)

    def _do_index(self, args, kwargs, out, known, place):
        labels, where = known(args[0]), args[1]
        for index in where:
            if isinstance(index, Tensor) and known(index) is not None:
                self.refuse((index,), {}, known, place)
        if labels is None:
            return None
        dims = {dim for dim, index in enumerate(where) if index is not None}
        legs = []
        for leg in labels.legs:
            if len(labels.legs) > 1 and varying(leg) & dims:
                self.atoms.fix(leg, SYMBOLS if labels.parameter else place)
            else:
                legs.append(torch.ops.aten.index.Tensor(leg.contiguous(), list(where)))
        return Labels(legs, labels.parameter)

    def _do_gather(self, args, kwargs, out, known, place):
        x, dim, index = args[0], args[1] % out.dim(), args[2]
        self.refuse((index,), {}, known, place)
        labels = known(x)
        if labels is None:
            return None
        legs = []
        for leg in labels.legs:
            spread = varying(leg)
            others = {axis for axis in range(out.dim()) if axis != dim and out.shape[axis] != x.shape[axis]}
            if dim in spread or spread & others or any(self._parts(index, axis, known) for axis in spread):
                self.refuse(args, {}, known, place)
                return None
            for axis in others:
                leg = leg.narrow(axis, 0, 1)
            legs.append(common(leg, dim).expand(out.shape))
        return Labels(legs)

    def _do_embedding(self, args, kwargs, out, known, place):
        table = known(args[0])
        if table is None:
            return None
        self.atoms.fix(table.legs[0], SYMBOLS)
        return Labels([table.legs[1][0].expand(out.shape)])

    def _do__embedding_bag(self, args, kwargs, out, known, place):
        table, weights = known(args[0]), args[6] if len(args) > 6 else None
        self.refuse((weights,), {}, known, place)
        if table is None:
            return None
        self.atoms.fix(table.legs[0], SYMBOLS)
        if (args[4] if len(args) > 4 else 0) == 2:
            # The largest of each column.
            self.atoms.part(table.legs[1], place, signs=False)
        return [Labels([table.legs[1][0].expand(out[0].shape)]), *(Labels([]) for _ in out[1:])]

    _do__embedding_bag_forward_only = _do__embedding_bag

    def _do_copy(self, args, kwargs, out, known, place):
        self.refuse(args, kwargs, known, place)
        return None

    def _do_as_strided(self, args, kwargs, out, known, place):
        if out.dim() == args[0].dim() and tuple(args[1]) == tuple(args[0].shape):
            return known(args[0])
        self.refuse(args, kwargs, known, place)
        return None

    def _do_where(self, args, kwargs, out, known, place):
        return self._elementwise("where", args, kwargs, out, known, place)

    def _do_masked_fill(self, args, kwargs, out, known, place):
        return self._elementwise("masked_fill", args, kwargs, out, known, place)
