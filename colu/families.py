"""Packages whose files are families: each says by its own ``__all__`` what is public, and nothing else names it."""

import importlib
import pkgutil


def public_names(package: str, path: list[str]) -> dict[str, object]:
    """Import the files of a package and collect what they list; private files are left alone.

    Parameters
    ----------
    package : str
        Its name, ``__name__`` in its own ``__init__``.
    path : list of str
        Its ``__path__``.

    Examples
    --------
    >>> import colu.nn
    >>> public_names("colu.nn", colu.nn.__path__)["CoLU"] is colu.nn.CoLU
    True
    """
    found = {}
    for file in pkgutil.iter_modules(path):
        if not file.name.startswith("_"):
            family = importlib.import_module(f"{package}.{file.name}")
            found |= {name: getattr(family, name) for name in family.__all__}
    return found
