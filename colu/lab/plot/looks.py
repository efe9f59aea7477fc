"""One look for each activation, the same on every page: a colour for its family, and a marker and a line of its own."""

from __future__ import annotations

import difflib
import re

from .palette import LINESTYLES, PALETTE

__all__ = ["LOOKS", "look"]

_DOTTED, _LONG, _DOUBLE, _TIGHT, _WIDE = LINESTYLES[3:]
_SPARSE, _TRIPLE = (0, (1, 3)), (0, (5, 2, 1, 2, 1, 2))
#: Activation -> colour in :data:`PALETTE`, marker, line.
LOOKS = {
    "relu": ("relu", "o", "-"),
    "relu-linear": ("relu", "v", "--"),
    "squared-relu": ("relu", "^", _DOTTED),
    "leaky-relu": ("relu", "<", "-."),
    "prelu": ("relu", ">", _LONG),
    "elu": ("exponential", "o", "-"),
    "selu": ("exponential", "D", "--"),
    "colu": ("colu", "s", "-"),
    "colu-2": ("colu", "p", _DOTTED),
    "colu-3": ("colu", "h", _TIGHT),
    "colu-8": ("colu", "8", _LONG),
    "colu-16": ("colu", "d", "--"),
    "colu-shared": ("colu", "P", "-."),
    "colu-frame": ("colu", "X", _DOUBLE),
    "colu-cones": ("colu", "v", _SPARSE),
    "colu-rectified": ("colu", "<", _TRIPLE),
    "rcolu": ("colu", "D", _WIDE),
    "colu-soft": ("soft", "^", "-"),
    "colu-soft-shared": ("soft", ">", "--"),
    "colu-soft-rectified": ("soft", "<", _DOUBLE),
    "colu-firm": ("soft", "*", "-."),
    "colu-sqrt": ("soft", "p", _DOTTED),
    "colu-log": ("soft", "h", _LONG),
    "mpu": ("mpu", "D", "-"),
    "mpu-4": ("mpu", "d", "--"),
    "euclidean": ("mpu", "D", "-"),
    "norm-relu": ("mpu", "p", _DOTTED),
    "gate": ("gate", "h", "-."),
    "silu": ("gate", "P", "-"),
    "gelu": ("gate", "X", "--"),
    "swiglu": ("gate", "s", _WIDE),
    "swish": ("gate", "P", "-"),
    "mish": ("gate", "v", _DOUBLE),
    "acon": ("gate", "*", _DOTTED),
    "meta-acon": ("gate", "d", _LONG),
    "meta-acon-3": ("gate", "8", _TIGHT),
    "tanh": ("neutral", "v", "-."),
    "sigmoid": ("neutral", "^", "--"),
    "step": ("neutral", "s", "-"),
    "lslu": ("lslu", "*", "-"),
    "raf": ("lslu", "h", "--"),
    "group-rational": ("lslu", "D", _DOTTED),
    "maxmin": ("lslu", "^", "-."),
    "sine": ("lslu", "P", _WIDE),
    "snake": ("cone", "v", "--"),
    "identity": ("neutral", "X", _DOTTED),
    "linear": ("neutral", "X", _DOTTED),
}


def look(name: str) -> dict:
    """Return colour, marker and line of an activation, as options of matplotlib.

    Parameters
    ----------
    name : str
        The name of an arm or activation, or as prose says it; of ``"colu-soft-shared-13"`` the longest part that is
        known counts, of ``"ReLU, opponent"`` what stands before the comma.

    Returns
    -------
    dict
        ``color``, ``marker``, ``linestyle``.

    Raises
    ------
    ValueError
        For an activation that has no look, with those that come near.

    Examples
    --------
    >>> look("colu") == look("hard CoLU") == look("CoLU, S = 4")
    True
    >>> look("relu-linear")
    {'color': '#0072B2', 'marker': 'v', 'linestyle': '--'}
    """
    words = re.split(r"[\s-]+", name.partition(",")[0].strip().lower())
    if words[0] in ("hard", "soft", "firm") and len(words) > 1:
        words = [*words[1:], *([] if words[0] == "hard" else words[:1])]
    for count in range(len(words), 0, -1):
        known = LOOKS.get("-".join(words[:count]))
        if known:
            return {"color": PALETTE[known[0]], "marker": known[1], "linestyle": known[2]}
    near = difflib.get_close_matches("-".join(words), LOOKS, n=3, cutoff=0.5) or sorted(LOOKS)
    raise ValueError(f"{name!r} has no look: give it one in colu.lab.plot.looks, or take one of {', '.join(near)}")
