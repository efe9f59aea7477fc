"""Activations in pieces: PReLU, TaLU, APALU, PWLU, maxout."""

__all__ = ["apalu", "maxout", "prelu", "pwlu", "talu"]

import torch
from torch import Tensor
from torch.nn import functional

from colu.channels import channels_back, channels_second, check_channels, check_multiple, per_channel
from colu.checks import check_int, check_number


def prelu(x: Tensor, weight: Tensor, *, channel_dim: int = 1) -> Tensor:
    r"""PReLU: ReLU with a slope on the negative side that is learnt.

    .. math:: f(x) = \max(x, 0) + a_c \min(x, 0)

    Parameters
    ----------
    x : Tensor
        Any shape; ``(N, C, ...)`` where ``weight`` is ``(C,)``.
    weight : Tensor
        :math:`a`, shape ``(1,)`` or ``(C,)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        Slopes for another number of channels.

    Notes
    -----
    ``PReLU(a)`` of the package torch_activation divides by ``a`` what is negative: its ``a`` is ``1 / weight``.

    References
    ----------
    He, Zhang, Ren and Sun, Delving Deep into Rectifiers, ICCV 2015, arXiv 1502.01852, equation 1.

    Examples
    --------
    >>> prelu(torch.tensor([[[-1.0, -1.0]]]), torch.tensor([0.25, 0.5]), channel_dim=-1)
    tensor([[[-0.2500, -0.5000]]])
    """
    if weight.numel() == 1:
        return functional.prelu(x, weight)
    place = check_channels(x, len(weight), "weight", channel_dim)
    return channels_back(functional.prelu(channels_second(x, place), weight), place)


def talu(x: Tensor, threshold: float = -0.5) -> Tensor:
    r"""TaLU: ReLU that ends in a piece of the hyperbolic tangent.

    .. math:: f(x) = \begin{cases} x & x > 0 \\ \tanh x & \lambda < x \le 0 \\ \tanh\lambda & x \le \lambda \end{cases}

    Parameters
    ----------
    x : Tensor
        Any shape.
    threshold : float
        :math:`\lambda < 0`; below it the gradient is 0.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        A threshold that is not negative.

    References
    ----------
    Hasan et al., 2023, arXiv 2305.04402 (abstract and introduction); the form is a code audit of two public scripts, of
    no official repository, which use -0.5 and -0.05; the package torch_activation has -1.

    Examples
    --------
    >>> talu(torch.tensor([-3.0, -0.1, 2.0]))
    tensor([-0.4621, -0.0997,  2.0000])
    """
    threshold = check_number("threshold", threshold, "use a negative number", lt=0)
    return torch.where(x > 0, x, torch.tanh(x.clamp(min=threshold)))


def apalu(x: Tensor, a: float | Tensor = 0.55, b: float | Tensor = 0.065, *, channel_dim: int = 1) -> Tensor:
    r"""APALU: scaled, GELU-like above zero and exponential below.

    .. math:: f(x) = \begin{cases} a\,(x + x\,\sigma(1.702 x)) & x \ge 0 \\ b\,(e^x - 1) & x < 0 \end{cases}

    The slopes at 0 are :math:`1.5 a` and :math:`b`: a kink unless :math:`b = 1.5 a`, although print says otherwise.

    Parameters
    ----------
    x : Tensor
        Any shape; ``(N, C, ...)`` where a parameter is ``(C,)``.
    a, b : float or Tensor
        A number, or ``(C,)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    References
    ----------
    Subramanian et al., 2024, arXiv 2402.08244 (abstract and introduction); form and defaults are a code audit of two
    programs by others.

    Examples
    --------
    >>> apalu(torch.tensor([-50.0, 0.0, 50.0]))
    tensor([-0.0650,  0.0000, 55.0000])
    """
    a, b = per_channel(a, x, "a", channel_dim), per_channel(b, x, "b", channel_dim)
    return torch.where(x >= 0, a * (x + x * torch.sigmoid(1.702 * x)), b * torch.expm1(x.clamp(max=0)))


def pwlu(
    x: Tensor,
    left: Tensor,
    right: Tensor,
    values: Tensor,
    slope_left: Tensor,
    slope_right: Tensor,
    *,
    channel_dim: int = 1,
) -> Tensor:
    r"""PWLU: linear interpolation of values on an even grid a channel, straight lines outside.

    With :math:`B_k = B_L + k (B_R - B_L) / N`:

    .. math:: f(x) = Y_k + \frac{Y_{k+1} - Y_k}{B_{k+1} - B_k} (x - B_k)

    for :math:`B_k \le x \le B_{k+1}`; below :math:`B_L` it is :math:`Y_0 + K_L (x - B_L)`, above :math:`B_R` it is
    :math:`Y_N + K_R (x - B_R)`.

    Parameters
    ----------
    x : Tensor
        ``(N, C, ...)``.
    left, right : Tensor
        :math:`B_L < B_R`, shape ``(C,)``; a width below 1e-4 counts as 1e-4.
    values : Tensor
        :math:`Y`, shape ``(C, N + 1)``.
    slope_left, slope_right : Tensor
        :math:`K_L, K_R`, shape ``(C,)``.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    Returns
    -------
    Tensor
        Shape of ``x``.

    Raises
    ------
    ValueError
        Values that are not ``(C, N + 1)``, or other channels in the input.

    References
    ----------
    Zhou, Zhu and Zhong, ICCV 2021, arXiv 2104.03693 (abstract); the form is as cited by
    github.com/MrGoriay/pwlu-pytorch.

    Examples
    --------
    >>> one = torch.ones(1)
    >>> pwlu(torch.tensor([[-2.0], [0.5], [4.0]]), -one, one, torch.tensor([[1.0, 0.0, 1.0]]), -one, one).flatten()
    tensor([2.0000, 0.5000, 4.0000])
    """
    if values.dim() != 2 or values.shape[1] < 2:
        raise ValueError(f"values has shape {tuple(values.shape)}; use (C, N + 1) with N >= 1")
    channels, knots = values.shape
    place = check_channels(x, channels, "values", channel_dim)
    left, slope_left, slope_right = (per_channel(p, x, "values", place) for p in (left, slope_left, slope_right))
    right = torch.maximum(per_channel(right, x, "values", place), left + 1e-4)
    # At an end of the grid this has the slope inside, where clamp, minimum and maximum would halve it.
    inside = torch.where(x < left, left, torch.where(x > right, right, x))
    position = (inside - left) * ((knots - 1) / (right - left))
    # Clamped as integers: a NaN would point outside the table.
    index = position.detach().floor().long().clamp(0, knots - 2)
    row = per_channel(torch.arange(channels, device=x.device) * (knots - 1), x, "values", place)
    start, step = (table.flatten()[row + index] for table in (values[:, :-1], values.diff(dim=1)))
    return start + (position - index) * step - slope_left * torch.relu(left - x) + slope_right * torch.relu(x - right)


def maxout(x: Tensor, pieces: int = 2, channel_dim: int = 1) -> Tensor:
    r"""The maximum over groups of neighbouring channels.

    .. math:: y_c = \max_{0 \le k < K} x_{Kc + k}

    Parameters
    ----------
    x : Tensor
        ``K C`` entries in ``channel_dim``.
    pieces : int
        ``K``.
    channel_dim : int
        Dimension of the channels.

    Returns
    -------
    Tensor
        ``C`` entries in ``channel_dim``.

    Raises
    ------
    ValueError
        Channels that ``pieces`` does not divide.

    Notes
    -----
    The affine maps of the paper are the layer before, ``K`` times as wide.
    LNets' ``Maxout(num_units)`` is told the number of outputs; that of the package torch_activation is another
    function, the largest of ``K`` lines in one entry.

    References
    ----------
    Goodfellow et al., Maxout Networks, ICML 2013, arXiv 1302.4389.

    Examples
    --------
    >>> maxout(torch.tensor([[1.0, 2.0, 5.0, 3.0]]))
    tensor([[2., 5.]])
    """
    pieces = check_int("pieces", pieces, 1)
    place = check_multiple(x, pieces, "pieces", channel_dim)
    return x.unflatten(place, (x.shape[place] // pieces, pieces)).amax(place + 1)
