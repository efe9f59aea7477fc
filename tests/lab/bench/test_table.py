"""The file holds every record, the table a line a contender, and neither a ratio without a good control."""

import csv
import io

from rich.console import Console

from colu.lab.bench.table import COLUMNS, file_name, ratio_table, write_csv


def record(**changes):
    found = {"device": "cpu", "dtype": "float32", "shape": "4x16", "place": "last", "dim": 4, "bytes": 256,
             "threads": 1, "passes": "both", "arm": "fused", "allocator": "warm", "ratio": 1.25, "low": 1.2,
             "high": 1.5, "control": 1.01, "target": 1.5, "verdict": "met", "seconds": 1e-4, "saved": 1.0,
             "peak": None, "case": "one", "left_out": ""}  # fmt: skip
    return found | changes


BAD = record(arm="silu", ratio=None, low=None, high=None, control=1.4, target=None, verdict="no verdict: 1.4")


def shown(*records):
    """The lines of the table, each as its cells."""
    console = Console(file=io.StringIO(), width=300)
    console.print(ratio_table(records))
    lines = [line for line in console.file.getvalue().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_file_has_every_record_and_no_ratio_without_a_good_control(tmp_path):
    path = write_csv([record(more="left out"), BAD], tmp_path / "new")
    assert path.parent == tmp_path / "new" and path.name == file_name([record()])
    with path.open(encoding="utf8") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert (first["ratio"], first["verdict"]) == ("1.25", "met")
    assert (second["ratio"], second["low"], second["high"], second["control"]) == ("", "", "", "1.4")


def test_name_of_the_file_lists_its_types_once_and_in_order():
    name = file_name([record(dtype="float32"), record(dtype="bfloat16"), record(dtype="float32")])
    assert "-bfloat16+float32-" in name and not set(name) & set(" /()")


def test_modes_of_the_allocator_stand_side_by_side():
    (line,) = shown(record(), record(allocator="default", ratio=2.0, low=1.9, high=2.2, verdict="missed"))
    assert line == ["one", "1", "both", "fused", "1.25 (1.20-1.50) met", "2.00 (1.90-2.20) missed", "1.50", "1.00", ""]


def test_contenders_passes_and_cases_have_lines_of_their_own_and_a_mode_may_be_missing():
    lines = shown(record(), record(passes="forward", allocator="default"), BAD, record(case="two", verdict=""))
    assert [line[:4] for line in lines] == [
        ["one", "1", "both", "fused"], ["one", "1", "forward", "fused"], ["one", "1", "both", "silu"],
        ["two", "1", "both", "fused"],
    ]  # fmt: skip
    assert lines[0][5] == "" and lines[1][4] == "" and lines[3][4] == "1.25 (1.20-1.50)"
    assert lines[2][4] == "no verdict (1.40)" and lines[2][6] == ""
