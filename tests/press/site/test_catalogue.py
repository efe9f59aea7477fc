"""The page of public networks counts what its record holds."""

from colu.lab.catalogue import CATALOGUE
from colu.press.site.catalogue import _short, catalogue_rows, scale_rows, summary

FOUND = {"groups": {f"Perm({n})": 2 for n in range(2, 8)}, "still": {"add": 3}, "error": 3e-15, "share": 0.79,
         "cpu_seconds": 1.26, "memory_bytes": 3 * 2**20, "versions": {"torch": "2.1"}, "device": "cpu",
         "commit": "b" * 40}  # fmt: skip


def test_a_model_counts_from_four_fifths():
    record = {"gpt2": FOUND | {"share": 0.8}, "llama": FOUND | {"error": 2e-14}}
    text = summary(record)
    assert text.startswith("In **1 of 2** models") and "80 % of the channels" in text
    assert "at most 2.0e-14" in text and "torch 2.1 at `bbbbbbbbbb`; one thread, CPU" in text


def test_rows_follow_the_catalogue_and_count_what_they_do_not_show():
    rows = catalogue_rows({"llama": FOUND, "resnet18": FOUND, "gone": FOUND})
    assert [row[0] for row in rows] == ["`resnet18`", "`llama`"]
    assert rows[0][1] == "torchvision; as published, 64 pixels"
    assert rows[0][2].replace("\N{NO-BREAK SPACE}", " ") == "12 × Perm(2 to 7); 3 stay: add"
    assert rows[0][3:] == ("79 %", "3e-15", "1.3", "3")
    small = next(entry.small for entry in CATALOGUE if entry.name == "llama")
    assert rows[1][1] == f"transformers; {small}"


def test_equal_factors_are_written_as_a_power():
    assert _short("(O(16) x O(16)) wr Perm(4)") == "(O(16)^2) wr Perm(4)"
    assert _short("(B(1) x B(1) x O(12) x O(16)) wr Perm(4)") == "(B(1)^2 x O(12) x O(16)) wr Perm(4)"
    assert _short("Perm(6)") == "Perm(6)"


def test_widths_follow_the_ladder_and_memory_is_told_in_models():
    found = {"parameters": 86_000_000, "model_bytes": 4 * 86_000_000, "trace_seconds": 10.54, "match_seconds": 37.79,
             "sweeps": 100, "converged": False, "memory_bytes": 10 * 86_000_000}  # fmt: skip
    done = found | {"converged": True}
    rows = scale_rows({"vision transformer, 768": found, "784-512-512-10, ReLU": done, "gone": {}})
    assert [row[1] for row in rows] == ["512", "768"]
    assert rows[0][5] == "100" and rows[1][2:] == ("86.0", "10.5", "37.8", "100, not done", "2.5")
