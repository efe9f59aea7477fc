"""Box, cell and entry of a claim: each way in which they can disagree is named."""

import nbformat
import pytest

from colu.press.check.claims import lint
from colu.press.notebook import Notebook

AFTER = "inside:\n  between: [1, 2]\n  source: {}; n = 5 pairs\n"
LEDGER = {
    "small": "small:\n  at_most: {smoke: 0.1, laptop: 0.01}\n  source: set before\n",
    "inside": "inside:\n  between: [1, 2]\n  source: set before\n",
}
BOX = ":::{claim} inside\nIt lies  inside.\n:::\n"
CALL = 'claims.check("inside", 1.5, preset=PRESET)'
TAGS = ["claim", "nbval-check-output"]


def _linted(tmp_path, box=BOX, call=CALL, tags=TAGS, stem="01-toy", keep=("inside",), page="", entry=""):
    pages, ledger = tmp_path / "book", tmp_path / "ledger"
    pages.mkdir()
    ledger.mkdir()
    (pages / "page.md").write_text(page)
    (ledger / "01-toy.yml").write_text(entry or "".join(LEDGER[name] for name in keep))
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_markdown_cell(box), nbformat.v4.new_code_cell(call, metadata={"tags": list(tags)})]
    return lint([Notebook(stem, book)], pages, ledger)


def test_lint_accepts_box_cell_and_entry_that_agree(tmp_path):
    assert _linted(tmp_path) == []


def test_lint_accepts_a_value_from_a_run_that_is_marked(tmp_path):
    assert _linted(tmp_path, entry=AFTER.format("measured") + "  from_run: true\n") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"call": "1 + 1", "tags": []}, "no cell checks it"),
        ({"box": "Text only."}, "which no text states"),
        ({"keep": ()}, "has no entry"),
        ({"keep": ("inside", "small")}, "no cell checks claim 'small'"),
        ({"box": BOX.replace("It lies  inside.\n", "")}, "has an empty box"),
        ({"page": BOX}, "page.md: claim 'inside' is stated on a page without cells"),
        ({"stem": "02-other"}, "belongs to 01-toy"),
        ({"tags": ["claim"]}, "lacks a tag"),
        ({"tags": ["nbval-check-output"]}, "lacks a tag"),
        ({"call": CALL.replace("inside", "outside")}, "'outside', which no text states"),
        ({"call": CALL + "\n" + CALL}, "checked twice"),
        ({"box": BOX + "\n" + BOX}, "stated twice"),
        ({"call": "print(1)"}, "tagged 'claim' and checks none"),
        ({"entry": AFTER.format("measured")}, "'inside' says 'measured'; mark it 'from_run: true'"),
        ({"entry": AFTER.format("set after exploratory runs")}, "'inside' says 'set after'"),
        ({"entry": AFTER.format("twice the ratio of a prototype")}, "'inside' says 'prototype'"),
    ],
)
def test_lint_finds_each_way_to_disagree(change, said, tmp_path):
    assert any(said in problem for problem in _linted(tmp_path, **change))
