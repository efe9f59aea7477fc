"""The mathematics: one pure function a map, with its formula in the docstring.

Nothing here knows modules, training or plots.
"""

from ._blocks import axes_first_to_blocks, blocks_to_axes_first
from .conic import colu, rcolu
from .projection import soc_projection

__all__ = ["axes_first_to_blocks", "blocks_to_axes_first", "colu", "rcolu", "soc_projection"]
