"""Hard CoLU in place."""

__all__ = ["colu_"]

import functools

from torch import Tensor

from colu.blocks import count_groups
from colu.checks import check_channel_dim, check_floating
from colu.kernels.saving import from_output, overwrite, plain, refuse

from .conic import check_options, colu


def colu_(
    x: Tensor,
    *,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
    share_axis: bool = False,
    layout: str = "blocks",
    angle: float | None = None,
    eps: float = 0.0,
) -> Tensor:
    r"""Hard CoLU that writes over its input, as ``F.relu_`` does; keeps one norm a cone beside the output.

    .. math:: x_s \leftarrow \min(\max(a \tan\alpha / (\lVert s\rVert + \varepsilon), 0), 1)\, s

    Parameters
    ----------
    x : Tensor
        As for :func:`colu`; no leaf that requires its gradient.
    dim, num_groups, channel_dim, share_axis, layout, angle, eps
        As for :func:`colu`; ``angle`` is a number or None.

    Returns
    -------
    Tensor
        ``x``.

    Raises
    ------
    ValueError
        As :func:`colu`, and when its gradient is to be differentiated again.

    Notes
    -----
    The gradient is that of ``colu(..., save="output")``.
    What came before must not need its own output for its backward pass; PyTorch refuses if it does.

    References
    ----------
    Fu and Cohen, "Conic Activation Functions", UniReps 2024, PMLR 285, equation 1.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0, 3.0, 4.0]])
    >>> colu_(x, dim=3) is x, x
    (True, tensor([[1.0000, 0.6000, 0.8000]]))
    """
    check_floating(x, "colu_")
    check_options("hard", "pass", layout, 2, angle, False, "cone", eps)
    refuse("output", "hard", "pass", 2, angle, False)
    c = check_channel_dim(x, channel_dim)
    groups, size = count_groups(x.shape[c], dim, num_groups, share_axis)
    if groups == 0 or size == 1:
        return x
    options = dict(dim=dim, num_groups=num_groups, channel_dim=c, share_axis=share_axis, layout=layout)
    function = functools.partial(colu, **options, angle=angle, eps=eps)
    if plain(x):
        return overwrite(x, function, c)
    return from_output(x, function, c, groups, size, share_axis, layout, angle, eps, inplace=True)
