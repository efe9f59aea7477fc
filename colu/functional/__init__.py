"""The mathematics: one pure function a map, with its formula in the docstring.

Nothing here knows modules, training or plots.
"""

from colu.blocks import axes_first_to_blocks, blocks_to_axes_first

from .acon import acon, acon_a, acon_b, acon_c
from .conic import colu, rcolu
from .dynamic import dynamic_relu, frelu, spatial_attention
from .evonorm import evonorm_b0, evonorm_s0
from .gated import gated, norm_relu
from .hopfield import hopfield_energy, hopfield_update
from .hypercomplex import phm_weight, quaternion_algebra
from .inplace import colu_
from .isometric import crelu, group_sort, householder_activation
from .lslu import depthwise, fold_batch_norm, lslu, lslu_chain
from .orthogonal import gram_schmidt_rotation, householder_product, orthogonal_convolution_penalty
from .piecewise import apalu, maxout, pwlu, talu
from .projection import soc_projection
from .rational import rational
from .smooth import fourier, fourier_relu, linear_combination, smooth_maximum, sqish, squared_relu, swish
from .threshold import threshold

__all__ = [
    "acon",
    "acon_a",
    "acon_b",
    "acon_c",
    "apalu",
    "axes_first_to_blocks",
    "blocks_to_axes_first",
    "colu",
    "colu_",
    "crelu",
    "depthwise",
    "dynamic_relu",
    "evonorm_b0",
    "evonorm_s0",
    "fold_batch_norm",
    "fourier",
    "fourier_relu",
    "frelu",
    "gated",
    "gram_schmidt_rotation",
    "group_sort",
    "hopfield_energy",
    "hopfield_update",
    "householder_activation",
    "householder_product",
    "linear_combination",
    "lslu",
    "lslu_chain",
    "maxout",
    "norm_relu",
    "orthogonal_convolution_penalty",
    "phm_weight",
    "pwlu",
    "quaternion_algebra",
    "rational",
    "rcolu",
    "smooth_maximum",
    "soc_projection",
    "spatial_attention",
    "sqish",
    "squared_relu",
    "swish",
    "talu",
    "threshold",
]
