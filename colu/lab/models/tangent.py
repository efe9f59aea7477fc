"""The tangent kernel of a network: how a step of gradient descent on one input moves the output at another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.autograd.functional import jacobian

__all__ = ["tangent_kernel"]


def tangent_kernel(
    f: Callable[[Mapping[str, Tensor], Tensor], Tensor], parameters: Mapping[str, Tensor], x: Tensor
) -> Tensor:
    r"""Inner products of the gradients of a network's output, taken at each pair of inputs.

    .. math:: K_{ij} = \langle \nabla_\theta f(\theta, x_i),\ \nabla_\theta f(\theta, x_j)\rangle

    Parameters
    ----------
    f : callable
        From parameters by name and inputs ``(n, ...)`` to one output an input, ``(n,)``.
    parameters : mapping of str to Tensor
        Where the gradients are taken.
    x : Tensor
        ``(n, ...)``.

    Returns
    -------
    Tensor
        ``(n, n)``, symmetric, without negative eigenvalues but for rounding.

    Raises
    ------
    ValueError
        More than one output an input.

    Notes
    -----
    The gradients are held at once: n times the number of parameters.

    References
    ----------
    Jacot, Gabriel and Hongler, Neural Tangent Kernel: Convergence and Generalization in Neural Networks, NeurIPS 2018,
    arXiv 1806.07572.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    >>> tangent_kernel(lambda p, x: x @ p["w"], {"w": torch.zeros(2)}, x)
    tensor([[1., 1.],
            [1., 2.]])
    """
    parameters = {name: value.detach() for name, value in parameters.items()}
    shape = tuple(f(parameters, x).shape)
    if shape != (len(x),):
        raise ValueError(f"outputs have shape {shape}, wanted one an input, ({len(x)},)")
    names = list(parameters)
    gradients = jacobian(lambda *p: f(dict(zip(names, p, strict=True)), x), tuple(parameters.values()))
    flat = torch.cat([g.flatten(1) for g in gradients], dim=1)
    return flat @ flat.T
