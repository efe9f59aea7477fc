"""Classes that move as two others do, a copy among copies and the channel that these share: which of them hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .atoms import Atoms

__all__ = ["Factors", "factors_of"]


@dataclass
class Factors:
    """The products that hold between classes.

    Attributes
    ----------
    table : ndarray
        Shape ``(n, 3)``: what moves, the copy and the channel as which it does.
    broken : ndarray
        Shape ``(m, 2)``, atoms: what is one with its channel, since its product does not hold.
    ordered : list of ndarray
        Copies of such products, unit by unit: they keep their order.
    """

    table: np.ndarray
    broken: np.ndarray
    ordered: list[np.ndarray]

    def __post_init__(self):
        self.of = {child: (copy, channel) for child, copy, channel in self.table.tolist()}
        self.copies = np.unique(self.table[:, 1])

    def get(self, one: int) -> tuple[int, ...]:
        """The factors of a class; of most the class alone."""
        return self.of.get(one, (one,))


def factors_of(atoms: Atoms, classes: np.ndarray) -> Factors:
    """The products of atoms as those of their classes.

    A class that has factors in two ways, that is a factor itself, or that a unit holds, is none: what it was said to
    be the product of then stays in order, as do all products with the same copies.
    """
    empty = np.empty((0, 3), dtype=np.int64)
    whole = np.concatenate([empty, *(np.stack([one.numpy() for one in each], 1) for each in atoms.products)])
    table = classes[whole]
    factors = np.unique(table[:, 1:])
    in_units = np.concatenate([empty[:, 0], *(classes[np.concatenate([c, u])] for c, u, _ in atoms.units)])
    each, counts = np.unique(np.unique(table, axis=0)[:, 0], return_counts=True)
    wrong = np.unique(np.concatenate([each[counts > 1], factors, in_units]))
    bad = np.isin(table[:, 0], wrong)
    while True:
        # Copies are told apart by nothing that is broken, and so are the others of their unit.
        copies = whole[bad, 1]
        units = {atoms.copies[copy] for copy in copies.tolist()}
        inside = [copy for copy, unit in atoms.copies.items() if unit in units]
        more = bad | np.isin(table[:, 1], classes[inside])
        if (more == bad).all():
            break
        bad = more
    ordered: dict[int, list[int]] = {}
    for copy in np.unique(whole[bad, 1]).tolist():
        ordered.setdefault(atoms.copies[copy], []).append(copy)
    return Factors(np.unique(table[~bad], axis=0), whole[bad][:, [0, 2]], [np.array(one) for one in ordered.values()])
