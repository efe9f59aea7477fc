"""The mathematics: one pure function a map, with its formula in the docstring.

Nothing here knows modules, training or plots.
"""

from ._blocks import axes_first_to_blocks, blocks_to_axes_first
from .acon import acon, acon_a, acon_b, acon_c
from .conic import colu, rcolu
from .dynamic import dynamic_relu, frelu, spatial_attention
from .lslu import depthwise, fold_batch_norm, lslu, lslu_chain
from .piecewise import apalu, maxout, pwlu, talu
from .projection import soc_projection
from .smooth import fourier, fourier_relu, linear_combination, smooth_maximum, sqish, squared_relu, swish

__all__ = [
    "acon",
    "acon_a",
    "acon_b",
    "acon_c",
    "apalu",
    "axes_first_to_blocks",
    "blocks_to_axes_first",
    "colu",
    "depthwise",
    "dynamic_relu",
    "fold_batch_norm",
    "fourier",
    "fourier_relu",
    "frelu",
    "linear_combination",
    "lslu",
    "lslu_chain",
    "maxout",
    "pwlu",
    "rcolu",
    "smooth_maximum",
    "soc_projection",
    "spatial_attention",
    "sqish",
    "squared_relu",
    "swish",
    "talu",
]
