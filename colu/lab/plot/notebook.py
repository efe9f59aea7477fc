"""How figures leave the kernel: as one SVG, which holds its form for a telephone where it has one.

A notebook shows the wide form; the pages of the book take the two apart by :func:`parted`.
"""

from __future__ import annotations

import base64
import re
import sys
import zlib
from typing import TYPE_CHECKING

from .narrow import narrow_svg
from .svg import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["parted", "show_as_svg", "with_narrow"]

_INLINE = ("inline", "module://matplotlib_inline.backend_inline")
_HELD = re.compile(r'<metadata id="narrow">([\w+/=]*)</metadata>')


def with_narrow(figure: Figure) -> str:
    """Return a figure as SVG that holds, unseen, the form for a telephone.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    str
        As of :func:`colu.lab.plot.as_svg`; what it holds is compressed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure(figsize=(6, 2), layout="constrained")
    >>> _ = figure.subplots(1, 2)
    >>> svg = with_narrow(figure)
    >>> wide, narrow = parted(svg)
    >>> len(wide) < len(svg) < len(wide) + len(narrow)
    True
    """
    wide = as_svg(figure)
    narrow = narrow_svg(figure, wide)
    if narrow is None:
        return wide
    held = base64.b64encode(zlib.compress(narrow.encode(), 9)).decode()
    end = wide.index(">") + 1
    return f'{wide[:end]}<metadata id="narrow">{held}</metadata>{wide[end:]}'


def parted(svg: str) -> tuple[str, str | None]:
    """Return the two forms of a figure of :func:`with_narrow`; None for a figure that has one form.

    Parameters
    ----------
    svg : str

    Examples
    --------
    >>> parted("<svg><g/></svg>")
    ('<svg><g/></svg>', None)
    """
    held = _HELD.search(svg)
    if held is None:
        return svg, None
    return svg.replace(held[0], "", 1), zlib.decompress(base64.b64decode(held[1])).decode()


def show_as_svg() -> bool:
    """Let the notebook that runs show matplotlib's figures by :func:`with_narrow`.

    Returns
    -------
    bool
        False outside of a notebook, where nothing changes.
    """
    if "IPython" not in sys.modules:
        return False
    import matplotlib as mpl
    from IPython import get_ipython
    from matplotlib.figure import Figure

    shell = get_ipython()
    if shell is None or mpl.get_backend() not in _INLINE:
        return False
    # Its import sets formats of its own, once; ours replace them.
    from matplotlib_inline import backend_inline  # noqa: F401

    formatters = shell.display_formatter.formatters
    for each in formatters.values():
        each.pop(Figure, None)
    formatters["image/svg+xml"].for_type(Figure, with_narrow)
    return True
