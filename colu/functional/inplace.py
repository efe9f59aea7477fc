"""Hard CoLU in place."""

__all__ = ["colu_"]

import functools

from torch import Tensor

from colu.checks import check_floating
from colu.kernels.call import conic_call
from colu.kernels.dispatch import dispatch
from colu.kernels.saving import from_output, overwrite, plain


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

    .. math:: x_s &\leftarrow \min(\max(r, 0), 1)\, s, \\
              r &= a \tan\alpha / (\lVert s\rVert + \varepsilon)

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
    options = dict(share_axis=share_axis, layout=layout, angle=angle, eps=eps)
    call = conic_call(x.shape, "colu", dim, num_groups, channel_dim, **options, save="output")
    if call.special == "identity":
        return x
    function = functools.partial(dispatch, call=call)
    return overwrite(x, call, function) if plain(x) else from_output(x, call, function, inplace=True)
