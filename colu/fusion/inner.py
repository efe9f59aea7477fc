"""What may act on one set of channels inside a unit: its matrices, and the best of them for a covariance."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from colu.checks import check_choice, settle_ints
from colu.geometry import sample_orthogonal

from .solve import assign, polar

__all__ = ["KINDS", "Inner"]

#: What acts on a set of channels, from nothing to all orthogonal maps.
KINDS = ("fixed", "permutation", "signed", "orthogonal", "mean")

# Up to here all permutations are tried at once for all pairs; SciPy solves larger ones pair by pair.
_ENUMERATED = 4


@dataclass(frozen=True)
class Inner:
    r"""A set of channels of each unit, and the group that acts inside it.

    Parameters
    ----------
    kind : {"fixed", "permutation", "signed", "orthogonal", "mean"}
        Nothing: the channels move with their unit only; :math:`S_k`; permutations with signs :math:`B_k`;
        :math:`O(k)`; the maps of :math:`O(k)` that fix the vector of ones, which is :math:`O(k-1)` in another frame.
    size : int
        Channels k of the set in one unit.

    Examples
    --------
    >>> Inner("orthogonal", 3).gain(-torch.eye(3, dtype=torch.float64))
    tensor(3., dtype=torch.float64)
    >>> Inner("mean", 3).gain(-torch.eye(3, dtype=torch.float64)).round()
    tensor(1., dtype=torch.float64)
    """

    kind: str
    size: int = 1

    def __post_init__(self):
        check_choice("kind", self.kind, KINDS)
        settle_ints(self, size=1)

    @property
    def acting(self) -> str:
        """The kind, of single channels: there O(1) is a sign, and nothing is left of the others."""
        if self.size > 1 or self.kind in ("fixed", "signed"):
            return self.kind
        return "signed" if self.kind == "orthogonal" else "fixed"

    @property
    def turns(self) -> bool:
        """Whether matrices mix channels; those that do not permute them, with signs perhaps."""
        return self.acting in ("orthogonal", "mean")

    @property
    def rows(self) -> int:
        """How many samples determine a matrix."""
        return max(1, {"orthogonal": self.size, "mean": self.size - 1}.get(self.kind, 1))

    def check(self, matrices: Tensor) -> None:
        """Raise ``ValueError`` unless matrices of shape ``(G, k, k)`` belong to the group, to 1e-6."""
        eye = torch.eye(self.size, dtype=matrices.dtype)
        if self.turns:
            error = (matrices @ matrices.mT - eye).abs().max()
            fix = "orthogonalise them, for example by QR"
            if self.kind == "mean" and error <= 1e-6:
                error, fix = (matrices.sum(-1) - 1).abs().max(), "keep the vector of ones where it is"
        else:
            sizes = matrices.abs()
            lines = torch.cat([sizes.sum(-1), sizes.sum(-2), sizes.amax(-1)], -1)
            error, fix = (lines - 1).abs().max(), "use one entry 1 in each row and column, 0 elsewhere"
            if self.acting == "signed":
                fix = fix.replace("1 in", "1 or -1 in")
            else:
                error = torch.maximum(error, (sizes - matrices).max())
        if not error <= 1e-6:
            raise ValueError(f"matrices are off {self} by {error:.2g}; {fix}")

    def identity(self, num: int) -> Tensor:
        """Neutral matrices, shape ``(num, k, k)``."""
        return torch.eye(self.size, dtype=torch.float64).repeat(num, 1, 1)

    def random(self, num: int, generator: torch.Generator | None = None) -> Tensor:
        """Uniform matrices, shape ``(num, k, k)``; from a generator on the CPU."""
        if self.acting == "orthogonal":
            return sample_orthogonal(self.size, num=num, generator=generator)
        if self.acting == "mean":
            return _ones_first(_with_first(sample_orthogonal(self.size - 1, num=num, generator=generator)))
        order = torch.rand(num, self.size, generator=generator, dtype=torch.float64).argsort(-1)
        signs = torch.ones(num, self.size, dtype=torch.float64)
        if self.acting == "signed":
            signs -= 2.0 * torch.randint(2, (num, self.size), generator=generator)
        return signs[..., None] * F.one_hot(order, self.size)

    def gain(self, blocks: Tensor, even: Tensor | None = None) -> Tensor:
        r"""The largest :math:`\langle Q, M\rangle + \langle |Q|, P\rangle` over the group.

        Parameters
        ----------
        blocks : Tensor
            M, shape ``(..., k, k)``, float64.
        even : Tensor, optional
            P, of the same shape: covariances of what does not see signs. Not for maps that mix channels.

        Returns
        -------
        Tensor
            Shape ``(...)``.
        """
        if self.acting == "orthogonal":
            return torch.linalg.svdvals(blocks).sum(-1)
        if self.acting == "mean":
            turned = _ones_first(blocks)
            return turned[..., 0, 0] + torch.linalg.svdvals(turned[..., 1:, 1:]).sum(-1)
        scores = self._scores(blocks, even)
        if self.acting == "fixed":
            return scores.diagonal(dim1=-2, dim2=-1).sum(-1)
        return _assigned(scores)

    def best(self, blocks: Tensor, even: Tensor | None = None) -> Tensor:
        """The matrices that reach :meth:`gain`, for blocks ``(G, k, k)``; of equally good ones the nearest to 1."""
        if self.acting == "fixed":
            return self.identity(len(blocks))
        if self.acting == "orthogonal":
            return polar(blocks)
        if self.acting == "mean":
            return _ones_first(_with_first(polar(_ones_first(blocks)[..., 1:, 1:])))
        scores = self._scores(blocks, even)
        if self.size == 1:
            order = torch.zeros(len(blocks), 1, dtype=torch.long)
        else:
            order = assign(scores)
        order = order.to(blocks.device)
        matrices = F.one_hot(order, self.size).to(blocks)
        if self.acting == "signed":
            # What is rounding beside the rest of the block decides no sign.
            tiny = 1e-13 * blocks.abs().amax((-2, -1))[:, None]
            taken = blocks.gather(-1, order[..., None])
            matrices = torch.where(taken < -tiny[..., None], -matrices, matrices)
        return matrices

    def _scores(self, blocks: Tensor, even: Tensor | None) -> Tensor:
        scores = blocks.abs() if self.acting == "signed" else blocks
        return scores if even is None else scores + even


def _ones_first(blocks: Tensor) -> Tensor:
    """Blocks in the frame whose first direction is that of ones, by a reflection on both sides; its own inverse."""
    size = blocks.shape[-1]
    v = torch.full((size,), -(size**-0.5), dtype=blocks.dtype, device=blocks.device)
    v[0] += 1
    scale = 2 / v.square().sum()
    blocks = blocks - scale * (blocks @ v)[..., None] * v
    return blocks - scale * v[:, None] * (v @ blocks)[..., None, :]


def _with_first(matrices: Tensor) -> Tensor:
    """Matrices that also keep one more direction, the first."""
    whole = F.pad(matrices, (1, 0, 1, 0))
    whole[..., 0, 0] = 1
    return whole


def _assigned(scores: Tensor) -> Tensor:
    """The best sum over assignments of each table ``(..., k, k)``; shape ``(...)``."""
    size = scores.shape[-1]
    if size <= _ENUMERATED:
        best = None
        for order in itertools.permutations(range(size)):
            total = sum(scores[..., row, column] for row, column in enumerate(order))
            best = total if best is None else torch.maximum(best, total)
        return best
    from scipy.optimize import linear_sum_assignment

    tables = scores.reshape(-1, size, size).cpu().numpy()
    found = [table[linear_sum_assignment(table, maximize=True)].sum() for table in tables]
    return torch.tensor(found, dtype=scores.dtype, device=scores.device).view(scores.shape[:-2])
