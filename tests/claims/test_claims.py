import json
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch

from colu import claims
from colu.press.check.claims import lint

LEDGER = """
root-two:
  notebook: 01-toy
  statement: The diagonal of the unit square is $\\\\sqrt 2$.
  expected: 1.41421356
  tolerance: 0.00001
  source: Pythagoras
small:
  notebook: 01-toy
  statement: The error is small.
  at_most: {smoke: 0.1, laptop: 0.01}
  source: set before
inside:
  notebook: 01-toy
  statement: It lies inside.
  between: [1, 2]
  source: set before
yes:
  notebook: 01-toy
  statement: It holds.
  expected: true
  source: proof
"""
LEDGER = LEDGER.replace("\nyes:", "\nholds:").replace("\\\\", "\\")


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "expectations.yml"
    path.write_text(LEDGER)
    return path


def test_line_has_digits_of_the_tolerance_only(ledger, capsys):
    claims.check("root-two", 2**0.5 + 1e-9, ledger=ledger)
    first = capsys.readouterr().out
    claims.check("root-two", 2**0.5, ledger=ledger)
    assert first == capsys.readouterr().out
    assert first == "claim root-two holds: measured 1.41421, expected 1.41421356 ± 1e-05\n"


@pytest.mark.parametrize("one", [1.5, np.float64(1.5), torch.tensor(1.5), torch.tensor([1.5])])
def test_numbers_and_tensors_of_one_entry_are_taken(one, ledger):
    assert claims.check("inside", one, ledger=ledger) == 1.5


@pytest.mark.parametrize("several", [torch.tensor([1.5, 1.6]), np.ones(2)])
def test_several_numbers_are_refused_with_their_shape(several, ledger):
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        claims.check("inside", several, ledger=ledger)


@pytest.mark.parametrize("name", ["root-two", "small", "inside", "holds"])
@pytest.mark.parametrize("nan", [float("nan"), torch.tensor(float("nan"))])
def test_nan_never_passes(name, nan, ledger):
    with pytest.raises(claims.ClaimFailed):
        claims.check(name, nan, ledger=ledger)


@pytest.mark.parametrize(("name", "bad"), [("root-two", 1.41425), ("small", 0.11), ("inside", 2.01), ("holds", False)])
def test_value_beyond_the_bound_fails(name, bad, ledger):
    with pytest.raises(claims.ClaimFailed):
        claims.check(name, bad, ledger=ledger)


def test_failure_names_id_statement_expected_and_measured(ledger):
    with pytest.raises(claims.ClaimFailed) as caught:
        claims.check("root-two", 1.5, ledger=ledger)
    for part in ("root-two", "diagonal of the unit square", "1.41421356 ± 1e-05", "1.5"):
        assert part in str(caught.value)


def test_bound_is_that_of_the_preset(ledger):
    claims.check("small", 0.05, preset="smoke", ledger=ledger)
    with pytest.raises(claims.ClaimFailed):
        claims.check("small", 0.05, preset="laptop", ledger=ledger)
    with pytest.raises(ValueError, match="no value for preset 'full'"):
        claims.check("small", 0.05, preset="full", ledger=ledger)


def test_unknown_id_gives_the_nearest(ledger):
    with pytest.raises(KeyError, match="root-two"):
        claims.check("root-too", 1.0, ledger=ledger)


GOOD = "a:\n  notebook: n\n  statement: s\n  source: t\n"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("a: 3", "'a' is 3"),
        (GOOD, "no bound"),
        (GOOD + "  expected: 1\n  at_most: 2", "exactly one of"),
        (GOOD + "  expekted: 1", "unknown keys .*expekted"),
        (GOOD.replace("  source: t\n", "") + "  expected: 1", "lacks 'source'"),
        (GOOD + "  between: [2, 1]", "between is"),
        (GOOD + "  expected: 1\n  tolerance: -1", "tolerance is -1"),
        (GOOD + "  expected: 1\n  tolerance: .inf", "tolerance is inf"),
        (GOOD + "  at_most: .nan", "at_most is nan"),
        (GOOD + "  at_most: {smok: 1}", "unknown presets .*smok"),
        (GOOD + "  at_most: 1\n" + GOOD + "  at_most: 2", "stands twice"),
        ("- a", "wanted a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_incomplete_entry_is_refused_with_its_name_and_key(entry, said, tmp_path):
    path = tmp_path / "expectations.yml"
    path.write_text(entry)
    with pytest.raises(ValueError, match=said):
        claims.load_expectations(path)


ENTRY = "{}:\n  notebook: {}\n  statement: It holds.\n  source: here\n  expected: 1\n"


def test_a_folder_is_read_chapter_by_chapter(tmp_path):
    (tmp_path / "12-b.yml").write_text(ENTRY.format("two", "12-b"))
    (tmp_path / "11-a.yml").write_text(ENTRY.format("one", "11-a"))
    assert list(claims.load_expectations(tmp_path)) == ["one", "two"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [(ENTRY.format("one", "12-b"), "another chapter's file too"), (ENTRY.format("two", "11-a"), "move it")],
)
def test_an_entry_in_the_wrong_file_is_refused(entry, said, tmp_path):
    (tmp_path / "11-a.yml").write_text(ENTRY.format("one", "11-a"))
    (tmp_path / "12-b.yml").write_text(entry)
    with pytest.raises(ValueError, match=said):
        claims.load_expectations(tmp_path)


def test_package_ledger_can_be_met_at_smoke():
    for entry in claims.load_expectations().values():
        assert entry.holds(entry.at("smoke")[0] if entry.kind != "between" else entry.at("smoke")[0][0])


def test_claims_import_without_torch():
    code = "import sys, colu.claims, colu.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


BOX = ":::{claim} inside\nIt lies  inside.\n:::\n"
CALL = 'claims.check("inside", 1.5, preset=PRESET)'
TAGS = ["claim", "nbval-check-output"]


def _linted(tmp_path, box=BOX, call=CALL, tags=TAGS, stem="01-toy", keep=("inside",)):
    notebooks, pages = tmp_path / "notebooks", tmp_path / "book"
    notebooks.mkdir()
    pages.mkdir()
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_markdown_cell(box), nbformat.v4.new_code_cell(call, metadata={"tags": list(tags)})]
    (notebooks / f"{stem}.ipynb").write_text(json.dumps(book))
    entries = "\n\n".join(
        LEDGER.strip().replace("\nsmall", "\n\nsmall").replace("\ninside", "\n\ninside").split("\n\n")
    )
    entries = entries.replace("\nholds", "\n\nholds").split("\n\n")
    (tmp_path / "l.yml").write_text("\n".join(e for e in entries if e.split(":")[0].strip() in keep))
    return lint(notebooks, pages, ledger=tmp_path / "l.yml")


def test_lint_accepts_box_cell_and_entry_that_agree(tmp_path):
    assert _linted(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"call": "1 + 1", "tags": []}, "no cell checks it"),
        ({"box": "Text only."}, "which no text states"),
        ({"keep": ()}, "has no entry"),
        ({"keep": ("inside", "small")}, "no cell checks claim 'small'"),
        ({"box": BOX.replace("lies", "stands")}, "worded otherwise"),
        ({"stem": "02-other"}, "belongs to 01-toy"),
        ({"tags": ["claim"]}, "lacks a tag"),
        ({"tags": ["nbval-check-output"]}, "lacks a tag"),
        ({"call": CALL.replace("inside", "outside")}, "'outside', which no text states"),
        ({"call": CALL + "\n" + CALL}, "checked twice"),
        ({"box": BOX + "\n" + BOX}, "stated twice"),
        ({"call": "print(1)"}, "tagged 'claim' and checks none"),
    ],
)
def test_lint_finds_each_way_to_disagree(change, said, tmp_path):
    assert any(said in problem for problem in _linted(tmp_path, **change))
