"""Records of a benchmark as a table on the terminal and as a file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from colu.lab.results.records import processor

__all__ = ["COLUMNS", "file_name", "ratio_table", "write_csv"]

COLUMNS = (
    "device", "dtype", "shape", "place", "dim", "bytes", "threads", "passes", "arm", "allocator", "ratio", "low",
    "high", "control", "target", "verdict", "seconds", "saved", "peak", "case", "left_out",
)  # fmt: skip


def file_name(records: list[dict]) -> str:
    """A name that carries device, types and versions.

    Examples
    --------
    >>> name = file_name([{"device": "cpu", "dtype": "float32"}])
    >>> name.startswith("bench-cpu-"), "-float32-" in name, name.endswith(".csv")
    (True, True, True)
    """
    import torch

    import colu

    device = records[0]["device"]
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    types = "+".join(sorted({record["dtype"] for record in records}))
    parts = (device, name, types, f"torch{torch.__version__}", f"colu{colu.__version__}")
    return "bench-" + "-".join(re.sub(r"[^\w.+]+", "_", part).strip("_") for part in parts) + ".csv"


def write_csv(records: list[dict], folder: str | Path) -> Path:
    """Write all records into ``folder``; the ratio of a case without a good control stays empty."""
    path = Path(folder) / file_name(records)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(records)
    return path


def _cell(record: dict) -> str:
    if record["ratio"] is None:
        return f"no verdict ({record['control']:.2f})"
    text = f"{record['ratio']:.2f} ({record['low']:.2f}-{record['high']:.2f})"
    return f"{text} {record['verdict']}".rstrip()


def ratio_table(records: Iterable[dict]) -> Table:
    """A line for each case, pass and contender, a column for each allocator mode.

    Where there is no verdict, the reading of the control stands in brackets.
    """
    records = list(records)
    modes = sorted({record["allocator"] for record in records}, reverse=True)
    shown = Table(title="Time as a ratio to F.relu: median (quartiles); memory in units of the input")
    for heading in ("case", "threads", "pass", "arm", *modes, "target", "saved", "peak"):
        shown.add_column(heading, justify="left" if heading in ("case", "pass", "arm") else "right", no_wrap=True)
    rows: dict[tuple, dict] = {}
    for record in records:
        key = tuple(record[name] for name in ("case", "threads", "passes", "arm"))
        rows.setdefault(key, {})[record["allocator"]] = record
    for key, found in rows.items():
        case, threads, passes, arm = key
        one = next(iter(found.values()))
        numbers = ["" if one[name] is None else f"{one[name]:.2f}" for name in ("saved", "peak")]
        wanted = next((r["target"] for r in found.values() if r["target"] is not None), None)
        cells = [_cell(found[mode]) if mode in found else "" for mode in modes]
        shown.add_row(case, str(threads), passes, arm, *cells, "" if wanted is None else f"{wanted:.2f}", *numbers)
    return shown
