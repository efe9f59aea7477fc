"""How nbval compares and how it waits: ``pytest -p colu.press.build.nbval_plugin``.

Compared output must agree in its words exactly and in its floats within a tolerance; integers exactly.
Nothing of nbval is replaced: pytest's hooks change single collectors, cells and kernel clients, by the names in
``REACHED``, which a test holds against the installed nbval.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

import pytest

from colu.programs import leave_with

from .worker import START_TRIES

RELATIVE, ABSOLUTE = 1e-4, 1e-6
#: What is used of nbval, and why. The first is in its manual; the others are no promise of its authors.
REACHED = {
    "IPyNbFile.skip_compare": "warnings hold paths and times, so stderr is no part of what is claimed",
    "IPyNbFile.kernel": "leads to the client",
    "RunningKernel.kc": "the client, a public class of jupyter_client: its waiting and its history",
    "IPyNbCell.sanitize": "every output passes through it before it is compared with !=",
}

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
_FLOAT = re.compile(r"[.eE]")


class Tolerant(str):
    """An output that agrees with another in its words and integers exactly, in its floats nearly.

    What is no text, such as the JSON of a figure, is compared as its JSON.

    Examples
    --------
    >>> Tolerant("loss 0.12345 after 3 epochs") == Tolerant("loss 0.12346 after 3 epochs")
    True
    >>> Tolerant("loss 0.1235") == Tolerant("loss 0.2235"), Tolerant("3 epochs") == Tolerant("4 epochs")
    (False, False)
    """

    __hash__ = None

    def __new__(cls, output: Any) -> Tolerant:
        return super().__new__(cls, output if isinstance(output, str) else json.dumps(output, sort_keys=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str) or _NUMBER.sub("#", self).split() != _NUMBER.sub("#", other).split():
            return False
        return all(map(_near, _NUMBER.findall(self), _NUMBER.findall(other)))

    def __ne__(self, other: object) -> bool:
        return not self == other


def _near(x: str, y: str) -> bool:
    close = _FLOAT.search(x + y) and math.isclose(float(x), float(y), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return x == y or bool(close)


def _start(notebook: pytest.File, setup: Callable[[], None]) -> None:
    """Start a notebook's kernel, again where it does not answer; then watch its client."""
    for attempt in range(1, START_TRIES + 1):
        try:
            setup()
            break
        except RuntimeError as error:
            # nbval has stopped the kernel, or left one without output that ends with pytest.
            if attempt == START_TRIES:
                raise
            print(f"a kernel did not start ({error}): try {attempt + 1} of {START_TRIES}", file=sys.stderr)
    watch(notebook.kernel.kc)


def watch(client: Any) -> None:
    """Make a client of jupyter_client notice that its kernel is gone, and keep history."""
    execute, receive = client.execute, client.get_shell_msg

    def with_history(code: str, **options):
        # Without history IPython ignores a trailing ';' and shows what papermill did not.
        return execute(code, **options | {"store_history": True})

    def watched(timeout: float | None = None, **options):
        # nbval alone waits out the whole cell time-out for a kernel that is gone.
        end = time.monotonic() + (math.inf if timeout is None else timeout)
        while True:
            try:
                return receive(timeout=min(2.0, max(0.01, end - time.monotonic())), **options)
            except Empty:
                if not client.is_alive():
                    raise RuntimeError("the kernel died") from None
                if time.monotonic() >= end:
                    raise

    client.execute, client.get_shell_msg = with_history, watched


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the process that drives the build."""
    parser.addoption("--leave-with", type=int, help="The process with which pytest ends, and each of its workers.")


def pytest_configure(config: pytest.Config) -> None:
    """End with the process that drives the build; the kernels do so by themselves."""
    if driver := config.getoption("leave_with"):
        leave_with(driver, lambda: os._exit(1))


def _is_notebook(node: pytest.Collector | pytest.Item) -> bool:
    return getattr(node, "path", None) is not None and node.path.suffix == ".ipynb"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Prepare the collector of a notebook."""
    if _is_notebook(collector):
        collector.skip_compare = (*collector.skip_compare, "stderr")
        collector.setup = partial(_start, collector, collector.setup)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Prepare the cell of a notebook."""
    if _is_notebook(item):
        plain = item.sanitize
        item.sanitize = lambda output: Tolerant(plain(output))
