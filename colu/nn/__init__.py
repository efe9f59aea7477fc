"""Activations as modules, found by name, class or callable."""

# ruff: noqa: F401 -- the names are the public interface; __all__ is made at the end.

from .acon import AconA, AconB, AconC, MetaAcon
from .conic import MPU, CoLU, RCoLU
from .dynamic import DYReLU, FReLU
from .evonorm import EvoNormB0, EvoNormS0
from .gain import gain, kaiming_like_, second_moment_ratio
from .gated import Gated, NormReLU
from .graph import GReLU
from .hopfield import Hopfield
from .hypercomplex import PHMLinear
from .isometric import CReLU, GroupSort, HouseholderActivation
from .kan import AFKANLinear, GRKANLinear
from .lslu import LSLU, LSLUAsPublished, SeriesActivation
from .orthogonal import HouseholderLinear, OrthogonalConvolutionPenalty, RotationLinear
from .piecewise import APALU, PWLU, Maxout, TaLU
from .rational import GroupRational, Rational, fit_rational
from .registry import ActivationEntry, activation_layer, create, get_entry, list_activations, register
from .replace import ReplacementReport, replace_activations
from .smooth import FourierActivation, LinearCombination, Sqish, SquaredReLU, Swish
from .threshold import Threshold

# Every public class and function above; the submodules themselves are not listed.
__all__ = sorted(name for name, value in globals().items() if not name.startswith("_") and callable(value))
