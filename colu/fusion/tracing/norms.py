"""Pooling, sums over axes, and normalisation."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from .atoms import ZERO, canonical, common, varying
from .entries import Entries
from .labels import INPUTS, Labels

__all__ = ["BATCH_NORM", "REDUCTIONS", "SOFTMAX", "SPATIAL", "SPATIAL_EACH", "SUMS", "Norms"]

SPATIAL = {"avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d",
           "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d", "replication_pad2d",
           "replication_pad3d", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
           "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d",
           "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d", "_upsample_bilinear2d_aa",
           "_upsample_bicubic2d_aa"}  # fmt: skip
SPATIAL_EACH = {"max_pool2d_with_indices", "max_pool3d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool3d"}
SUMS = {"mean", "sum"}
REDUCTIONS = {"amax", "amin", "max", "min", "var", "std", "logsumexp", "prod", "argmax", "argmin", "any", "all",
               "linalg_vector_norm", "norm", "var_mean", "median", "nanmedian", "mode"}  # fmt: skip
SOFTMAX = {"_softmax", "_log_softmax", "_safe_softmax"}
BATCH_NORM = {"native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
               "cudnn_batch_norm", "batch_norm"}  # fmt: skip




class Norms(Entries):
    """What reduces channels holds them together; what reduces places leaves them as they are."""

    def _spatial(self, name, labels, out, place):
        if labels is None:
            return None
        first = out if isinstance(out, Tensor) else out[0]
        legs = []
        # Behind the channels, with samples in front of them or without.
        count = next(int(sign) for sign, after in pairwise(name) if sign in "123" and after == "d")
        for leg in labels.legs:
            places = range(leg.dim() - count, leg.dim())
            if varying(leg) & set(places):
                self.atoms.fix(leg, place)
                continue
            if name in SPATIAL_EACH:
                self.atoms.part(leg, place, signs=False)
            legs.append(common(leg, *places).expand(first.shape))
        return Labels(legs) if isinstance(out, Tensor) else [Labels(legs), *(None for _ in out[1:])]

    def _reduce(self, name, args, kwargs, labels, out, place):
        if labels is None:
            return None
        first = out if isinstance(out, Tensor) else out[0]
        x = args[0]
        if name in ("linalg_vector_norm", "norm"):
            dims = args[2] if len(args) > 2 else kwargs.get("dim")
        else:
            dims = args[1] if len(args) > 1 else kwargs.get("dim")
        if dims is None or dims == []:
            dims = list(range(x.dim()))
        dims = {dim % x.dim() for dim in ([dims] if isinstance(dims, int) else dims)}
        keepdim = first.dim() == x.dim()
        legs, order = [], []
        for leg in labels.legs:
            spread = varying(leg)
            if spread & dims:
                order.append(leg)
            if not spread & dims:
                if name not in SUMS:
                    self.atoms.part(leg, place, signs=False)
                kept = leg.amax(list(dims), keepdim=True)
            else:
                if not (name in ("linalg_vector_norm", "norm") and (len(args) < 2 or args[1] == 2)):
                    self.atoms.part(leg, place, signs=False)
                kept = self._rows(leg, dims, place)
                if kept is None:
                    continue
            legs.append(kept.expand([1 if d in dims else n for d, n in enumerate(x.shape)]).reshape(first.shape)
                        if not keepdim else kept.expand(first.shape))  # fmt: skip
        if name in ("argmax", "argmin"):
            return Labels(legs, order=order)
        if name != "var_mean" and not isinstance(out, Tensor):
            return [Labels(legs), Labels(legs, order=order)]
        return Labels(legs) if isinstance(out, Tensor) else [Labels(legs) for _ in out]

    def _rows(self, leg, dims, place):
        """Units that hold the channels reduced together, where there are several."""
        if len(dims) == leg.dim():
            return None
        for dim in range(leg.dim()):
            if leg.shape[dim] > 1 and leg.stride(dim) == 0:
                leg = leg.narrow(dim, 0, 1)
        order = [dim for dim in range(leg.dim()) if dim not in dims] + sorted(dims)
        flat = leg.permute(order).reshape(*[leg.shape[d] for d in order[: leg.dim() - len(dims)]], -1)
        made = self.atoms.rows(flat, place)
        if not (made > ZERO).any():
            return None
        for dim in sorted(dims):
            made = made.unsqueeze(dim)
        return made

    def _do_cumsum(self, args, kwargs, out, known, place):
        return self._along(args, args[1], out, known, place, each=False)

    def _do_cumprod(self, args, kwargs, out, known, place):
        return self._along(args, args[1], out, known, place)

    _do_cummax = _do_cummin = _do_logcumsumexp = _do_cumprod

    def _do_sort(self, args, kwargs, out, known, place):
        numbers = [one for one in args[1:] if not isinstance(one, bool) and one is not None]
        return self._along(args, numbers[0] if numbers else kwargs.get("dim", -1), out, known, place)

    def _do_topk(self, args, kwargs, out, known, place):
        return self._along(args, args[2] if len(args) > 2 else kwargs.get("dim", -1), out, known, place)

    _do_kthvalue = _do_topk

    def _along(self, args, dim, out, known, place, *, each=True):
        """What orders or adds up places, for each channel by itself; along channels it is not understood."""
        labels, outs = known(args[0]), [out] if isinstance(out, Tensor) else out
        if labels is None:
            return None
        dim, legs = dim % args[0].dim(), []
        for leg in labels.legs:
            if dim in varying(leg) or outs[0].dim() != leg.dim():
                self.refuse(args, {}, known, place)
                return None
            if each:
                self.atoms.part(leg, place, signs=False)
            legs.append(common(leg, dim).expand(outs[0].shape))
        return Labels(legs) if isinstance(out, Tensor) else [Labels(legs) for _ in outs]

    def _do_glu(self, args, kwargs, out, known, place):
        if (labels := known(args[0])) is None:
            return None
        dim = (args[1] if len(args) > 1 else -1) % out.dim()
        first, gate = torch.empty_like(out), torch.empty_like(out)
        halves = [Labels(list(legs)) for legs in zip(*(leg.chunk(2, dim) for leg in labels.legs), strict=True)]
        halves = halves or [Labels([])] * 2
        found = {id(first): halves[0], id(gate): halves[1]}
        return self._elementwise("glu", (first, gate), {}, out, lambda one: found[id(one)], place)

    def _do_index_add(self, args, kwargs, out, known, place):
        return self._added_rows(args[0], args[3], args[1], args[2], out, known, place)

    def _do_scatter_add(self, args, kwargs, out, known, place):
        return self._added_rows(args[0], args[3], args[1], args[2], out, known, place)

    def _do_scatter_reduce(self, args, kwargs, out, known, place):
        each = args[4] not in ("sum", "mean")
        return self._added_rows(args[0], args[3], args[1], args[2], out, known, place, each=each)

    def _added_rows(self, target, source, dim, index, out, known, place, *, each=False):
        """Rows put together by an index, as in graphs: the channels stay what they are where all go one way."""
        labels, dim = known(source), dim % out.dim()
        other = [size for axis, size in enumerate(out.shape) if axis != dim]
        sizes = [size for axis, size in enumerate(source.shape) if axis != dim]
        wide = index.dim() > 1 or out.dim() == 1
        if labels is None or other != sizes or wide and index.shape != source.shape:
            self.refuse((target, source, index), {}, known, place)
            return None
        self.refuse((index,), {}, known, place)
        legs = []
        for leg in labels.legs:
            spread = varying(leg)
            if dim in spread or wide and any(self._parts(index, axis, known) for axis in spread):
                self.refuse((target, source), {}, known, place)
                return None
            if each:
                self.atoms.part(leg, place, signs=False)
            legs.append(common(leg, dim).expand(out.shape))
        rows = torch.empty_like(out)
        return self._elementwise(
            "add", (target, rows), {}, out, lambda one: Labels(legs) if one is rows else known(one), place
        )

    def _do_grid_sampler_2d(self, args, kwargs, out, known, place):
        self.refuse((args[1],), {}, known, place)
        return self._spatial(f"{args[0].dim() - 2}d", known(args[0]), out, place)

    _do_grid_sampler_3d = _do_grid_sampler_2d

    def _softmax(self, args, labels, out, place):
        if labels is None:
            return None
        dim = args[1] % out.dim()
        for leg in labels.legs:
            self.atoms.part(leg, place, signs=False)
            if dim in varying(leg) and len(varying(leg)) > 1:
                self._rows(leg, {dim}, place)
        return Labels(labels.legs)

    def _batch_norm(self, args, labels, out, known, place):
        weight, bias, mean, variance = args[1:5]
        legs = list(labels.legs) if labels else []
        shape = out[0].shape
        for tensor, even in ((weight, True), (bias, False), (mean, False), (variance, True)):
            found = known(tensor) if isinstance(tensor, Tensor) else None
            if found is None:
                continue
            entries = found.legs[0].view(1, -1, *(1,) * (len(shape) - 2)).expand(shape)
            channels = next((leg for leg in legs if 1 in varying(leg)), None)
            if channels is None:
                self.atoms.fix(entries, INPUTS)
            elif varying(channels) != {1}:
                self.atoms.fix(channels, place)
                self.atoms.fix(entries, place)
            else:
                self.atoms.unite(channels, entries)
            if found.parameter and even:
                self.even.add(found.parameter)
            if found.parameter and (tensor is mean or tensor is variance):
                self.unmatched.add(found.parameter)
        for leg in legs:
            self.atoms.part(leg, place, signs=True)
        return [Labels(legs), *(None for _ in out[1:])] if legs else None

    def _do__weight_norm_interface(self, args, kwargs, out, known, place):
        direction, gain = known(args[0]), known(args[1])
        axis = (args[2] if len(args) > 2 else kwargs.get("dim", 0)) % args[0].dim()
        if direction is None or gain is None:
            self.refuse(args, kwargs, known, place)
            return None
        # Each channel has a norm of its own, which no isometry of what it reads changes.
        made, gains = (canonical(self.atoms, labels.legs[axis], (axis,)) for labels in (direction, gain))
        self.atoms.unite(made, gains)
        self.atoms.part(made, place, signs=True)
        if gain.parameter:
            self.even.add(gain.parameter)
        return [Labels(direction.legs, direction.parameter), None]

    def _do_native_layer_norm(self, args, kwargs, out, known, place):
        x, shape, weight, bias = args[:4]
        return self._norm(known(x), len(shape), weight, bias, out, known, place, centre=True)

    def _norm(self, labels, count, weight, bias, out, known, place, *, centre: bool):
        first = out if isinstance(out, Tensor) else out[0]
        legs = list(labels.legs) if labels else []
        dims = set(range(first.dim() - count, first.dim()))
        gains = known(weight) if isinstance(weight, Tensor) else None
        gain = weight is not None and (gains is None or gains.parameter not in self.ones)
        for leg in legs:
            if not varying(leg) & dims:
                self.atoms.part(leg, place, signs=not centre)
            elif count > 1 or varying(leg) != dims:
                self.atoms.fix(leg, place)
            elif gain:
                self.atoms.part(leg, place, signs=not centre)
            elif centre:
                self.atoms.centred.append((torch.unique(leg), place))
                self.atoms.unsigned.append((torch.unique(leg), place))
        for tensor, even in ((weight, True), (bias, False)):
            found = known(tensor) if isinstance(tensor, Tensor) else None
            if found is None:
                continue
            if tensor is weight and not gain:
                self.atoms.fix(found.legs[0], "a gain of one")
                continue
            owners: list[str | None] = [None] * len(legs)
            before = len(legs)
            self._meet(legs, owners, found.legs[0].expand(first.shape), None, False, place)
            if len(legs) > before:
                self.atoms.fix(legs.pop(), place)
            if even and not centre and found.parameter:
                self.even.add(found.parameter)
        shifts = known(bias) if isinstance(bias, Tensor) else None
        made = gains.parameter if gains is not None and count == 1 else None
        if made:
            self.shifts[made] = shifts.parameter if shifts is not None else None
        result = Labels(legs, norm=made) if legs else None
        return result if isinstance(out, Tensor) else [result, *(None for _ in out[1:])]

    def _do_native_group_norm(self, args, kwargs, out, known, place):
        x, weight, bias, _, channels, _, groups = args[:7]
        labels = known(x)
        leg = next((one for one in labels.legs if varying(one) == {1}), None) if labels else None
        for one in labels.legs if labels else []:
            if one is not leg:
                self.atoms.fix(one, place)
        each = None if leg is None else canonical(self.atoms, leg, (1,))
        for tensor in (weight, bias):
            found = known(tensor) if isinstance(tensor, Tensor) else None
            if found is not None and each is not None:
                self.atoms.unite(each, found.legs[0])
            elif found is not None:
                self.atoms.fix(found.legs[0], place)
        if each is None:
            return None
        self.atoms.part(each, place, signs=False)
        if 1 < groups < channels:
            self.atoms.rows(each.view(groups, -1), place)
        return [Labels([leg]), *(None for _ in out[1:])]
