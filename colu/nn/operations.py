"""Where the channels of a tensor are after an operation of PyTorch (ATen), from where they were before it."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = []


@dataclass(frozen=True)
class Channels:
    """Where the channels of a tensor are.

    ``axes`` holds more than one while the channels are split into heads, and is None where they were lost; ``source``
    is the layer that made them, ``last`` whether it counts their axis from the end, ``lost`` what mixed them up, and
    ``across`` the layer whose channels lay on another axis when ``source`` made these of what was no channels.
    """

    axes: frozenset[int] | None
    source: str = ""
    last: bool = False
    lost: str = ""
    across: str = ""

    def on(self, axes) -> "Channels":
        return dataclasses.replace(self, axes=frozenset(axes), lost="")

    def without(self, why: str) -> "Channels":
        return dataclasses.replace(self, axes=None, lost=self.lost or why)


# Operations by the name that ATen gives them.
_PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "_int_mm": (0, 1), "dot": (0, 1)}
_PRODUCTS |= {"mv": (0, 1), "addmv": (1, 2), "addbmm": (1, 2), "linear": (0, 1), "matmul": (0, 1)}
_CONVOLUTIONS = (
    "convolution _convolution convolution_overrideable mkldnn_convolution cudnn_convolution miopen_convolution "
    "cudnn_convolution_transpose miopen_convolution_transpose miopen_depthwise_convolution _conv_depthwise2d "
    "conv_depthwise3d slow_conv3d thnn_conv2d slow_conv_transpose2d slow_conv_transpose3d _slow_conv2d_forward "
    "mps_convolution cudnn_convolution_relu"
).split()
_LAST = ("embedding", "_embedding_bag", "_embedding_bag_forward_only", "_trilinear", "bilinear", "_grouped_mm")
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "mkldnn_rnn_layer")
_VIEWS = ("view", "_unsafe_view", "reshape", "_reshape_copy", "view_copy", "flatten", "unflatten", "_reshape_alias")
_POOLS = (
    "max_pool1d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d adaptive_max_pool1d max_pool2d "
    "constant_pad_nd pad reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d "
    "upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact2d _upsample_bilinear2d_aa "
    "slice split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk narrow "
    "roll flip cat pixel_shuffle pixel_unshuffle channel_shuffle "
    "native_channel_shuffle index_select grid_sampler_2d unfold im2col expand repeat native_dropout"
).split()
_MOVES = "permute transpose t unsqueeze squeeze clone detach alias _to_copy contiguous native_dropout".split()
_WRITES = "index_add index_copy index_reduce scatter scatter_add scatter_reduce".split()
_CONSTANTS = "new_zeros new_ones new_empty new_full zeros_like ones_like empty_like full_like".split()
_AVERAGES = ("mean", "amax")
_REDUCTIONS = "mean sum amax amin max min prod var std logsumexp norm linalg_vector_norm any all argmax".split()


def named(function) -> tuple[str, str]:
    """Where an operation is from, ``aten`` for PyTorch's own, and its name without what tells a copy from a view."""
    space, _, name = function._schema.name.partition("::")
    return space, name.removesuffix("_copy") if name != "view_copy" else name


def makes_channels(function) -> bool:
    """Whether an operation is a layer, which makes channels of constants and of noise too."""
    name = named(function)[1]
    return name in _CONVOLUTIONS or name in _LAST or name in _RECURRENT


def passes_on(function) -> bool:
    """Whether a result is its input but for views, moves, dropout and pooling."""
    name = named(function)[1]
    return name in _VIEWS or name in _POOLS or name in _MOVES or name in _AVERAGES


def makes_constants(function) -> bool:
    """Whether an operation takes no more than the shape and the type of its input."""
    return named(function)[1] in _CONSTANTS


def after(function, args, kwargs, inputs, output, data: Mapping[Tensor, Channels], where: str) -> Channels:
    """Where the channels of an output are.

    ``inputs`` are the tensors among the arguments that ``data`` knows; all others come from parameters and constants.
    """
    space, name = named(function)
    name = name.rstrip("_")  # In place or not, the axes are the same.
    pointwise = torch.Tag.pointwise in function.tags
    one = inputs[0]
    old = data.get(one, Channels(None))
    lost = old.without(f"{space}::{name} in {where} is not followed")
    if space != "aten":
        return lost
    if name in _PRODUCTS:
        return product(*(args[place] for place in _PRODUCTS[name]), output, data, where)
    if name in _CONVOLUTIONS:
        return Channels(frozenset({1}), where)
    if name in ("rot90", "conv_tbc"):
        return lost
    if name == "index":
        return _indexed(old, one, args[1], lost)
    if name == "gather":
        return old if old.axes is not None and args[1] % output.dim() not in old.axes else lost
    if name in _WRITES and args[0] not in data:
        # Into a constant, such as zeros, along an axis that is not that of the channels.
        source = args[3] if len(args) > 3 else kwargs.get("source", kwargs.get("src"))
        old = data.get(source, lost) if isinstance(source, Tensor) else lost
        fits = old.axes is not None and source.dim() == output.dim() and args[1] % output.dim() not in old.axes
        return old if fits else lost
    if name in _LAST or name in _RECURRENT:
        return Channels(frozenset({max(output.dim() - 1, 0)}), where, last=True)
    if name == "_pack_padded_sequence" and old.axes == {one.dim() - 1} and output.is_floating_point():
        # It has its time and its samples on one axis.
        return old.on({output.dim() - 1})
    if name in ("native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit", "batch_norm",
                "_native_batch_norm_legit_no_training", "native_group_norm"):  # fmt: skip
        if output.dim() != one.dim():
            return lost
        # Some normalise positions: that makes no channels of them.
        return old if old.axes == {1} or 1 not in (old.axes or {1}) else Channels(frozenset({1}), where)
    if name == "native_layer_norm":
        if old.axes is None and len(args[1]) == 1 and output.shape == one.shape:
            return Channels(frozenset({one.dim() - 1}), where, last=True)
        return old if output.shape == one.shape else lost
    if name.startswith("_scaled_dot_product") or name == "scaled_dot_product_attention":
        value = args[2]
        return data.get(value, lost) if output.dim() == value.dim() else lost
    if pointwise or name in ("where", "masked_fill", "lerp"):
        return _broadcast(inputs, output, data, where)
    if old.axes is None:
        known = [data[x] for x in inputs if data[x].axes is not None and x.dim() == output.dim()]
        if name == "cat" and known:
            return known[0]
        return old
    if name in _VIEWS:
        return _viewed(old, tuple(one.shape), tuple(output.shape), lambda: f"a view in {where}")
    if name == "permute":
        return old.on(place for place, axis in enumerate(args[1]) if axis % one.dim() in old.axes)
    if name in ("transpose", "swapaxes", "t", "numpy_T", "mT"):
        first, second = (args[1], args[2]) if name in ("transpose", "swapaxes") else (one.dim() - 2, one.dim() - 1)
        swap = {first % one.dim(): second % one.dim(), second % one.dim(): first % one.dim()}
        return old.on(swap.get(axis, axis) for axis in old.axes)
    if name in ("unsqueeze", "stack"):
        place = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % output.dim()
        return old.on(axis + (axis >= place) for axis in old.axes)
    if name in ("squeeze", "select", "unbind", "diagonal") or (name in _REDUCTIONS and output.dim() < one.dim()):
        gone = _removed(name, args, kwargs, one, output)
        # One of the parts that channels were split into has the others of their axes.
        if gone is None or not old.axes - gone:
            return old.without(f"{name} in {where} took the axis of the channels away")
        return old.on(axis - sum(other < axis for other in gone) for axis in old.axes - gone)
    if name == "expand" or name == "repeat":
        return old.on(axis + output.dim() - one.dim() for axis in old.axes)
    if output.dim() == one.dim() and (name in _POOLS or name in _REDUCTIONS):
        return old
    # Whatever keeps the shape keeps the meaning of its axes: those that do not are above.
    return old if output.shape == one.shape else lost


def product(first, second, output, data, where) -> Channels:
    """Rows of the first factor by columns of the second; weights make new channels on their side."""
    last = output.dim() - 1
    if second not in data:
        if second.dim() == 1:
            return data[first].without(f"a product with a vector in {where} took their axis away")
        return Channels(frozenset({last}), where, last=True)
    # Weights from the left, such as a mean over tokens, leave channels where they are unless they sum over them.
    right, left = data[second], data.get(first)
    columns = second.dim() > 1 and right.axes is not None and second.dim() - 1 in right.axes
    if left is None:
        if columns:
            return _kept(right, second, output)
        if right.axes is not None and max(second.dim() - 2, 0) in right.axes:
            return Channels(frozenset({max(last - 1, 0)}), where)
        return right.without(f"a product with a constant from the left in {where}")
    rows = left.axes is not None and first.dim() > 1 and first.dim() - 2 in left.axes
    if columns != rows:
        if columns:
            return _kept(right, second, output)
        more = output.dim() - first.dim() if second.dim() > 1 else 0
        return left.on(axis + more for axis in left.axes if axis != first.dim() - 1)
    why = "with channels on both sides, " if rows else ""
    return right.without(f"a product of two signals, {why}in {where}")


def _kept(right: Channels, second: Tensor, output: Tensor) -> Channels:
    """The channels of a second factor after a product: all but the axis that was summed over, heads too."""
    return right.on(axis + output.dim() - second.dim() for axis in right.axes if axis != second.dim() - 2)


def _broadcast(inputs, output, data, where) -> Channels:
    known = {}
    for one in inputs:
        old = data[one]
        if old.axes is not None:
            moved = old.on(axis + output.dim() - one.dim() for axis in old.axes)
            # Where a convolution's signal takes part, its axis counts from the front.
            if moved.axes not in known or known[moved.axes].last:
                known[moved.axes] = moved
    if len(known) == 1:
        found = next(iter(known.values()))
        whole = any(data[one].axes is not None and one.shape == output.shape for one in inputs)
        lost = next((data[one] for one in inputs if data[one].axes is None), None)
        return found if whole or lost is None else lost
    if known:
        return data[inputs[0]].without(f"signals with channels on different axes meet in {where}")
    return data[inputs[0]]


def _removed(name, args, kwargs, one, output) -> set[int] | None:
    """The axes that an operation takes away; None if that is all of them or not known."""
    given = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("ord"))
    if name == "linalg_vector_norm":
        given = args[2] if len(args) > 2 else kwargs.get("dim")
    if name == "norm":
        given = args[2] if len(args) > 2 else kwargs.get("dim")
    if name == "unbind" and given is None:
        given = 0
    if name == "squeeze":
        axes = range(one.dim()) if given is None else [given] if isinstance(given, int) else given
        return {axis % one.dim() for axis in axes if one.shape[axis] == 1}
    if given is None or name == "diagonal":
        return None
    axes = {axis % one.dim() for axis in ([given] if isinstance(given, int) else given)}
    return axes if one.dim() - len(axes) == output.dim() else None


def _indexed(old: Channels, one: Tensor, indices, lost: Channels) -> Channels:
    """Where the channels are after picking along other axes, by places on neighbouring axes or by truth."""
    used = {axis: index for axis, index in enumerate(indices) if index is not None}
    first, count = min(used), len(used)
    truth = [index.dtype in (torch.bool, torch.uint8) for index in used.values()]
    if old.axes is None or max(used) != first + count - 1 or (any(truth) and count > 1):
        return old.without(lost.lost)
    taken, given = (used[first].dim(), 1) if truth[0] else (count, max(index.dim() for index in used.values()))
    if count == given == taken:
        return old  # Some of them, or in another order.
    if any(first <= axis < first + taken for axis in old.axes):
        return lost
    return old.on(axis if axis < first else axis - taken + given for axis in old.axes)


def _viewed(old: Channels, before, after, who) -> Channels:
    """Where the channels are when the same entries are read in another shape."""
    # Axes of length one carry nothing, wherever they stand.
    left = [(axis, size) for axis, size in enumerate(before) if size != 1]
    right = [(axis, size) for axis, size in enumerate(after) if size != 1]
    axes: set[int] = set()
    while left and right:
        mine, theirs = [left.pop(0)], [right.pop(0)]
        while math.prod(s for _, s in mine) != math.prod(s for _, s in theirs):
            take, group = (
                (left, mine) if math.prod(s for _, s in mine) < math.prod(s for _, s in theirs) else (right, theirs)
            )
            if not take:
                return old.without(who())
            group.append(take.pop(0))
        held = [axis in old.axes for axis, _ in mine]
        if any(held):
            if not all(held):
                return old.without(f"{who()} merged channels with other axes")
            axes |= {axis for axis, _ in theirs}
    return old.on(axes) if axes else old.without(f"{who()} left a single channel")
