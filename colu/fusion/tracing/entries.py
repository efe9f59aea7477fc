"""Operations entry by entry: which channels they tie, and what they leave of rotations and signs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .atoms import ZERO, matched, squashed, varying
from .copies import paired
from .labels import POSITIONS, SINGLE, Labels, Rules

__all__ = ["LINEAR", "Entries"]

LINEAR = {"add", "sub", "rsub", "mul", "div", "neg"}
_ODD = {"tanh", "sin", "asinh", "erf", "atan", "sinh", "tan", "hardshrink", "softshrink", "sign"}


class Entries(Rules):
    """Sums, products and functions of single entries."""

    def _elementwise(self, name, args, kwargs, out, known, place):
        if not isinstance(out, Tensor):
            self.refuse(args, kwargs, known, place)
            return None
        operands = [one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
        tracked = [(tensor, known(tensor)) for tensor in operands]
        if all(labels is None for _, labels in tracked):
            return None
        product = name in ("mul", "div")
        legs: list[Tensor] = []
        owners: list[str | None] = []
        self._by_parameter = self._meets = False
        for _, labels in tracked:
            for leg in labels.legs if labels is not None else ():
                self._meet(legs, owners, leg.expand(out.shape), labels.parameter, product, place)
        parted, signs = self._demands(name, args, tracked)
        if name == "div" and len(tracked) > 1:
            for leg in tracked[1][1].legs if tracked[1][1] is not None else ():
                self.atoms.part(leg, place, signs=True)
        spread = [varying(leg) for leg in legs]
        for leg, dims, owner in zip(legs, spread, owners, strict=True):
            if parted:
                self.atoms.part(leg, place, signs=signs)
                continue
            for tensor, labels in tracked:
                if labels is None:
                    self._constant(name, leg, dims, tensor.expand(out.shape), place)
                elif not any(varying(one.expand(out.shape)) & dims for one in labels.legs):
                    if any(size > 1 for size in _sizes(tensor, out, dims)):
                        # Data that are another for each of these channels.
                        self.atoms.fix(leg, POSITIONS if owner else place)
                    elif not product:
                        # One number for all of these channels is added to each.
                        self.atoms.part(leg, place, signs=False)
        if name in ("add", "sub", "rsub") and any(isinstance(n, int | float) and n for n in args[1:2]):
            for leg in legs:
                self.atoms.part(leg, place, signs=False)
        return Labels(legs)

    def _demands(self, name, args, tracked) -> tuple[bool, bool]:
        """Whether each channel must stay by itself, and whether its sign may change."""
        count = sum(labels is not None for _, labels in tracked)
        if name in ("add", "sub", "rsub", "neg"):
            return False, True
        if name in ("mul", "div"):
            if count == 1:
                divided = name == "div" and not (isinstance(args[0], Tensor) and tracked[0][1] is not None)
                return divided, True
            # Numbers of whole units, or along other axes, leave the frame of channels as it is.
            return self._meets, self._by_parameter
        return True, name in _ODD and count == 1

    _by_parameter = _meets = False

    def _constant(self, name, leg, dims, tensor, place) -> None:
        """A tensor that no group moves meets channels."""
        differs = any(tensor.shape[dim] > 1 and tensor.stride(dim) and _differs(tensor, dim) for dim in dims)
        adds = name in ("add", "sub", "rsub")
        if adds and not tensor.any():
            return
        if differs:
            self.atoms.part(leg, place, signs=not adds)
            self.atoms.mark(*_contents(leg, tensor))
        elif adds:
            self.atoms.part(leg, place, signs=False)

    def _meet(self, legs, owners, leg, owner, product, place) -> None:
        """Put a leg beside the others of an operation, or unite it with the one that varies where it does."""
        dims = varying(leg)
        if not dims:
            if (leg.flatten()[:1] > ZERO).any() and leg.numel():
                # A single entry: all of its channel.
                self.atoms.fix(leg.flatten()[:1], SINGLE)
            return
        for index, other in enumerate(legs):
            if not varying(other) & dims:
                # What copies make of channels that all of them share is another thing for each pair.
                if product and (pairs := paired(self.atoms, *torch.broadcast_tensors(other, leg), place)) is not None:
                    legs[index], owners[index] = pairs, None
                    return
                continue
            # Where both vary alike, an entry that repeats is one channel at several places.
            kind = "same" if varying(other) == dims else matched(other, leg)
            if kind == "same":
                self._meets = True
                if product and (owner or owners[index]):
                    self._by_parameter = True
                    self.even.add(owner or owners[index])
                self.atoms.unite(other, leg)
                legs[index] = _filled(other, leg)
                owners[index] = owners[index] and owner
            elif kind == "holds":
                self.atoms.hold(leg, other, place)
                legs[index] = leg
                self._share(leg, product, place)
            elif kind == "held":
                self.atoms.hold(other, leg, place)
                self._share(other, product, place)
            elif product and (pairs := paired(self.atoms, *torch.broadcast_tensors(other, leg), place)) is not None:
                legs[index], owners[index] = pairs, None
            else:
                self.atoms.fix(leg, place)
                self.atoms.fix(other, place)
            return
        legs.append(leg)
        owners.append(owner)

    def _share(self, children, product, place) -> None:
        if not product:
            self.atoms.part(children, place, signs=False)


def _sizes(tensor: Tensor, out: Tensor, dims) -> list[int]:
    """The own sizes of a tensor along dimensions of what it is broadcast to."""
    lead = out.dim() - tensor.dim()
    # What is expanded has one number there.
    return [tensor.shape[dim - lead] if dim >= lead and tensor.stride(dim - lead) else 1 for dim in dims]


def _filled(one: Tensor, other: Tensor) -> Tensor:
    """Labels, with the others' where there are zeros."""
    short, rest = squashed(one, other)
    return torch.where(short == ZERO, rest, short).expand(one.shape) if (short == ZERO).any() else one


def _differs(tensor: Tensor, dim: int) -> bool:
    first = tensor.narrow(dim, 0, 1)
    return bool((tensor != first).any()) and not bool((tensor.isnan() & first.isnan()).all())


def _contents(leg: Tensor, tensor: Tensor) -> tuple[Tensor, Tensor]:
    """For each channel a number that tells what constants it meets, in the order in which it meets them."""
    flat, values = leg.flatten(), tensor.flatten().double().nan_to_num(0.5, 1e9, -1e9)
    order = torch.argsort(flat, stable=True)
    each, counts = torch.unique(flat, return_counts=True)
    rank = torch.arange(len(flat)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    weights = torch.rand(int(counts.max()), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sums = torch.zeros(len(each), dtype=torch.float64)
    place = torch.repeat_interleave(torch.arange(len(each)), counts)
    sums.index_add_(0, place, values[order] * (1 + weights[rank]))
    scale = sums.abs().amax().clamp_min(1e-300)
    return each, (sums / scale * 2 ** math.floor(math.log2(1e9))).round().long()
