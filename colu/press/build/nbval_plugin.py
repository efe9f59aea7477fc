"""Repairs and tolerances for nbval: ``pytest -p colu.press.build.nbval_plugin``.

Compared output must agree in its words exactly and in its floats within a tolerance; integers exactly.
nbval 0.11.0 is patched in private places, so its version is pinned and checked here.
"""

from __future__ import annotations

import math
import re
import sys
import time
from importlib import metadata
from queue import Empty
from typing import Any

import pytest

from .worker import START_SECONDS, START_TRIES

SUPPORTED = "0.11.0"
RELATIVE, ABSOLUTE = 1e-4, 1e-6

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
_FLOAT = re.compile(r"[.eE]")


def _same_text(a: str, b: str) -> bool:
    if _NUMBER.sub("#", a).split() != _NUMBER.sub("#", b).split():
        return False
    pairs = zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True)
    return all(x == y or (_is_float(x, y) and _near(float(x), float(y))) for x, y in pairs)


def _is_float(x: str, y: str) -> bool:
    return bool(_FLOAT.search(x) or _FLOAT.search(y))


def _near(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def agree(a: Any, b: Any) -> bool:
    """Whether two outputs say the same: words exactly, integers exactly, floats nearly.

    Examples
    --------
    >>> agree("loss 0.12345 after 3 epochs", "loss 0.12346 after 3 epochs")
    True
    >>> agree("loss 0.1235", "loss 0.2235"), agree("3 epochs", "4 epochs"), agree("a 1.0", "b 1.0")
    (False, False, False)
    """
    if isinstance(a, str) and isinstance(b, str):
        return a == b or _same_text(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(agree(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, float) or isinstance(b, float):
        return isinstance(a, int | float) and isinstance(b, int | float) and _near(a, b)
    return a == b


class _Tolerant:
    """Wraps an output so that nbval's ``!=`` is :func:`agree`."""

    __hash__ = None

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return agree(self.value, getattr(other, "value", other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return repr(self.value)


def _patch_comparison(cell: type) -> None:
    sanitize, shown = cell.sanitize, cell.format_output_compare
    cell.sanitize = lambda self, text: _Tolerant(sanitize(self, text))
    cell.format_output_compare = lambda self, key, left, right: shown(
        self, key, getattr(left, "value", left), getattr(right, "value", right)
    )


def _patch_kernel(kernel: type) -> None:
    await_reply = kernel.await_reply

    def execute_cell_input(self, source, allow_stdin=None):
        # Without history IPython ignores a trailing ';' and shows what papermill did not.
        return self.kc.execute(source, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)

    def watched(self, message, timeout=None):
        # nbval alone waits out the whole cell time-out for a kernel that is gone.
        end = time.monotonic() + (timeout or math.inf)
        while True:
            try:
                return await_reply(self, message, timeout=min(2.0, max(0.01, end - time.monotonic())))
            except Empty:
                if not self.km.is_alive():
                    raise RuntimeError("the kernel died") from None
                if time.monotonic() >= end:
                    raise

    kernel.execute_cell_input = execute_cell_input
    kernel.await_reply = watched


def _patch_start(kernel: type) -> None:
    initialise = kernel.__init__

    def patient(self, kernel_name, cwd=None, startup_timeout=START_SECONDS):
        for attempt in range(1, START_TRIES + 1):
            try:
                return initialise(self, kernel_name, cwd, max(startup_timeout, START_SECONDS))
            except RuntimeError as error:
                if (manager := getattr(self, "km", None)) is not None:
                    manager.shutdown_kernel(now=True)
                if attempt == START_TRIES:
                    raise
                print(f"a kernel did not start ({error}): try {attempt + 1} of {START_TRIES}", file=sys.stderr)

    kernel.__init__ = patient


def _patch_file(file: type) -> None:
    initialise = file.__init__

    def without_stderr(self, *args, **kwargs):
        # Warnings hold paths and times; they are no part of what is claimed.
        initialise(self, *args, **kwargs)
        self.skip_compare = (*self.skip_compare, "stderr")

    file.__init__ = without_stderr


def pytest_configure() -> None:
    """Patch nbval once, in every pytest process."""
    found = metadata.version("nbval")
    if found != SUPPORTED:
        raise pytest.UsageError(f"nbval is {found}, this plugin patches {SUPPORTED}: pip install nbval=={SUPPORTED}")
    from nbval import kernel, plugin

    if getattr(plugin, "_colu_patched", False):
        return
    plugin._colu_patched = True
    _patch_comparison(plugin.IPyNbCell)
    _patch_kernel(kernel.RunningKernel)
    _patch_start(kernel.RunningKernel)
    _patch_file(plugin.IPyNbFile)
