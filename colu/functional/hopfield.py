"""Modern Hopfield networks: attention as the descent of an energy."""

__all__ = ["hopfield_energy", "hopfield_update"]

import math

import torch
from torch import Tensor

from colu.checks import check_floating


def hopfield_update(state: Tensor, stored: Tensor, beta: float | None = None, steps: int = 1) -> Tensor:
    r"""Retrieve patterns: each state becomes a mean of the stored patterns that are near to it.

    .. math:: \xi \leftarrow X\,\mathrm{softmax}(\beta X^\top \xi)

    With one step this is attention whose keys are its values.
    It commutes with O(d) acting on the states and the stored patterns together.

    Parameters
    ----------
    state : Tensor
        ``(..., L, d)``, floating.
    stored : Tensor
        ``(..., M, d)``, the rows of :math:`X^\top`.
    beta : float, optional
        Inverse temperature; :math:`1 / \sqrt d` if not given.
    steps : int
        Updates.

    Returns
    -------
    Tensor
        Shape of ``state``.

    Raises
    ------
    ValueError
        Patterns of another dimension, or no stored pattern.

    References
    ----------
    Ramsauer et al., Hopfield Networks is All You Need, ICLR 2021, arXiv 2008.02217, eq. 3.

    Examples
    --------
    >>> stored = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> hopfield_update(torch.tensor([[0.9, 0.2]]), stored, beta=50.0)
    tensor([[1.0000e+00, 6.3051e-16]])
    """
    check_floating(state, "hopfield_update")
    _check_stored(state, stored)
    beta = 1 / math.sqrt(state.shape[-1]) if beta is None else beta
    # Inner products overflow in half precision.
    dtype, wide = state.dtype, torch.promote_types(state.dtype, torch.float32)
    state, stored = state.to(wide), stored.to(wide)
    for _ in range(steps):
        # Not torch's fused attention: on a CPU that has no second derivative.
        state = torch.softmax(beta * state @ stored.mT, -1) @ stored
    return state.to(dtype)


def hopfield_energy(state: Tensor, stored: Tensor, beta: float | None = None) -> Tensor:
    r"""Energy that an update never raises.

    .. math:: E(\xi) = {} & -\tfrac1\beta \log \sum_i e^{\beta x_i^\top \xi} + \tfrac12 \|\xi\|^2 \\
              & + \tfrac1\beta \log M + \tfrac12 \max_i \|x_i\|^2

    Parameters
    ----------
    state, stored, beta
        As in :func:`colu.functional.hopfield_update`.

    Returns
    -------
    Tensor
        ``(..., L)``, not negative.

    References
    ----------
    Ramsauer et al., ICLR 2021, arXiv 2008.02217, eq. 2.

    Examples
    --------
    >>> stored = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> hopfield_energy(stored, stored, beta=50.0)
    tensor([0.0139, 0.0139])
    """
    check_floating(state, "hopfield_energy")
    _check_stored(state, stored)
    beta = 1 / math.sqrt(state.shape[-1]) if beta is None else beta
    energy = -torch.logsumexp(beta * state @ stored.mT, -1) / beta + state.square().sum(-1) / 2
    return energy + math.log(stored.shape[-2]) / beta + stored.square().sum(-1).amax(-1, keepdim=True) / 2


def _check_stored(state: Tensor, stored: Tensor) -> None:
    if stored.dim() < 2 or stored.shape[-1] != state.shape[-1] or not stored.shape[-2]:
        raise ValueError(
            f"stored patterns have shape {tuple(stored.shape)} and states {tuple(state.shape)}; "
            "give (..., M, d) with M >= 1 and the d of the states"
        )
