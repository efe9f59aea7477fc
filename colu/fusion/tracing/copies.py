"""Rows of channels that share their partners: as many copies, which may change places among themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from .atoms import ZERO, Atoms, squashed

__all__ = ["copied", "paired"]


def copied(atoms: Atoms, one: Tensor, other: Tensor, place: str) -> Tensor | None:
    """An atom for each row of labels that shares its partners with other rows; None where no rows do.

    Query heads of one key are such rows: the channel c of head h moves as h does among the heads, and as channel c of
    the key does.

    Parameters
    ----------
    atoms : Atoms
    one, other : Tensor
        Labels of both factors of a product, shape ``(rows, channels)``.
    place : str
        What is said of the unit that holds rows and partners.

    Returns
    -------
    Tensor or None
        Shape ``(rows,)``.
    """
    for many, few in ((one, other), (other, one)):
        (rows, row), (partners, partner) = (torch.unique(x, dim=0, return_inverse=True) for x in (many, few))
        if len(partners) >= len(rows) or (rows <= ZERO).any() or (partners <= ZERO).any():
            continue
        # Each row has one set of partners, and each label of a row one place and one partner.
        if len(torch.unique(torch.stack([row, partner], 1), dim=0)) != len(rows):
            continue
        where = torch.stack([many, row[:, None].expand_as(many), few], -1).flatten(0, 1)
        triples = torch.unique(where, dim=0)
        labels = torch.unique(many)
        if len(triples) != len(labels) or torch.isin(labels, few).any():
            continue
        units, copies = atoms.new(len(partners)), atoms.new(len(rows))
        of = torch.zeros(len(rows), dtype=torch.long).scatter_(0, row, partner)
        atoms.hold(partners, units[:, None], place)
        atoms.hold(copies, units[of], place)
        atoms.part(copies, place, signs=False)
        atoms.copies |= dict(zip(copies.tolist(), units[of].tolist(), strict=True))
        atoms.products.append((triples[:, 0], copies[triples[:, 1]], triples[:, 2]))
        return copies[row]
    return None


def paired(atoms: Atoms, one: Tensor, other: Tensor, place: str) -> Tensor | None:
    """Labels of products of copies with channels that all copies of a unit share; None where neither are such copies.

    Values are shared as keys are: what head h makes of channel c moves as both do.
    """
    if not atoms.copies:
        return None
    short, rest = squashed(*torch.broadcast_tensors(one, other))
    for copies, channels in ((short, rest), (rest, short)):
        each = torch.unique(copies)
        if not all(label in atoms.copies for label in each.tolist()):
            continue
        pairs, which = torch.unique((copies.flatten() << 32) | channels.flatten(), return_inverse=True)
        copy, channel = pairs >> 32, pairs & 0xFFFFFFFF
        unit = torch.tensor([atoms.copies[label] for label in copy.tolist()])
        held = torch.unique(torch.stack([channel, unit], 1), dim=0)
        # Each channel is in one unit, and meets all copies there.
        count = {label: 0 for label in set(unit.tolist())}
        for label in each.tolist():
            count[atoms.copies[label]] += 1
        whole = sum(count[label] for label in held[:, 1].tolist()) == len(pairs)
        if (channel <= ZERO).any() or len(torch.unique(channel)) != len(held) or not whole:
            continue
        made = atoms.new(len(pairs))
        atoms.hold(channel, unit, place)
        atoms.products.append((made, copy, channel))
        return made[which].view(short.shape).expand(one.shape)
    return None
