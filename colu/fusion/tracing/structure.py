"""From what a pass demands of channels to the largest group that this shows, set by set of channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import torch

from ..spec import Spec
from ..wreath import Inner
from .atoms import CONSTANT, ZERO, components
from .axes import axis_rule
from .channels import Channels, formed
from .factors import factors_of
from .labels import INPUTS, OUTPUTS, PIXELS, POSITIONS, SINGLE, SYMBOLS, UNREAD
from .watch import Followed

__all__ = ["Structure"]

#: Reasons that say that an axis has no channels in it.
NO_CHANNELS = (OUTPUTS, SYMBOLS, PIXELS, POSITIONS, SINGLE, INPUTS)


@dataclass
class Structure:
    """Classes of atoms, and the sets into which they fall.

    Two channels may be exchanged if everything that the pass has seen of one it has seen of the other: the same axes
    of the same parameters as often, the same constants, units of the same kind, and so on through the units that
    hold them: colours are refined until they tell nothing new, as in the test of Weisfeiler and Leman.
    """

    followed: Followed
    classes: np.ndarray = field(init=False)
    fixed: np.ndarray = field(init=False)
    #: For each class the first of the reasons that bind it, by its place in ``said``.
    first: np.ndarray = field(init=False)
    said: list[str] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    def __post_init__(self):
        self._unite()
        self.first = np.full(self.count, -1, dtype=np.int64)
        self._fix()
        self._colour()
        self._nest()

    # --- classes -----------------------------------------------------------------------------------------------

    def _unite(self) -> None:
        atoms = self.followed.atoms
        pairs = torch.cat([*atoms.same, torch.empty(0, 2, dtype=torch.long)]).numpy()
        while True:
            self.count, self.classes = components(pairs, atoms.count)
            more = []
            for children, units, _ in atoms.units:
                # A channel is in one unit of each operation, so that units which share channels are one.
                child, unit = self.classes[children.numpy()], units.numpy()
                order = np.argsort(child, kind="stable")
                child, unit = child[order], unit[order]
                same = (child[1:] == child[:-1]) & (self.classes[unit[1:]] != self.classes[unit[:-1]])
                more.append(np.stack([unit[1:][same], unit[:-1][same]], 1))
            self.factors = factors_of(atoms, self.classes)
            # What is said to be a product and is none is one with its channel.
            broken = self.factors.broken
            more.append(broken[self.classes[broken[:, 0]] != self.classes[broken[:, 1]]])
            more = np.concatenate([*more, np.empty((0, 2), dtype=np.int64)])
            if not len(more):
                return
            pairs = np.concatenate([pairs, more])

    def of(self, atoms) -> np.ndarray:
        """The classes of atoms."""
        return self.classes[atoms.numpy() if isinstance(atoms, torch.Tensor) else atoms]

    def _flag(self, found) -> np.ndarray:
        flag = np.zeros(self.count, dtype=bool)
        for atoms, why in found:
            each = self.of(atoms)
            self._say(each, why)
            flag[each] = True
        return flag

    def _say(self, classes, why: str) -> None:
        self.said.append(why)
        classes = np.asarray(classes)
        self.first[classes[self.first[classes] < 0]] = len(self.said) - 1

    def reason(self, one: int) -> str:
        """Why a class is not freer than it is; empty where nothing binds it."""
        return self.said[self.first[one]] if self.first[one] >= 0 else ""

    def _fix(self) -> None:
        atoms = self.followed.atoms
        self.fixed = self._flag(atoms.fixed)
        self.fixed[self.classes[CONSTANT]] = True
        sizes = np.bincount(self.classes, minlength=self.count)
        for leg, legs, why in atoms.idle:
            # Inputs that are no zeros would show more, so that nothing that it makes may move either.
            if (sizes[self.of(leg.flatten())] == 1).any():
                for each in legs:
                    self._hold_units(np.unique(self.of(each.flatten())), f"{why}, which has read zeros alone")
        self._say([self.classes[CONSTANT]], "joined with what no group moves")
        while True:
            # Where a channel stays, its unit does.
            before = self.fixed.sum()
            for children, units, why in atoms.units:
                self._hold_units(self.of(units)[self.fixed[self.of(children)]], why)
            child, copy, channel = self.factors.table.T
            self._hold_units(np.concatenate([copy, channel])[np.tile(self.fixed[child], 2)], "a product that stays")
            self._hold_units(child[self.fixed[copy] & self.fixed[channel]], "a product of what stays")
            if self.fixed.sum() == before:
                break
        self.separate = self._flag(atoms.separate)
        self.unsigned = self._flag(atoms.unsigned)
        self.centred = self._flag(atoms.centred)
        for flag in (self.separate, self.unsigned, self.centred):
            # What may not be done to a product may not be done to its channel.
            flag[channel] |= flag[child]

    def _hold_units(self, units: np.ndarray, why: str) -> None:
        self._say(units, why)
        self.fixed[units] = True

    # --- colours -----------------------------------------------------------------------------------------------

    def _colour(self) -> None:
        colour = np.zeros(self.count, dtype=np.uint64)
        for key, entries in enumerate(self._axes()):
            each, counts = np.unique(self.of(entries), return_counts=True)
            colour[each] += _mix(counts.astype(np.uint64) + np.uint64(key << 20))
        self.seen = colour > 0
        atoms = self.followed.atoms
        for key, (which, values) in enumerate(atoms.marks):
            kept = which.numpy() > ZERO
            told = values.numpy()[kept].astype(np.uint64) * np.uint64(977) + np.uint64(key << 24)
            np.add.at(colour, self.of(which)[kept], _mix(told))
        for copies in self.factors.ordered:
            np.add.at(colour, self.of(copies), _mix(np.arange(len(copies)).astype(np.uint64) + np.uint64(1 << 36)))
        for key, (which, _) in enumerate(atoms.centred):
            colour[np.unique(self.of(which))] += _mix(np.uint64([7 + (key << 28)]))[0]
        for key, flag in enumerate((self.separate, self.unsigned)):
            colour[flag] += _mix(np.uint64([(key + 1) << 40]))[0]
        alone = np.flatnonzero(self.fixed)
        colour[alone] = _mix(alone.astype(np.uint64) + np.uint64(1 << 50))
        child, copy, channel = self.factors.table.T
        pairs = [(self.of(c), self.of(u)) for c, u, _ in atoms.units] + [(child, copy), (child, channel)]
        relations = [(*pair, key) for key, pair in enumerate(pairs)]
        for _ in range(16):
            kinds = len(np.unique(colour))
            fresh = colour.copy()
            for child, unit, key in relations:
                each = np.unique(np.stack([child, unit], 1), axis=0)
                child, unit = each[:, 0], each[:, 1]
                np.add.at(fresh, child, _mix(colour[unit] + np.uint64(2 * key + 1)))
                np.add.at(fresh, unit, _mix(colour[child] + np.uint64((2 * key + 2) << 8)))
            fresh[alone] = colour[alone]
            colour = fresh
            if len(np.unique(colour)) == kinds:
                break
        self.colours = colour

    def _axes(self):
        for parts in self.followed.entries.values():
            yield from parts

    # --- units -------------------------------------------------------------------------------------------------

    def _nest(self) -> None:
        """The smallest unit that holds each channel, and for units the unit around them."""
        members: dict[int, set[int]] = {}
        for children, units, _ in self.followed.atoms.units:
            for child, unit in np.unique(np.stack([self.of(children), self.of(units)], 1), axis=0).tolist():
                if child != unit:
                    members.setdefault(unit, set()).add(child)
        holders: dict[int, list[int]] = {}
        for unit, held in members.items():
            for child in held:
                holders.setdefault(child, []).append(unit)
        self.parent: dict[int, int] = {}
        self.alias: dict[int, int] = {}
        for child, units in holders.items():
            units = sorted(units, key=lambda one: (len(members[one]), one))
            # Units with the same channels are one.
            while len(units) > 1 and members[units[0]] == members[units[1]]:
                self.alias[units.pop(1)] = units[0]
            around = list(pairwise(units))
            if not all(members[a] <= members[b] or a in members[b] for a, b in around):
                for one in (child, *units):
                    self.fixed[one] = True
                    self._say([one], "units that overlap")
                continue
            self.parent[child] = units[0]
            for a, b in around:
                self.parent.setdefault(a, b)
        self._dissolve()

    def _dissolve(self) -> None:
        """A unit that is alone of its kind in a larger one is no level of its own; what holds several stays."""
        inside: dict[tuple[int, int], list[int]] = {}
        for unit in set(self.parent.values()):
            if (around := self.parent.get(unit)) is not None:
                inside.setdefault((around, int(self.colours[unit])), []).append(unit)
        for (around, _), units in inside.items():
            if len(units) > 1:
                self._say([around], "units inside units")
                self.fixed[around] = True
                continue
            self.parent |= {one: around for one, unit in self.parent.items() if unit == units[0]}

    def _kind(self, one: int) -> str:
        if self.separate[one]:
            return "permutation" if self.unsigned[one] else "signed"
        if self.centred[one]:
            return "mean"
        return "permutation" if self.unsigned[one] else "orthogonal"

    def sets(self) -> list[Channels]:
        """The sets of channels that move, each with its largest group."""
        moving = self.seen & ~self.fixed
        # Copies stand on no axis of their own; their products move as they do.
        moving[self.factors.copies] = ~self.fixed[self.factors.copies]
        moving[self.factors.table[:, 0]] = False
        used = [one for one in np.flatnonzero(moving).tolist() if one not in self.alias]
        held: dict[int, list[int]] = {}
        top: dict[int, list[int]] = {}
        for one in used:
            if (unit := self.parent.get(one)) is not None:
                held.setdefault(self.alias.get(unit, unit), []).append(one)
        for one in used:
            if one not in self.parent and one not in held:
                top.setdefault(int(self.colours[one]), []).append(one)
        found = [self._flat(members) for members in top.values()]
        together: dict[tuple, list[int]] = {}
        for unit in held:
            around = self.parent.get(unit)
            # Units inside a larger one stay in it; one that is fixed is alone.
            key = (int(self.colours[unit]), around, unit if self.fixed[unit] else None)
            together.setdefault(key, []).append(unit)
        found += [self._wreath(units, held) for units in together.values()]
        return self._formed([one for one in found if one is not None])

    def _formed(self, sets: list[Channels]) -> list[Channels]:
        """Sets that are all channels of one activation, as the group in the order and the frame of that activation."""
        of = {one: index for index, channels in enumerate(sets) for one in channels.order}
        replaced: dict[int, Channels | None] = {}
        # What a grouped convolution reads is told by sets, which it takes with what it makes.
        grouped = self.followed.operations.grouped.values()
        read = {one for _, reads in grouped for one in self.of(reads).flatten().tolist()}
        for atoms, symmetry, place in self.followed.operations.forms:
            classes = self.of(atoms).tolist()
            inside = list(dict.fromkeys(of[one] for one in classes if one in of))
            if not inside or inside[0] in replaced or len(set(classes)) < len(classes) or read.intersection(classes):
                continue
            group = formed([sets[index] for index in inside], classes, symmetry)
            if group is not None:
                replaced |= dict.fromkeys(inside)
                first = sets[inside[0]]
                replaced[inside[0]] = Channels([classes], (), why=first.why or place, form=group)
        return [one for one in (replaced.get(index, one) for index, one in enumerate(sets)) if one is not None]

    def _flat(self, members: list[int]) -> Channels | None:
        kind = self._kind(members[0])
        if len(members) == 1:
            return None
        why = self.reason(members[0])
        if kind == "permutation":
            return Channels([[one] for one in members], (Inner("fixed", 1),), why=why)
        return Channels([members], (Inner(kind, len(members)),), why=why)

    def _wreath(self, units: list[int], held: dict) -> Channels | None:
        columns = []
        for unit in sorted(units, key=lambda one: min(held[one])):
            sets: dict[int, list[int]] = {}
            if self.seen[unit] and not self.fixed[unit]:
                sets[-1] = [unit]
            for one in sorted(held[unit]):
                sets.setdefault(int(self.colours[one]), []).append(one)
            columns.append(sets)
        colours = list(columns[0])
        inner = []
        for colour in colours:
            size, first = len(columns[0][colour]), columns[0][colour][0]
            kind = self._kind(first)
            if kind == "permutation" and size == 1 or kind == "mean" and size == 1 or colour == -1:
                kind = "fixed"
            inner.append(Inner(kind, size))
        if len(units) == 1 and all(one.kind == "fixed" for one in inner):
            return None
        ordered = [[one for colour in colours for one in sets[colour]] for sets in columns]
        # Copies change places freely, so that the channels beside them say what binds the group.
        last = next((one for one in reversed(ordered[0]) if one not in self.factors.copies), ordered[0][-1])
        return Channels(ordered, tuple(inner), why=self.reason(last))

    # --- the specification -------------------------------------------------------------------------------------

    def spec(self, refused: Mapping[str, str] = MappingProxyType({})) -> Spec:
        """The specification; groups that are refused, by name and with the reason, stay fixed."""
        sets = self._named(self.sets())
        for channels in sets:
            if channels.name in refused:
                self.refused |= dict.fromkeys(channels.order, refused[channels.name])
        sets = [one for one in sets if one.name not in refused]
        where = {
            one: (index, *channels.at(place), place)
            for index, channels in enumerate(sets) for place, one in enumerate(channels.order)
        }  # fmt: skip
        signed = {one.name for one in sets if any(inner.acting == "signed" for inner in one.inner)}
        axes = {}
        for name, parts in self.followed.entries.items():
            even = name in self.followed.operations.even
            rules = []
            for axis, entries in enumerate(parts):
                side = self._side(name, entries)
                # By default axis 0 makes channels and the others read them.
                side = None if side == ("in" if axis else "out") else side
                each = [self.factors.get(one) for one in self.of(entries).tolist()]
                across = 0 if axis else self._across(name, where, sets)
                if across:
                    each = [(one, made) for made, reads in self._grouped(name) for one in reads]
                rules.append(axis_rule(each, where, sets, side, even, signed, across))
            axes |= dict.fromkeys(self.followed.names[name], tuple(rules))
        unmatched = [alias for name in self.followed.operations.unmatched for alias in self.followed.names[name]]
        notes = {one.name: one.why for one in sets if one.why}
        groups = {one.name: one.group for one in sets}
        return Spec(groups, axes, tuple(unmatched), notes, tuple(self._still(sets)), self._share(sets), self._doubts())

    def _grouped(self, name: str):
        """What each row of a grouped convolution makes, and what it reads."""
        made, read = (self.of(one) for one in self.followed.operations.grouped[name])
        return zip(made.tolist(), np.repeat(read, len(made) // len(read), 0).tolist(), strict=True)

    def _across(self, name: str, where: dict, sets: list[Channels]) -> int:
        """How many channels a row of a grouped convolution reads, where their order in a group is free; else 0."""
        if name not in self.followed.operations.grouped:
            return 0
        read = self.of(self.followed.operations.grouped[name][1])
        found = {where[one][:3:2] for one in read.flatten().tolist() if one in where}
        return read.shape[1] if any(sets[index].inner[inner].size > 1 for index, inner in found) else 0

    def _side(self, name: str, entries) -> str:
        return "in" if (name, int(entries[0])) in self.followed.operations.readers else "out"

    def _named(self, sets: list[Channels]) -> list[Channels]:
        """The sets, each named as the first layer that makes its channels."""
        first: dict[int, tuple[int, str, int]] = {}
        owner = {one: index for index, channels in enumerate(sets) for one in channels.order}
        shared: set[tuple[str, int]] = set()
        # Weights before biases, gains and the like, which have one axis.
        weights = sorted(self.followed.entries.items(), key=lambda entry: len(entry[1]) < 2)
        for number, (name, parts) in enumerate(weights):
            for entries in parts:
                if self._side(name, entries) == "out":
                    before: set[int] = set()
                    for place, one in enumerate(self.of(entries).tolist()):
                        one = self.factors.get(one)[-1]
                        first.setdefault(one, (number, name, place))
                        if one in owner:
                            if before - {owner[one]} and owner[one] not in before:
                                shared.add((name, place))
                            before.add(owner[one])
        taken: set[str] = set()
        ordered = sorted(sets, key=lambda one: min(first.get(each, (len(first),)) for each in one.order))
        for channels in ordered:
            _, name, place = min((first[one] for one in channels.order if one in first), default=(0, "channels", 0))
            # Behind channels of another group on the same axis, the place says which are meant.
            title = name.removesuffix(".weight") + (f"[{place}:]" if (name, place) in shared else "")
            while title in taken:
                title += "'"
            taken.add(title)
            channels.name = title
        return ordered

    def _made(self):
        """The channels that layers make, by parameter; what the model puts out and what only labels is none."""
        for name, parts in self.followed.entries.items():
            for axis, entries in enumerate(parts[:2] if len(parts) > 1 else ()):
                each = self.of(entries)
                if axis and self._unread(each):
                    continue
                labels = len(each) == 1 or self.fixed[each[0]] and self.reason(each[0]) in NO_CHANNELS
                if self._side(name, entries) == "out" and not labels:
                    yield name, each.tolist()

    def _unread(self, each) -> bool:
        return self.fixed[each[0]] and self.reason(each[0]) == UNREAD

    def _still(self, sets: list[Channels]):
        """Channels that layers make and no group moves: (parameter, how many, why)."""
        moved = {one for channels in sets for one in channels.order}
        for name, each in self._made():
            reasons = Counter(
                self.refused.get(one) or self.reason(one) or "no other channel is like it"
                for one in each if not moved & {*self.factors.get(one)}
            )  # fmt: skip
            yield from ((name, count, why) for why, count in reasons.items())

    def _doubts(self) -> tuple[str, ...]:
        asked = list(dict.fromkeys(self.followed.asked))
        if not asked:
            return ()
        more = f" and {len(asked) - 3} more" if len(asked) > 3 else ""
        return (
            f"The model asks for a number that inputs or weights change ({', '.join(asked[:3])}{more}) and may go "
            "another way for others: the groups are those of the way that the example takes.",
        )

    def _share(self, sets: list[Channels]) -> float:
        moved = {one for channels in sets for one in channels.order}
        made = [one for _, each in self._made() if not self._unread(each) for one in each]
        return sum(bool(moved & {*self.factors.get(one)}) for one in made) / max(len(made), 1)


def _mix(x: np.ndarray) -> np.ndarray:
    """A hash of numbers of 64 bits."""
    with np.errstate(over="ignore"):
        x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
