"""What is known of a tensor, and what all rules for operations share."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.utils._pytree import tree_leaves

from colu.geometry import Symmetry

from .atoms import Atoms

__all__ = ["INPUTS", "OUTPUTS", "PIXELS", "POSITIONS", "SINGLE", "SYMBOLS", "UNREAD", "Labels", "Rules"]

INPUTS = "read from the inputs"
OUTPUTS = "put out by the model"
PIXELS = "pixels of a kernel"
POSITIONS = "positions, each of which meets another of the data"
SINGLE = "a single channel"
SYMBOLS = "the rows of a table, one a symbol"
UNREAD = "not read on the example"


@dataclass
class Labels:
    """What is known of a tensor: legs, each a tensor of atoms of the same shape, and the parameter that it is.

    An activation has one leg, the channel at each place; a weight has one for each of its axes.
    """

    legs: list[Tensor]
    parameter: str | None = None
    #: The gain of the norm that made these values, moved since then and no more.
    norm: str | None = None
    #: Channels whose order these numbers tell, as a place of the largest does: whoever reads them reads that.
    order: list[Tensor] = field(default_factory=list)


@dataclass
class Rules:
    """Demands of a pass, and what it says of parameters."""

    atoms: Atoms
    #: Parameters whose entries do not see the sign of their channels, and those that are no evidence.
    even: set[str] = field(default_factory=set)
    unmatched: set[str] = field(default_factory=set)
    #: Axes of parameters that read channels, by the first of their atoms; the others make them.
    readers: set[tuple[str, int]] = field(default_factory=set)
    #: Weights of grouped convolutions: what their rows make, and for each group what these read.
    grouped: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    #: The units of what they make, by their number and the atoms.
    held: dict[tuple, Tensor] = field(default_factory=dict)
    #: Channels of activations in their own order, with the symmetry of the activation.
    forms: list[tuple[Tensor, Symmetry, str]] = field(default_factory=list)
    #: Gains that are one, and stay so.
    ones: frozenset[str] = frozenset()
    #: Gains of norms with their shifts; what reads what a norm makes, an axis of a parameter or another operation.
    shifts: dict[str, str | None] = field(default_factory=dict)
    norm_uses: dict[str, list] = field(default_factory=dict)
    #: For each parameter the norms whose values it multiplies; None for other uses.
    weight_uses: dict[str, set] = field(default_factory=dict)

    def refuse(self, args, kwargs, known, place: str) -> None:
        """Fix all that an operation touches that is not understood."""
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor) and (labels := known(tensor)) is not None:
                for leg in labels.legs:
                    self.atoms.fix(leg, place)

    @staticmethod
    def _parts(index: Tensor, axis: int, known) -> bool:
        """Whether an index sends channels different ways, or may for other data."""
        if index.stride(axis) == 0 or index.shape[axis] < 2:
            return False
        return known(index) is not None or bool((index != index.narrow(axis, 0, 1)).any())
