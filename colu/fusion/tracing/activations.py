"""Activations of known symmetry as one operation: their units, and what may happen inside."""

from __future__ import annotations

import torch
from torch import Tensor

from colu.blocks import split
from colu.geometry import Symmetry
from colu.nn import symmetry_of

from .atoms import canonical, common, varying
from .labels import Labels

__all__ = ["activation"]


def activation(watch, module, place, labels, x, out, axis: int):
    """The labels after an activation of known symmetry, and its demands."""
    atoms = watch.operations.atoms
    symmetry = symmetry_of(module, x.shape[axis])
    own = {name: watch.known(tensor) for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    channels = next((leg for leg in labels.legs if varying(leg) == {axis}), None) if labels else None
    others = [leg for leg in labels.legs if leg is not channels] if labels else []
    alike = (
        symmetry is not None and symmetry.output == "channels"
        and (symmetry.kind == "linear" or (symmetry.channelwise and not symmetry.carries and symmetry.blocks == 1))
    )  # fmt: skip
    if alike:
        for leg in labels.legs if labels else []:
            if symmetry.kind != "linear":
                atoms.part(leg, place, signs=symmetry.signs)
        _fix_all(own.values(), atoms, place)
        return labels
    if channels is None or symmetry is None or symmetry.width() != x.shape[axis] or out.dim() != x.dim():
        _fix_all([labels, *own.values()], atoms, f"{place}, whose channels are another axis" if labels else place)
        return None
    for leg in others:
        atoms.part(leg, place, signs=False)
    each = canonical(atoms, channels, (axis,))
    units = _units(watch, symmetry, each, place)
    watch.operations.forms.append((each, symmetry, place))
    _carry(atoms, watch, own, symmetry, each, units, place)
    made = {"channels": lambda: each, "twice": lambda: torch.cat([each, each]), "units": lambda: units,
            "sections": lambda: _cones(each, symmetry)[1].flatten()}[symmetry.output]()  # fmt: skip
    shape = [1] * out.dim()
    shape[axis] = -1
    return Labels([made.view(shape).expand(out.shape), *(common(leg, axis).expand(out.shape) for leg in others)])


def _fix_all(labels, atoms, why) -> None:
    for one in labels:
        for leg in one.legs if one is not None else ():
            atoms.fix(leg, why)


def _cones(each: Tensor, symmetry: Symmetry) -> tuple[Tensor, Tensor]:
    axis, section = split(each, 0, symmetry.groups, symmetry.dim, symmetry.share_axis, symmetry.layout)
    return axis.flatten(), section.reshape(symmetry.groups, -1)


def _units(watch, symmetry: Symmetry, each: Tensor, place: str) -> Tensor:
    """The units of an activation: what they hold, and what may happen inside."""
    atoms = watch.operations.atoms
    if symmetry.channelwise:
        atoms.part(each, place, signs=symmetry.signs)
        units = each
    elif symmetry.kind == "cones":
        axis, section = _cones(each, symmetry)
        units = atoms.new(symmetry.groups)
        if symmetry.frame == "homogeneous":
            # The axis is the mean of the channels of a cone, or of all, none of which is another than the others.
            alone = symmetry.share_axis
            held, holders = (each, units[:1]) if alone else (torch.cat([axis[:, None], section], 1), units[:, None])
            atoms.hold(held, holders, place)
            atoms.centred.append((each, place))
            atoms.unsigned.append((each, place))
        else:
            atoms.hold(section, units[:, None], place)
            if symmetry.share_axis:
                atoms.fix(axis, f"{place}, the axis of all cones")
            else:
                atoms.hold(axis, units, place)
                atoms.mark(axis, torch.ones_like(axis))
                atoms.part(axis, place, signs=False)
    else:
        units = atoms.new(symmetry.groups)
        axis, section = _cones(each, symmetry)
        if symmetry.share_axis:
            atoms.fix(axis, f"{place}, the axis of all units")
        held = section if symmetry.share_axis else torch.cat([axis[:, None], section], 1)
        atoms.hold(held, units[:, None], place)
        if symmetry.kind == "units":
            atoms.mark(held, torch.arange(held.shape[1]))
            atoms.part(held, place, signs=symmetry.signs)
    if symmetry.blocks > 1:
        # Each block has parameters of its own, or is left in place.
        atoms.fix(atoms.rows(units.view(symmetry.blocks, -1), place), f"{place}, blocks of channels")
    return units


def _carry(atoms, watch, own, symmetry, each, units, place) -> None:
    """Parameters that move with the channels or the units; the others stay."""
    along = {entry.name: entry for entry in symmetry.carries}
    moving = each if symmetry.channelwise else units
    for name, labels in own.items():
        if labels is None:
            continue
        entry = along.get(name)
        for index, leg in enumerate(labels.legs):
            if entry is None or index != entry.axis:
                atoms.fix(leg, place)
                continue
            entries = canonical(atoms, leg, (index,))
            if symmetry.kind == "cones" and not symmetry.channelwise and len(entries) == len(units) * entry.tiles:
                atoms.unite(entries, units.repeat(entry.tiles))
            elif len(entries) == len(moving) * entry.tiles:
                atoms.unite(entries, moving.repeat(entry.tiles))
            else:
                atoms.fix(entries, place)
                atoms.fix(each, place)
            if entry.reads:
                watch.operations.readers.add((labels.parameter, int(entries[0])))
            elif labels.parameter and symmetry.signs:
                watch.operations.even.add(labels.parameter)
            if symmetry.kind == "vectors" or labels.parameter and "running" in labels.parameter.rpartition(".")[2]:
                watch.operations.unmatched.add(labels.parameter)
