"""Rational activations as modules: Padé units, and the grouped ones of Kolmogorov-Arnold transformers."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, fx, nn

from colu.channels import check_channels
from colu.checks import check_axis, check_choice, check_int
from colu.extras import require
from colu.functional import rational
from colu.functional.rational import VERSIONS
from colu.geometry import Symmetry

from ._facts import carried, permutations, shown
from .registry import register

__all__ = ["GroupRational", "Rational", "fit_rational"]

for _name in ("rational", "check_channels"):
    fx.wrap(_name)

#: Coefficients of degrees (5, 4): a start needs no SciPy, and is the same on every machine.
STARTS = Path(__file__).with_name("rational_starts.json")

TARGETS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "leaky-relu": nn.functional.leaky_relu,
    "silu": nn.functional.silu,
    "gelu": nn.functional.gelu,
    "tanh": torch.tanh,
}


@functools.cache
def fit_rational(
    target: str, version: str = "A", degrees: tuple[int, int] = (5, 4)
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    r"""Coefficients of the rational function that is nearest to a known activation on :math:`[-3, 3]`.

    Parameters
    ----------
    target : {"identity", "relu", "leaky-relu", "silu", "gelu", "tanh"}
        What to fit.
    version : {"A", "B", "C", "mixed"}
        The denominator, see :func:`colu.functional.rational`.
    degrees : tuple of int
        ``(m, n)``.

    Returns
    -------
    numerator, denominator : tuple of float
        Least squares on 601 even points, from a start that is the same each time:
        kept in ``rational_starts.json`` for the usual degrees, and found by SciPy for others.

    Raises
    ------
    ValueError
        An unknown target or version.
    ModuleNotFoundError
        Other degrees where SciPy is absent.

    Examples
    --------
    >>> numerator, denominator = fit_rational("silu")
    >>> len(numerator), len(denominator)
    (6, 4)
    """
    check_choice("target", target, tuple(TARGETS))
    check_choice("version", version, VERSIONS)
    m, n = degrees
    if target == "identity":
        # The fit would stay anywhere on P = x Q; this is the one with nothing to cancel.
        numerator = [0.0] * (m + 1)
        numerator[1] = 0.1 if version == "C" else 1.0
        return tuple(numerator), (0.0,) * (n + (version == "C"))
    if tuple(degrees) == (5, 4):
        kept = json.loads(STARTS.read_text(encoding="utf8"))[f"{target} {version}"]
        return tuple(kept["numerator"]), tuple(kept["denominator"])
    return least_squares_fit(target, version, degrees)


def least_squares_fit(target: str, version: str, degrees: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """The fit of :func:`fit_rational` by SciPy's trust region.

    A and mixed take the size of each coefficient of the denominator, with a kink at 0 on which a search gets stuck;
    so theirs are searched among those that are not negative, where all is smooth.
    """
    require("fusion", f"a rational unit of degrees {degrees}", "scipy")
    from scipy.optimize import least_squares

    m, n = degrees
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)
    wanted = TARGETS[target](x)

    def residual(values: np.ndarray) -> np.ndarray:
        a, b = torch.from_numpy(values[: m + 1]), torch.from_numpy(values[m + 1 :])
        return (rational(x, a, b, version) - wanted).numpy()

    # Even powers in the denominator: positive in every version.
    powers = np.arange(0 if version == "C" else 1, n + 1)
    denominator = np.where(powers % 2 == 0, 0.1, 0.01)
    basis = np.vander(x.numpy(), m + 1, increasing=True)
    start = rational(x, torch.ones(1, dtype=x.dtype), torch.from_numpy(denominator), version).numpy()
    numerator = np.linalg.lstsq(basis * start[:, None], wanted.numpy(), rcond=None)[0]
    lowest = np.full(m + 1 + len(powers), -np.inf)
    if version in ("A", "mixed"):
        lowest[m + 1 :] = 0
    start = np.concatenate([numerator, denominator])
    found = least_squares(residual, start, bounds=(lowest, np.inf), ftol=1e-12, xtol=1e-12, gtol=1e-12).x
    return tuple(found[: m + 1].tolist()), tuple(found[m + 1 :].tolist())


class Rational(nn.Module):
    r"""Padé activation unit: :func:`colu.functional.rational` with coefficients that are learnt.

    .. math:: f(x) = \frac{\sum_{j=0}^m a_j x^j}{Q(x)}

    Parameters
    ----------
    version : {"A", "B", "C", "mixed"}
        The denominator.
    init : str
        What it starts as, see ``fit_rational`` in this module.
    degrees : tuple of int
        ``(m, n)``.

    Notes
    -----
    One function for the whole layer; any shape of input.
    The starting coefficients are our own fit on [-3, 3].

    References
    ----------
    Molina, Schramowski and Kersting, Padé Activation Units, ICLR 2020, arXiv 1907.06732.

    Examples
    --------
    >>> bool((Rational(init="silu")(torch.ones(1)) - torch.nn.functional.silu(torch.ones(1))).abs() < 0.01)
    True
    """

    def __init__(self, version: str = "A", init: str = "leaky-relu", degrees: tuple[int, int] = (5, 4)):
        super().__init__()
        degrees = check_int("degrees[0]", degrees[0], 0), check_int("degrees[1]", degrees[1], 1)
        numerator, denominator = fit_rational(init, version, degrees)
        self.version, self.init, self.degrees = version, init, degrees
        self.numerator = nn.Parameter(torch.tensor(numerator))
        self.denominator = nn.Parameter(torch.tensor(denominator))

    def forward(self, x: Tensor) -> Tensor:
        return rational(x, self.numerator, self.denominator, self.version)

    def extra_repr(self) -> str:
        return f"version={self.version!r}, init={self.init!r}, degrees={self.degrees}"


class GroupRational(nn.Module):
    r"""The activation of GR-KAN: one numerator for all, a denominator a group of channels.

    .. math:: f(x_c) = \frac{\sum_{j=0}^5 a_j x_c^j}{Q_{g(c)}(x_c)}

    Parameters
    ----------
    num_channels : int
        Channels.
    num_groups : int, optional
        Groups of neighbouring channels; 8, or fewer where 8 does not divide the channels.
    init : str
        What it starts as, see ``fit_rational`` in this module.
    version : {"A", "B", "mixed"}
        The three denominators of the published code, which differ where coefficients or inputs are negative:
        ``B`` in the fit, ``A`` in the Triton kernel, ``mixed`` in the torch fallback.
        The coefficients here are fitted with the denominator that is used.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.

    References
    ----------
    Yang and Wang, Kolmogorov-Arnold Transformer, ICLR 2025, arXiv 2409.10594 (abstract and introduction); the form is a
    code audit of github.com/Adamdad/rational_kat_cu.

    Examples
    --------
    >>> GroupRational(16)(torch.zeros(2, 16)).shape
    torch.Size([2, 16])
    """

    def __init__(
        self,
        num_channels: int,
        num_groups: int | None = None,
        init: str = "silu",
        version: str = "A",
        channel_dim: int = 1,
    ):
        super().__init__()
        num_channels = check_int("num_channels", num_channels, 1)
        check_choice("version", version, ("A", "B", "mixed"))
        num_groups = _groups(num_channels) if num_groups is None else num_groups
        num_groups = check_int("num_groups", num_groups, 1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups={num_groups} does not divide {num_channels} channels; use a divisor")
        numerator, denominator = fit_rational(init, version)
        self.num_channels, self.num_groups, self.init, self.version = num_channels, num_groups, init, version
        self.channel_dim = check_axis(channel_dim)
        self.numerator = nn.Parameter(torch.tensor(numerator))
        self.denominator = nn.Parameter(torch.tensor(denominator).repeat(num_groups, 1))

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.num_channels, "GroupRational", self.channel_dim)
        return rational(x, self.numerator, self.denominator, self.version, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        options = f"num_groups={self.num_groups}, init={self.init!r}, version={self.version!r}"
        return f"{self.num_channels}, {options}{shown(self.channel_dim)}"


def _groups(channels: int) -> int:
    return next(groups for groups in range(8, 0, -1) if channels % groups == 0)


_Q = {
    "a": r"1 + \sum_{k=1}^4 |b_k x^k|",
    "b": r"1 + |\sum_{k=1}^4 b_k x^k|",
    "c": r"0.1 + |\sum_{k=0}^4 b_k x^k|",
}

# Of the starts, which are leaky ReLU's fits.
_STEEPEST = {"a": 1.035164, "b": 1.069286, "c": 1.069288}


def _rational(version: str) -> None:
    count = 11 if version == "c" else 10
    register(
        f"rational-{version}",
        functools.partial(Rational, version=version.upper()),
        r"\frac{\sum_{j=0}^5 a_j x^j}{" + _Q[version] + "}",
        citation="molina2020pade",
        parameters=lambda channels: count,
        parameter_formula=str(count),
        symmetry=permutations(),
        lipschitz=_STEEPEST[version],
        pointwise=True,
        notes="Starts from our own fit of leaky ReLU.",
        aliases=("pade", "pau") if version == "a" else (),
    )


def _grouped(module: GroupRational, channels: int) -> Symmetry:
    if module.num_groups == channels:
        return Symmetry("units", channels, carries=carried(module, {"denominator": 0}))
    return Symmetry("units", channels, blocks=module.num_groups)


for _version in _Q:
    _rational(_version)
register(
    "group-rational",
    GroupRational,
    r"\frac{\sum_{j=0}^5 a_j x^j}{1 + \sum_{k=1}^4 |b_{g,k} x^k|}",
    citation="yang2024kat",
    parameters=lambda channels: 6 + 4 * _groups(channels),
    parameter_formula=r"6 + 4G,\ G \le 8",
    symmetry=_grouped,
    lipschitz=1.099842,
    pointwise=True,
    needs_channels=True,
    notes="Published code has three different denominators; coefficients fitted with the one that is used.",
)
