"""Products of matrices and convolutions: what they read and what they make."""

from __future__ import annotations

import torch
from torch import Tensor

from .atoms import CONSTANT, ZERO, canonical, common, varying
from .copies import copied
from .entries import Entries
from .labels import INPUTS, PIXELS, SINGLE, Labels

__all__ = ["Contractions"]


class Contractions(Entries):
    """A sum over channels is the same in every frame that both factors share."""

    def _do_mm(self, args, kwargs, out, known, place):
        return self._contract(args[0], args[1], out, known, place, batch=False)

    def _do_bmm(self, args, kwargs, out, known, place):
        return self._contract(args[0], args[1], out, known, place, batch=True)

    def _do_addmm(self, args, kwargs, out, known, place):
        return self._plus(args[0], self._contract(args[1], args[2], out, known, place, batch=False), out, known, place)

    def _do_baddbmm(self, args, kwargs, out, known, place):
        return self._plus(args[0], self._contract(args[1], args[2], out, known, place, batch=True), out, known, place)

    def _plus(self, bias, labels, out, known, place):
        """A bias beside the legs of a product."""
        found = known(bias)
        if labels is None and found is None:
            return None
        legs: list[Tensor] = list(labels.legs) if labels else []
        owners: list[str | None] = [None] * len(legs)
        for leg in found.legs if found else []:
            self._meet(legs, owners, leg.expand(out.shape), found.parameter, False, place)
        if found is None:
            for leg in legs:
                self._constant("add", leg, varying(leg), bias.expand(out.shape), place)
        return Labels(legs)

    def _contract(self, a, b, out, known, place, *, batch: bool):
        sides = [(a, known(a), a.dim() - 1), (b, known(b), b.dim() - 2)]
        if all(labels is None for _, labels, _ in sides):
            return None
        inner, outer = [], []
        for tensor, labels, k in sides:
            legs = labels.legs if labels else []
            inner.append([leg for leg in legs if k in varying(leg)])
            outer.append([leg for leg in legs if k not in varying(leg) and varying(leg)])
            for leg in legs:
                if not varying(leg) and leg.numel() and tensor.numel():
                    self.atoms.fix(leg.flatten()[:1], SINGLE)
        for legs in inner:
            for leg in legs[1:]:
                self.atoms.fix(leg, place)
        rows = None
        keep = (0,) if batch else ()
        if inner[0] and inner[1]:
            one = canonical(self.atoms, inner[0][0], (*keep, a.dim() - 1))
            two = canonical(self.atoms, inner[1][0], (*keep, b.dim() - 2))
            for _, labels, _ in sides:
                if labels.parameter:
                    self._reads(labels, inner)
            rows = copied(self.atoms, one, two, place) if batch else None
            if rows is None:
                self.atoms.unite(one, two)
                both = self.atoms.joined(one, two)
                if batch and 0 in varying(both):
                    rows = self.atoms.rows(both, place)
        else:
            for (_, labels, _), (other, others, _), legs in zip(sides, sides[::-1], inner, strict=True):
                if others is None and labels is not None and labels.parameter and not other.any():
                    # A first state of zeros, as recurrent layers have.
                    self._reads(labels, inner)
                    self.atoms.idle += [(leg, labels.legs, place) for leg in legs]
                    continue
                if labels is not None and labels.parameter and others is not None and not others.legs:
                    self._reads(labels, inner)
                    why = INPUTS
                else:
                    why = f"{place}, which adds channels up by numbers of its own"
                for leg in legs:
                    self.atoms.fix(leg, why)
        legs: list[Tensor] = []
        owners: list[str | None] = []
        if rows is not None and (rows > ZERO).any():
            legs.append(rows[:, None, None].expand(out.shape))
            owners.append(None)
        for leg in outer[0]:
            self._meet(legs, owners, common(leg, -1).expand(out.shape), None, True, place)
        for leg in outer[1]:
            self._meet(legs, owners, common(leg, -2).expand(out.shape), None, True, place)
        return Labels(legs)

    def _reads(self, labels, inner) -> None:
        for legs in inner:
            for leg in legs:
                if any(leg is one for one in labels.legs) and len(labels.legs) > 1:
                    self.readers.add((labels.parameter, int(leg.flatten()[0])))

    def _do_convolution(self, args, kwargs, out, known, place):
        x, weight, bias = args[:3]
        transposed, groups = args[6], args[8]
        found, kernel = known(x), known(weight)
        blocks = transposed and 1 < groups and (groups, 1) != tuple(weight.shape[:2])
        if kernel is None or blocks:
            self.refuse(args, kwargs, known, f"{place}, transposed in groups" if blocks else place)
            return None
        made, read = kernel.legs[:2]
        if transposed:
            made, read = read, made
        axes = (1, 0) if transposed else (0, 1)
        for leg in kernel.legs[2:]:
            self.atoms.fix(leg, PIXELS)
        made, read = (canonical(self.atoms, leg, (axis,)) for leg, axis in zip((made, read), axes, strict=True))
        source = None
        for leg in found.legs if found else []:
            if varying(leg) <= {1} and 1 in varying(leg):
                source = canonical(self.atoms, leg, (1,))
            elif varying(leg) or x.shape[1] == 1:
                self.atoms.fix(leg, place)
        if kernel.parameter:
            self.readers.add((kernel.parameter, int(kernel.legs[axes[1]].flatten()[0])))
        if groups == 1:
            if source is None:
                self.atoms.fix(read, INPUTS)
            else:
                self.atoms.unite(source, read)
        else:
            made = self._grouped(weight, made, read, source, groups, transposed, kernel.parameter, place)
        if made is None:
            return None
        result = Labels([made.view(1, -1, *(1,) * (out.dim() - 2)).expand(out.shape)])
        if bias is None:
            return result
        shaped = known(bias)
        if shaped is not None:
            self.atoms.unite(made, shaped.legs[0])
        else:
            self._constant("add", result.legs[0], frozenset({1}), bias.view(1, -1, *(1,) * (out.dim() - 2))
                           .expand(out.shape), place)  # fmt: skip
        return result

    def _grouped(self, weight, made, read, source, groups, transposed, parameter, place):
        """Depthwise convolutions act on each channel; others keep their groups of channels together."""
        per_in = 1 if transposed else weight.shape[1]
        if source is None:
            source = torch.full((groups * per_in,), CONSTANT)
        self.atoms.part(source, place, signs=True)
        channels, single = (read, made) if transposed else (made, read)
        if per_in == 1 and len(channels) == groups:
            self.atoms.unite(source, channels)
            self.atoms.fix(single, SINGLE)
            if parameter:
                self.even.add(parameter)
            return torch.where(source == CONSTANT, channels, source)
        self.atoms.fix(read, place)
        # What one such convolution makes and another reads in the same groups has the same units.
        held = self.held.get((groups, *source.tolist()))
        held = self.atoms.new(groups) if held is None else held
        self.held[groups, *made.tolist()] = held
        # A group that reads what no map moves, such as the inputs, has its place; what it makes may change places.
        self.atoms.fix(held[(source.view(groups, per_in) == CONSTANT).any(1)], INPUTS)
        self.atoms.hold(source.view(groups, per_in), held[:, None], place)
        if parameter in self.grouped:
            self.atoms.unite(self.grouped[parameter][1], source.view(groups, per_in))
        elif self._followed_rows(weight, made, read, parameter):
            self.grouped[parameter] = (made, source.view(groups, per_in))
        else:
            self.atoms.mark(source.view(groups, per_in), torch.arange(per_in))
        self.atoms.unsigned.append((source, place))
        self.atoms.hold(made.view(groups, -1), held[:, None], place)
        return made

    @staticmethod
    def _followed_rows(weight, made, read, parameter) -> bool:
        """Whether a weight is a parameter as it stands, so that what is read can follow what its rows make."""
        atoms = torch.cat([made, read])
        whole = len(made) == weight.shape[0] and len(read) == weight.shape[1]
        return parameter is not None and whole and torch.equal(atoms, atoms[0] + torch.arange(len(atoms)))
