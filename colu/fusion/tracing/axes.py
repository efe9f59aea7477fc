"""Where the channels of sets stand on one axis of a parameter."""

from __future__ import annotations

import numpy as np

from ..part import FIXED, Part

__all__ = ["axis_rule"]


def axis_rule(
    entries: list, where: dict, sets: list, side: str | None, even: bool, signed: set, across: int = 0
):  # fmt: skip
    """The parts of one axis: runs where channels follow each other, places where they do not.

    Parameters
    ----------
    entries : list of tuple of int
        For each entry the class of its channel, or those of its two factors.
    where : dict
        For each class that moves its set of channels, the unit, the inner set, the place there, and that in all.
    sets : list of Channels
    side, even
        Of the parts.
    signed : set of str
        Names of the sets that hold signs.
    across : int
        Length of the next axis, where entries are those of both: there the first factor is what it reads.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    products: dict[tuple, list[tuple]] = {}
    for position, factors in enumerate(entries):
        here = [where.get(one) for one in factors]
        if len(here) == 2 and None not in here and here[0][:2] == here[1][:2]:
            (index, unit, one, k, _), (_, _, other, m, _) = here
            products.setdefault((index, (one, other), side), []).append((unit, k, m, position))
            continue
        for number, at in enumerate(here):
            if at is not None and across:
                index, unit, inner, channel, _ = at
                key = (index, (inner,), side if number else "in")
                products.setdefault(key, []).append((unit, channel, position))
            elif at is not None:
                found.setdefault(at[0], []).append((at[-1], position))
    if not found and not products:
        return FIXED
    parts, plain = [], not products
    for index, places in found.items():
        channels = sets[index]
        flat, repeat = _table([len(channels.order)], places)
        run = bool((flat == flat[0] + np.arange(len(flat))).all() and flat[0] >= 0)
        unsigned = even and channels.name in signed
        plain = plain and run and not unsigned
        parts.append((int(flat[flat >= 0].min()), channels.name, repeat, flat, unsigned, len(flat)))
    parts.sort(key=lambda part: part[:2])
    if plain:
        rule, at = [], 0
        for start, name, repeat, _, _, length in parts:
            if start > at:
                rule.append(Part(FIXED, size=start - at))
            rule.append(Part(name, repeat, side=side))
            at = start + length
        if at < len(entries):
            rule.append(Part(FIXED, size=len(entries) - at))
        return tuple(rule)
    rule = [
        Part(name, repeat, side=side, even=unsigned, at=tuple(flat.tolist()))
        for _, name, repeat, flat, unsigned, _ in parts
    ]
    for (index, pair, told), places in products.items():
        channels = sets[index]
        channels.form = channels.wreath
        flat, repeat = _table([len(channels.units), *(channels.inner[one].size for one in pair)], places)
        rule.append(Part(channels.name, repeat, side=told, even=even and channels.name in signed,
                         at=tuple(flat.tolist()), of=pair, across=across))  # fmt: skip
    return tuple(rule)


def _table(shape: list[int], places: list[tuple]) -> tuple[np.ndarray, int]:
    """Positions by their indices, those of one index beside each other, -1 where it has fewer than others."""
    each: dict[tuple, list[int]] = {}
    for *index, position in places:
        each.setdefault(tuple(index), []).append(position)
    repeat = max(len(positions) for positions in each.values())
    table = np.full((*shape, repeat), -1, dtype=np.int64)
    for index, positions in each.items():
        table[(*index, slice(len(positions)))] = positions
    return table.flatten(), repeat
