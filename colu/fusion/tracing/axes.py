"""Where the channels of sets stand on one axis of a parameter."""

from __future__ import annotations

import numpy as np

from ..part import FIXED, Part

__all__ = ["axis_rule"]


def axis_rule(classes: np.ndarray, where: dict, sets: list, side: str | None, even: bool, signed: set):
    """The parts of one axis: runs where channels follow each other, places where they do not."""
    found: dict[int, list[tuple[int, int]]] = {}
    for position, one in enumerate(classes.tolist()):
        if (place := where.get(one)) is not None:
            found.setdefault(place[0], []).append((place[1], position))
    if not found:
        return FIXED
    parts, plain = [], True
    for index, places in found.items():
        channels = sets[index]
        size = len(channels.order)
        each: dict[int, list[int]] = {}
        for channel, position in places:
            each.setdefault(channel, []).append(position)
        repeat = max(len(positions) for positions in each.values())
        table = np.full((size, repeat), -1, dtype=np.int64)
        for channel, positions in each.items():
            table[channel, : len(positions)] = positions
        flat = table.flatten()
        run = bool((flat == flat[0] + np.arange(len(flat))).all() and flat[0] >= 0)
        unsigned = even and channels.name in signed
        plain = plain and run and not unsigned
        parts.append((int(flat[flat >= 0].min()), channels.name, repeat, flat, unsigned, len(flat)))
    parts.sort()
    if plain:
        rule, at = [], 0
        for start, name, repeat, _, _, length in parts:
            if start > at:
                rule.append(Part(FIXED, size=start - at))
            rule.append(Part(name, repeat, side=side))
            at = start + length
        if at < len(classes):
            rule.append(Part(FIXED, size=len(classes) - at))
        return tuple(rule)
    return tuple(
        Part(name, repeat, side=side, even=unsigned, at=tuple(flat.tolist()))
        for _, name, repeat, flat, unsigned, _ in parts
    )
