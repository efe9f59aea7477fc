"""A page shows the executed copy of its notebook, and follows it."""

from __future__ import annotations

import json

from colu.press.site.executed import glued_documents


def test_page_shows_the_executed_copy_without_the_injected_cell(good):
    html = good.html("notebooks/10-a.html")
    assert "image/png" not in html and 'alt="a line"' in html
    assert "PRESET" not in html


def test_the_buttons_lead_to_the_plain_form_of_the_run(good):
    page = good.html("notebooks/10-a.html")
    assert 'href="../plain/10-a.ipynb"' in page and "_sources/notebooks" not in page
    assert "colab.research.google.com/github/colu-book/colu/blob/gh-pages/plain/10-a.ipynb" in page
    assert "mybinder.org/v2/gh/colu-book/colu/gh-pages?urlpath=tree/plain/10-a.ipynb" in page
    plain = json.loads((good.out / "plain/10-a.ipynb").read_text())
    assert any(cell.get("outputs") for cell in plain["cells"])
    assert "**Claim 10.1.**" in str(plain) and "{claim}" not in str(plain)


def test_binder_finds_its_python_and_its_packages_beside_the_plain_notebooks(good):
    # Without runtime.txt Binder takes a Python that is too old for the package.
    assert (good.out / "binder/runtime.txt").read_text() == "python-3.11\n"
    assert (good.out / "binder/requirements.txt").read_text() == (
        "# Small.\ntorch\ncolu[lab] @ git+https://example.org/toy.git\n"
    )


def test_glued_value_stands_on_another_page(good, text_of):
    assert "0.498" in text_of(good.html("book/index.html"))


def test_new_run_refreshes_the_pages_that_glue_from_it_and_those_that_show_its_claims(small_book):
    assert small_book.build().returncode == 0
    copy = small_book.folder / "executed/smoke/10-a.ipynb"
    copy.write_text(copy.read_text().replace("0.498", "0.503"))
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    for page in ("book/index.html", "book/claims.html", "notebooks/10-a.html"):
        assert "0.503" in small_book.html(page) and "0.498" not in small_book.html(page)


def test_folder_of_executed_copies_follows_the_preset_and_the_variable(small_book):
    (small_book.folder / "executed/smoke").rename(small_book.folder / "executed/laptop")
    assert "no executed copy" in small_book.build().stderr
    ledger = small_book.folder / "expectations/10-a.yml"
    ledger.write_text(ledger.read_text().replace("laptop: 0.6", "laptop: 0.5"))
    for variables in ({"COLU_PRESET": "laptop"}, {"COLU_EXECUTED_DIR": str(small_book.folder / "executed/laptop")}):
        result = small_book.build(**variables)
        assert result.returncode == 0, result.stderr


def test_glue_in_a_directive_and_from_the_root_is_seen():
    text = "```{glue:} table\n:doc: ../notebooks/30-c.ipynb\n```\n{glue:text}`/notebooks/10-a.ipynb::x`"
    assert glued_documents("book/index", text) == {"notebooks/30-c", "notebooks/10-a"}
