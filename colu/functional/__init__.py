"""The mathematics: one pure function a map, with its formula in the docstring.

Nothing here knows modules, training or plots.
"""

from colu.blocks import axes_first_to_blocks, blocks_to_axes_first
from colu.families import public_names

_PUBLIC = public_names(__name__, __path__) | {f.__name__: f for f in (axes_first_to_blocks, blocks_to_axes_first)}
globals().update(_PUBLIC)
__all__ = sorted(_PUBLIC)
