"""A stretch of an axis of a parameter: which channels stand there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from colu.checks import check_choice, settle_ints

__all__ = ["FIXED", "Part"]

#: Names an axis on which nothing acts: inputs, classes, pixels of a kernel.
FIXED = "fixed"


@dataclass(frozen=True)
class Part:
    r"""A stretch of an axis.

    Parameters
    ----------
    name : str
        A group of the specification, or ``FIXED``.
    repeat : int
        Entries that follow each other for one channel: the pixels, where images are flattened.
    size : int, optional
        Channels of a fixed stretch beside others on the same axis.
    side : {"out", "in"}, optional
        Whether the axis makes the channels or reads them.
        Only transport asks; by default axis 0 makes and the others read.
    even : bool
        Whether the axis does not see the signs of the channels, as a variance does not.
    at : sequence of int, optional
        Where the entries are, ``repeat`` for each channel of the group, -1 for those that this axis lacks; by default
        they follow what stands before. On an axis where one part says so, all do, and what none names is fixed.
    of : sequence of int, optional
        Sets of channels of the units of a :class:`colu.fusion.Wreath`, by their places among its sets. Two: the entry
        that belongs to a channel of each moves as both do, :math:`Q^1 \otimes Q^2`. Then ``at`` runs through the units,
        in each through the first set, then the second, with ``repeat`` entries for each pair.
    across : int
        The length of the next axis, where ``at`` counts the entries of both axes, that one the faster; 0 where the
        part is on its own axis alone. Needs ``of``.

    Examples
    --------
    >>> Part("hidden", repeat=49).repeat
    49
    >>> Part("heads", at=(0, 4, 1, 5)).at
    (0, 4, 1, 5)
    """

    name: str
    repeat: int = 1
    size: int | None = None
    side: str | None = None
    even: bool = False
    at: tuple[int, ...] | None = None
    of: tuple[int, ...] | None = None
    across: int = 0

    def __post_init__(self):
        settle_ints(self, repeat=1, across=0)
        for name in ("at", "of"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(int(place) for place in given))
        if (self.of is not None and self.at is None) or (self.across and self.of is None):
            raise ValueError(f"of={self.of}, across={self.across}: places of two axes need of=, and sets need at=")
        check_choice("side", self.side, (None, "out", "in"))


def unsigned(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Parts of places that follow each other as the stretch that they are, once signs do not matter.

    Examples
    --------
    >>> unsigned((Part("h", even=True, at=(0, 1)),)) == (Part("h"),)
    True
    """
    plain = len(parts) == 1 and parts[0].at == tuple(range(len(parts[0].at or ())))
    return tuple(replace(part, even=False, at=None if plain else part.at) for part in parts)


def parts_of(rule) -> tuple[Part, ...]:
    """The parts of an axis, from a name, a part, or a sequence of them.

    Raises
    ------
    ValueError
        What is none of these.

    Examples
    --------
    >>> parts_of("hidden") == (Part("hidden"),)
    True
    """
    if isinstance(rule, str):
        return (Part(rule),)
    if isinstance(rule, Part):
        return (rule,)
    try:
        return tuple(part if isinstance(part, Part) else Part(part) for part in rule)
    except TypeError:
        raise ValueError(
            f"{rule!r} names no axis; use a group name, FIXED, a Part, or a sequence of them"
        ) from None
