"""Two layers of threshold units, trained to the global optimum as a Lasso."""

from itertools import combinations, product

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["ThresholdNetwork", "fit_threshold_lasso", "hyperplane_arrangements"]


def hyperplane_arrangements(x: np.ndarray, tol: float = 1e-9) -> tuple[np.ndarray, np.ndarray]:
    r"""All patterns :math:`\mathbf 1\{Xh \ge 0\}` that a threshold unit can make of the data.

    In general position there are :math:`2 \sum_{k<d} \binom{n-1}{k}` (Cover), and the one of ``h = 0``, all ones, if
    no other makes it.
    Every cell of the arrangement has an extreme ray, which lies on ``d - 1`` of the hyperplanes: all are found by going
    from each ray to each side of its hyperplanes.

    Parameters
    ----------
    x : ndarray
        ``(n, d)``, small: the work grows as :math:`\binom{n}{d-1} 2^d`.
    tol : float
        Products with a ray that count as 0, relative to the largest entry.

    Returns
    -------
    patterns : ndarray
        ``(n, P)`` of zeros and ones, columns distinct.
    directions : ndarray
        ``(d, P)``, one :math:`h` a pattern.

    Raises
    ------
    ValueError
        Points that are not in general position: some ``d`` of them dependent.

    References
    ----------
    Ergen et al., ICLR 2023, arXiv 2303.03382.

    Examples
    --------
    >>> patterns, _ = hyperplane_arrangements(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]))
    >>> patterns.shape
    (3, 6)
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.shape[0] < x.shape[1] or x.shape[1] < 1:
        raise ValueError(f"x has shape {x.shape}; wanted (n, d) with n >= d >= 1")
    n, d = x.shape
    scale = np.abs(x).max()
    found: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for rows in map(list, combinations(range(n), d - 1)):
        ray = np.linalg.svd(np.vstack([x[rows], np.zeros((1, d))]))[2][-1]
        side = x @ ray
        others = np.ones(n, dtype=bool)
        others[rows] = False
        if np.abs(side[others]).min() <= tol * scale:
            raise ValueError(f"rows {rows} and another are dependent; move the points into general position")
        # Small against the distance of the other hyperplanes from the ray.
        inverse = np.linalg.pinv(x[rows]) if rows else np.zeros((d, 0))
        for orientation, signs in product((1, -1), product((1.0, -1.0), repeat=d - 1)):
            step = inverse @ np.array(signs)
            reach = np.abs(x[others] @ step).max()
            h = orientation * ray + step * 0.5 * np.abs(side[others]).min() / max(reach, 1e-300)
            pattern = x @ h >= 0
            found.setdefault(pattern.tobytes(), (pattern, h))
    everything = np.ones(n, dtype=bool)
    found.setdefault(everything.tobytes(), (everything, np.zeros(d)))
    patterns, directions = zip(*found.values(), strict=True)
    return np.stack(patterns, 1).astype(float), np.stack(directions, 1)


class ThresholdNetwork(nn.Module):
    r"""Two layers with threshold units.

    .. math:: f(x) = \sum_j w_j\, s_j\, \mathbf 1\{h_j^\top x \ge 0\}

    Parameters
    ----------
    directions : Tensor
        :math:`h_j`, ``(width, d)``.
    amplitude, weight : Tensor
        :math:`s_j` and :math:`w_j`, ``(width,)``.

    Examples
    --------
    >>> net = ThresholdNetwork(torch.eye(2), torch.ones(2), torch.tensor([1.0, 2.0]))
    >>> net(torch.tensor([[1.0, -1.0]])).detach()
    tensor([1.])
    """

    def __init__(self, directions: Tensor, amplitude: Tensor, weight: Tensor):
        super().__init__()
        self.directions = nn.Parameter(directions)
        self.amplitude = nn.Parameter(amplitude)
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        from colu.functional import threshold

        return threshold(x @ self.directions.t(), self.amplitude) @ self.weight

    def objective(self, x: Tensor, y: Tensor, beta: float) -> Tensor:
        r""":math:`\tfrac12 \|f(X) - y\|^2 + \tfrac\beta2 (\|s\|^2 + \|w\|^2)`; the directions have no scale."""
        decay = self.amplitude.square().sum() + self.weight.square().sum()
        return (self(x) - y).square().sum() / 2 + beta * decay / 2


def fit_threshold_lasso(x: np.ndarray, y: np.ndarray, beta: float) -> ThresholdNetwork:
    r"""The network that minimises squared error with weight decay, over all widths.

    .. math:: \min_c \tfrac12 \|Dc - y\|^2 + \beta \|c\|_1

    with the patterns of :func:`colu.lab.models.hyperplane_arrangements` in the columns of :math:`D`;
    then :math:`s_j = \sqrt{|c_j|}`, :math:`w_j = \mathrm{sign}(c_j) \sqrt{|c_j|}` for every :math:`c_j \ne 0`.

    Parameters
    ----------
    x : ndarray
        ``(n, d)`` in general position; append a column of ones for a bias.
    y : ndarray
        ``(n,)``.
    beta : float
        :math:`\beta > 0`.

    Returns
    -------
    ThresholdNetwork
        In float64, with as many units as the Lasso has non-zeros.

    Raises
    ------
    ValueError
        A ``beta`` that is not positive, or points that are not in general position.

    References
    ----------
    Ergen et al., ICLR 2023, arXiv 2303.03382; the Lasso by scikit-learn.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
    >>> fit_threshold_lasso(x, np.array([1.0, 0.0, 1.0]), 0.01)(torch.from_numpy(x)).shape
    torch.Size([3])
    """
    from sklearn.linear_model import Lasso

    if not beta > 0:
        raise ValueError(f"beta={beta!r} is out of range; use a positive number")
    patterns, directions = hyperplane_arrangements(x)
    # scikit-learn divides the squared error by n.
    lasso = Lasso(beta / len(x), fit_intercept=False, tol=1e-12, max_iter=200_000).fit(patterns, y)
    kept = np.flatnonzero(lasso.coef_)
    coefficients = torch.from_numpy(lasso.coef_[kept])
    root = coefficients.abs().sqrt()
    return ThresholdNetwork(torch.from_numpy(directions[:, kept].T.copy()), root, coefficients.sign() * root)
