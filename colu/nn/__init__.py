"""Activations as modules, found by name, class or callable.

All can be compiled, exported and traced.
Those that are not torch's own are not for ``torch.jit.script``, which torch has deprecated.
"""

from .registry import load_families

# A family is a file here: what it lists in its own __all__ is public, and nothing else names it.
_PUBLIC = load_families()
globals().update(_PUBLIC)
__all__ = sorted(_PUBLIC)
