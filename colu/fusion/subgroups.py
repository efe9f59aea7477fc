"""What a group leaves where signs are not seen, its subgroup of whole units, and its name in signs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from .groups import Conic, Orthogonal, Permutation, Vectors
from .wreath import Wreath

__all__ = ["even", "units_of", "written"]


@dataclass(frozen=True)
class _Even:
    """A group as it acts on what does not see signs."""

    group: Wreath

    @property
    def size(self) -> int:
        return self.group.size

    def act(self, element, x: Tensor, axis: int) -> Tensor:
        self.group.check(element)
        return element.apply(x, axis, even=True)


def even(group):
    """The group as it acts on what does not see signs, such as a variance, with the same elements.

    Raises
    ------
    ValueError
        A group that turns channels into sums of others, whose variances its elements do not say.

    Examples
    --------
    >>> even(Permutation(4))
    Permutation(n=4, blocks=1)
    """
    if isinstance(group, Permutation) or (isinstance(group, Conic | Vectors) and not group.rotate):
        return group
    if isinstance(group, Wreath) and not any(one.turns for one in group.inner):
        return _Even(group)
    raise ValueError(f"{group} turns channels, so an axis cannot be even; use permutations, perhaps with signs")


def units_of(group):
    """The subgroup that permutes whole units; of one unit, or of orthogonal maps, the channels are the units.

    Examples
    --------
    >>> units_of(Conic(2, 4)).rotate, units_of(Orthogonal(3))
    (False, Permutation(n=3, blocks=1))
    """
    if isinstance(group, Orthogonal):
        return Permutation(group.size)
    if isinstance(group, Conic | Vectors):
        return replace(group, rotate=False)
    if isinstance(group, Wreath):
        alone = group.groups == 1 and len(group.inner) == 1 and group.inner[0].kind != "fixed"
        return Permutation(group.size) if alone else Conic(group.groups, group.dim, rotate=False)
    return group


def written(group) -> str:
    """A group in the signs of the book, in plain text.

    Examples
    --------
    >>> from colu.fusion import Inner
    >>> written(Conic(8, 4)), written(Wreath(4, (Inner("fixed"), Inner("signed", 3)))), written(Permutation(6))
    ('O(3) wr Perm(8)', 'B(3) wr Perm(4)', 'Perm(6)')
    """
    if isinstance(group, Orthogonal):
        return f"O({group.size})"
    if isinstance(group, Wreath):
        signs = {"permutation": "Perm({})", "signed": "B({})", "orthogonal": "O({})", "mean": "O({})"}
        each = [signs[one.kind].format(one.size - (one.kind == "mean")) for one in group.inner if one.kind != "fixed"]
        inside, count = " x ".join(each), group.groups if group.exchange else 1
    else:
        turned = group.rows if isinstance(group, Vectors) else group.dim - 1
        inside, count = f"O({turned})" if group.rotate and turned else "", group.groups // group.blocks
    outside = f"Perm({count})" if count > 1 else ""
    if " x " in inside and outside:
        inside = f"({inside})"
    blocks = getattr(group, "blocks", 1)
    whole = " wr ".join(filter(None, (inside, outside))) or "1"
    return whole if blocks == 1 else f"{whole}, in each of {blocks} blocks"
