"""A figure of the ratios of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ratio_figure"]

#: Ways to compute CoLU, which all have its colour.
MARKS = {"fused": "s", "blocked": "P", "reference": "X", "compiled": "d", "triton": "h", "colu": "p", "jax-colu": "<"}


def _look(arm: str) -> dict:
    from colu.lab.plot import look

    if arm in MARKS:
        return look("colu") | {"marker": MARKS[arm]}
    return look(arm.removeprefix("jax-")) | ({"fillstyle": "none"} if arm.startswith("jax-") else {})


def ratio_figure(records: Iterable[dict], *, passes: str = "both", allocator: str = "warm"):
    """Ratios to ReLU, a row for each case and a mark for each contender; cases without a good control are left out.

    Parameters
    ----------
    records : iterable of dict
        Of ``colu.lab.bench.bench``.
    passes : {"forward", "both", "step"}
    allocator : {"warm", "default"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    from colu.lab.plot import PALETTE

    chosen = [r for r in records if (r["passes"], r["allocator"]) == (passes, allocator)]
    kept = [r for r in chosen if r["ratio"] is not None and r["arm"] not in ("relu", "control")]
    cases = list(dict.fromkeys((r["case"], r["threads"]) for r in kept))
    names = list(dict.fromkeys(r["arm"] for r in kept))
    figure, axis = plt.subplots(figsize=(6.4, 1.4 + 0.36 * max(1, len(cases))))
    for name in names:
        mine = [r for r in kept if r["arm"] == name]
        height = [cases.index((r["case"], r["threads"])) for r in mine]
        middle = [r["ratio"] for r in mine]
        error = [[r["ratio"] - r["low"] for r in mine], [r["high"] - r["ratio"] for r in mine]]
        axis.errorbar(middle, height, xerr=error, label=name, **_look(name) | {"linestyle": "none"})
    axis.axvline(1, color=PALETTE["neutral"], linewidth=1)
    axis.set_xscale("log")
    axis.set_yticks(range(len(cases)), [f"{case}, {threads} thr." for case, threads in cases])
    axis.set_ylim(max(1, len(cases)) - 0.4, -0.6)
    axis.set_xlabel(f"time as a ratio to ReLU ({passes}, {allocator} allocator)")
    if names:
        figure.legend(loc="outside right center")
    else:
        axis.text(0.5, 0.5, "no case has a good control", transform=axis.transAxes, ha="center")
    return figure
