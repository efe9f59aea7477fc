"""What a denoiser's Jacobian says: whether it is a gradient, and how many directions it keeps."""

from __future__ import annotations

import torch
from torch import Tensor

from .features import check_finite

__all__ = ["asymmetry", "dimension", "noise_jacobian"]


def noise_jacobian(model, x: Tensor, t: int) -> Tensor:
    r"""Jacobian of the predicted noise, :math:`J = \partial \epsilon_\theta(x, t) / \partial x`, at each image.

    Parameters
    ----------
    model : callable
        From images and times to noise; no image of a batch may depend on another.
    x : torch.Tensor, shape (n, channels, height, width)
        Noisy images.
    t : int
        Their time.

    Returns
    -------
    torch.Tensor, shape (n, d, d), with d = channels * height * width

    Raises
    ------
    ValueError
        For images that are not of rank 4, or not finite.

    Notes
    -----
    One backward pass for each of the ``d`` outputs.

    Examples
    --------
    >>> noise_jacobian(lambda x, t: 2 * x, torch.zeros(3, 1, 1, 2), 5)[0]
    tensor([[2., 0.],
            [0., 2.]])
    """
    if x.ndim != 4:
        raise ValueError(f"images are {tuple(x.shape)}, wanted (n, channels, height, width)")
    check_finite(x, "images")
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        noise = model(x, torch.full((len(x),), t, device=x.device)).flatten(1)
        # Seeds of the backward pass, and no columns of the noise: each column would be stacked with zeros again.
        seeds = torch.eye(noise.shape[1], dtype=noise.dtype, device=noise.device)[:, None].expand(-1, len(x), -1)
        rows = [torch.autograd.grad(noise, x, seed, retain_graph=True)[0].flatten(1) for seed in seeds]
    return torch.stack(rows, 1)


def asymmetry(jacobian: Tensor) -> Tensor:
    r"""How far a field is from a gradient.

    .. math:: a = \frac{\lVert J - J^\top \rVert_F}{2\, \lVert J \rVert_F} \in [0, 1]

    It is 0 where the field is locally a gradient, as the score is, and 1 for a pure rotation.

    Parameters
    ----------
    jacobian : torch.Tensor, shape (..., d, d)

    Returns
    -------
    torch.Tensor, shape (...,)

    Raises
    ------
    ValueError
        For a matrix that is not square, or is 0.

    Examples
    --------
    >>> asymmetry(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    tensor(1.)
    """
    if jacobian.ndim < 2 or jacobian.shape[-1] != jacobian.shape[-2]:
        raise ValueError(f"the Jacobian is {tuple(jacobian.shape)}, wanted square matrices")
    norm = torch.linalg.matrix_norm(jacobian)
    if (norm == 0).any():
        raise ValueError("a Jacobian is 0, and its asymmetry is not defined; train the model first")
    return torch.linalg.matrix_norm(jacobian - jacobian.mT) / (2 * norm)


def dimension(jacobian: Tensor, kept: float) -> Tensor:
    r"""Directions that the denoiser keeps: the trace of the Jacobian of the predicted clean image.

    With :math:`\hat x_0 = (x_t - \sigma\,\epsilon_\theta)/\sqrt{\bar\alpha}`, :math:`\sigma^2 = 1 - \bar\alpha`, and
    derivatives by :math:`x_t/\sqrt{\bar\alpha}`,

    .. math:: k = d - \sigma \operatorname{tr} J .

    For data on a subspace and little noise it is the dimension of the subspace.

    Parameters
    ----------
    jacobian : torch.Tensor, shape (..., d, d)
        Of the noise, see :func:`noise_jacobian`.
    kept : float
        :math:`\bar\alpha_t`, in (0, 1).

    Returns
    -------
    torch.Tensor, shape (...,)

    Raises
    ------
    ValueError
        For ``kept`` outside (0, 1).

    Examples
    --------
    >>> dimension(torch.zeros(5, 5), 0.9)
    tensor(5.)
    """
    if not 0 < kept < 1:
        raise ValueError(f"kept is {kept}, wanted a number between 0 and 1")
    return jacobian.shape[-1] - (1 - kept) ** 0.5 * jacobian.diagonal(dim1=-2, dim2=-1).sum(-1)
