"""The interactive figures, one module each: ``twin()`` draws the static picture, ``data()`` computes what it needs.

Both use the package, at the build; a figure whose script computes all by itself has no ``data``.
"""

import importlib
from types import ModuleType

__all__ = ["module_of"]


def module_of(name: str) -> ModuleType:
    """The module of a figure."""
    return importlib.import_module(f"{__name__}.{name}")
