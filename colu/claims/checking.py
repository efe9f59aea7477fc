"""Hold a measured value against the ledger, and hand numbers to the prose."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import Any

from .ledger import load_expectations

__all__ = ["ClaimFailed", "check", "glue"]

_MIME_PREFIX = "application/papermill.record/"


class ClaimFailed(AssertionError):
    """A measured value is not what the book claims."""


def _plain(measured: Any) -> float | int | bool:
    """A Python number from a number, bool, or anything with ``.item()`` and one entry."""
    if hasattr(measured, "item"):
        if getattr(measured, "size", 1) != 1 and getattr(measured, "shape", ()) not in ((), (1,)):
            shape = tuple(measured.shape)
            raise ValueError(f"measured has shape {shape}, wanted one number: reduce it, as with .max()")
        measured = measured.item()
    if not isinstance(measured, bool | int | float):
        raise TypeError(f"measured is {measured!r}, wanted one number or bool")
    return measured


def _shown(measured: float | int | bool, tolerance: float, kind: str) -> str:
    """Digits down to the tolerance, so that the line is the same on every run."""
    if isinstance(measured, bool):
        return "true" if measured else "false"
    if isinstance(measured, int):
        return str(measured)
    if kind == "expected" and tolerance > 0 and math.isfinite(measured):
        decimals = max(0, -math.floor(math.log10(tolerance)))
        if decimals <= 9:
            return f"{round(measured, decimals) + 0.0:.{decimals}f}"
    return f"{measured:.3g}"


def _publish(name: str, value: Any, **metadata: Any) -> None:
    """Emit ``value`` where Jupyter and the book's glue find it; nothing outside IPython."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    if get_ipython() is None:
        return
    text = value if isinstance(value, str) else repr(value)
    scrapbook = {"name": name, "mime_prefix": _MIME_PREFIX}
    display({_MIME_PREFIX + "text/plain": text}, raw=True, metadata={"scrapbook": scrapbook, **metadata})


def glue(name: str, value: Any) -> None:
    """Hand ``value`` to the prose under ``name``; a cell that ends in it shows nothing.

    In a page of the book ``{glue:text}`name:.3f``` prints it.

    Examples
    --------
    >>> glue("answer", 42)
    """
    if hasattr(value, "item"):
        value = value.item()
    _publish(name, value)


def check(claim_id: str, measured: Any, *, preset: str = "smoke", ledger: Path | None = None) -> None:
    """Hold ``measured`` against the committed expectation of ``claim_id``.

    Prints one line that is the same on every run, and records the value for :func:`glue` under ``claim_id``.

    Parameters
    ----------
    claim_id : str
        A key of the ledger.
    measured : number, bool or tensor of one entry
    preset : {"smoke", "laptop", "full"}
        Which value holds where the expectation depends on the preset.
    ledger : Path, optional
        Another ledger than the package's.

    Raises
    ------
    ClaimFailed
        If it does not hold, NaN included; names id, notebook, expected, measured and source.
    KeyError
        If the ledger has no such claim; names the nearest ids.
    """
    expectations = load_expectations(ledger)
    if claim_id not in expectations:
        near = difflib.get_close_matches(claim_id, expectations, n=3)
        raise KeyError(
            f"claim {claim_id!r} is not in the ledger"
            + (f"; the nearest ids are {near}" if near else "; add an entry for it")
        )
    expectation = expectations[claim_id]
    measured = _plain(measured)
    value, tolerance = expectation.at(preset)
    wanted = expectation.words(preset)
    if not expectation.holds(measured, preset):
        raise ClaimFailed(
            f"claim {claim_id!r} of {expectation.notebook} fails: expected {wanted}; measured {measured!r} "
            f"(preset {preset}). Source: {' '.join(expectation.source.split())}"
        )
    record = {
        "id": claim_id,
        "measured": measured,
        "shown": _shown(measured, tolerance, expectation.kind),
        "expected": wanted,
        "preset": preset,
        "verdict": "holds",
    }
    _publish(claim_id, measured, colu_claim=record)
    print(f"claim {claim_id} holds: measured {record['shown']}, expected {wanted}")
