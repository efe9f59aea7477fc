r"""Units without a gradient: directions of the channels along which an activation tells nothing, on all of some data.

A unit that acts on one number is dead on data where its slope is 0 at all of them. A cone acts on several channels, and
what is dead there need be no channel: a direction counts, and the number of them does not depend on the frame.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["dead_directions"]


def dead_directions(
    activation: Callable[[Tensor], Tensor], z: Tensor, dim: int = 1, *, tolerance: float = 1e-6
) -> Tensor:
    r"""Number of directions of each unit's input that change no output on any of the examples.

    .. math:: S - \operatorname{rank} \sum_{i=1}^n J_f(z_i)^\top J_f(z_i)

    Parameters
    ----------
    activation : callable
        Takes ``(..., n, C)`` to the same shape, and acts on each ``dim`` neighbouring channels by themselves.
    z : Tensor
        Pre-activations, ``(..., n, C)``: n examples of C channels.
    dim : int
        Channels of a unit, S; 1 for pointwise activations.
    tolerance : float
        A direction v counts where the root mean square of :math:`|J_f(z_i)v|` over the examples is at most this.

    Returns
    -------
    Tensor
        Whole numbers from 0 to ``dim``, shape ``(..., C // dim)``: for pointwise units 1 where the unit is dead.

    Raises
    ------
    ValueError
        If C is no multiple of ``dim``, the activation changes the shape, or ``z`` is not finite, as in a network that
        diverged.

    Notes
    -----
    One backward pass for each of the ``dim`` outputs of a unit, in float64; the eigenvalues of a matrix of
    ``dim`` times ``dim`` for each unit. A smooth unit far out in its tail counts as dead from the tolerance on.

    Examples
    --------
    >>> from colu.nn import CoLU
    >>> z = torch.tensor([[-1.0, 2.0, 3.0, 0.5], [-2.0, 1.0, 0.0, 1.0]])
    >>> dead_directions(torch.relu, z)
    tensor([1, 0, 0, 0])
    >>> dead_directions(CoLU(dim=4, channel_dim=-1), z, dim=4)
    tensor([3])
    """
    channels = z.shape[-1]
    if channels % dim:
        raise ValueError(f"{channels} channels in units of {dim}; wanted a multiple of it")
    if not z.isfinite().all():
        raise ValueError(
            "z holds values that are not finite: tell networks that diverged as a rate, and leave them out"
        )
    with torch.enable_grad():
        x = z.detach().double().requires_grad_()
        y = activation(x)
        if y.shape != x.shape:
            raise ValueError(f"the activation makes {tuple(y.shape)} of {tuple(x.shape)}; wanted the same shape")
        if dim == 1:
            (slopes,) = torch.autograd.grad(y.sum(), x)
            return (slopes.norm(dim=-2) <= tolerance * z.shape[-2] ** 0.5).long()
        gram = 0
        for output in range(dim):
            chosen = torch.zeros_like(y)
            chosen[..., output::dim] = 1
            (row,) = torch.autograd.grad(y, x, chosen, retain_graph=output < dim - 1)
            row = row.unflatten(-1, (-1, dim)).movedim(-3, -2)  # (..., units, n, in)
            gram = gram + row.mT @ row / z.shape[-2]
    return (torch.linalg.eigvalsh(gram) <= tolerance**2).sum(dim=-1)
