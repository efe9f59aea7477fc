"""Conic Linear Units (CoLU) and the design of activations.

The package behind the executable book.
Subpackages load on first use, so ``import colu`` itself costs next to nothing
and touches no network, seed, warning filter or plot style.

Examples
--------
>>> import torch
>>> from colu.functional import colu
>>> colu(torch.tensor([[1.0, 3.0, 4.0]]), dim=3)
tensor([[1.0000, 0.6000, 0.8000]])
"""

import importlib

__version__ = "0.1.0"

_SUBPACKAGES = ("claims", "functional", "fusion", "geometry", "kernels", "lab", "nn", "press", "testing")

__all__ = ["__version__", *_SUBPACKAGES]


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"colu.{name}")
    raise AttributeError(f"module 'colu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBPACKAGES])
