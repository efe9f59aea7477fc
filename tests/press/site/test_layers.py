"""The lower layer of a chapter is folded, and everything is still on the page."""

import re

import pytest
from bs4 import BeautifulSoup


def printed(text):
    """The output of ``print``."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def page(small_book, *cells):
    """The page of a chapter with these cells after the usual ones of the small book."""
    small_book.notebook(
        "11-b",
        small_book.markdown("# Second\n\n:::{claim} even\nTwo is even.\n:::", "title"),
        small_book.code('claims.check("even", True)', "check", small_book.recorded("even", True), tags=["claim"]),
        *cells,
    )
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    return BeautifulSoup(small_book.html("notebooks/11-b.html"), "html.parser")


def test_the_check_is_in_the_last_box_that_it_checks_and_the_others_link_to_it(good):
    soup = BeautifulSoup(good.html("notebooks/10-a.html"), "html.parser")
    first, last = soup.find(id="claim-half"), soup.find(id="claim-small")
    assert first.find("details") is None and first.find("a", href="#cell-half") is not None
    fold = last.find("details", class_="fold-check")
    assert fold.summary.text == "The check" and fold.find(id="cell-half").pre is not None
    assert "open" not in fold.attrs and last.find("a", href="#cell-small") is None
    assert len(soup.find_all(id="cell-half")) == 1


def test_a_figure_stands_before_its_code(good):
    soup = BeautifulSoup(good.html("notebooks/10-a.html"), "html.parser")
    picture = soup.find("img", alt="a line")
    fold = picture.find_next("details")
    assert fold["class"] == ["fold", "fold-figure"] and "plt.show()" in fold.text
    assert fold.find("img") is None


def test_the_set_up_is_one_line_and_the_verdicts_lines_are_gone(small_book):
    line = printed("claim even holds: measured 2, expected 2\nkept\n")
    soup = page(
        small_book,
        small_book.code("import torch", "import"),
        small_book.code(
            "print(1)", "print", {"output_type": "stream", "name": "stdout", "text": "1.0\n"}, tags=["hide-output"]
        ),
        small_book.markdown("## A section", "section"),
        small_book.code("def f(x):\n    return x", "taught"),
        small_book.code('claims.check("even", True)', "again", line),
    )
    (fold,) = soup.find_all("details", class_="fold-setup")
    assert fold.summary.text == "Set-up" and "import torch" in fold.text and "1.0" in fold.text
    assert fold.find("details") is None, "one line opens all of it"
    taught = next(pre for pre in soup.find_all("pre") if "def f" in pre.text)
    assert taught.find_parent("details") is None
    assert "kept" in soup.text and "holds: measured" not in soup.text


def test_a_live_run_folds_with_all_that_it_shows_up_to_the_next_text(small_book):
    soup = page(
        small_book,
        small_book.markdown("## A section", "section"),
        small_book.code("first = 1", "first", printed("seen\n"), tags=["live"]),
        small_book.code("second = 2", "second", tags=["live"]),
        small_book.markdown("Between them.", "between"),
        small_book.code("third = 3", "third", tags=["live"]),
    )
    together, alone = soup.find_all("details", class_="fold-live")
    assert together.summary.text == alone.summary.text == "Run it yourself"
    assert [text in together.text for text in ("first", "seen", "second", "third")] == [True, True, True, False]
    assert "open" not in together.attrs and together.find("details") is None


def test_a_claim_of_rounding_is_a_line_that_says_its_verdict(small_book):
    (small_book.folder / "expectations/11-b.yml").write_text(
        "even: {expected: 1, tolerance: 1.0e-12, source: arithmetic}\n"
    )
    badge = page(small_book).find("details", class_="fold-badge")
    assert badge.summary.text == "Claim 11.1: ✓ holds but for rounding"
    assert badge.find(id="claim-even") is not None and badge.find("details", class_="fold-check") is not None


def test_a_claim_of_rounding_beside_one_that_is_none_stays_a_box(small_book):
    ledger = small_book.folder / "expectations/10-a.yml"
    ledger.write_text(ledger.read_text().replace("at_most: 0.1", "at_most: 1.0e-12"))
    copy = small_book.folder / "executed/smoke/10-a.ipynb"
    copy.write_text(copy.read_text().replace("0.02", "0.0"))
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    soup = BeautifulSoup(small_book.html("notebooks/10-a.html"), "html.parser")
    assert soup.find(id="claim-half").find_next_sibling() is soup.find(id="claim-small")
    assert soup.find("details", class_="fold-badge") is None


def test_a_figure_of_a_check_stays_where_it_is(small_book):
    drawn = small_book.shown({"image/png": small_book.png})
    small_book.notebook(
        "11-b",
        small_book.markdown("# Second\n\n:::{claim} even\nTwo is even.\n:::", "title"),
        small_book.markdown("Between.", "between"),
        small_book.code(
            'claims.check("even", True)',
            "c",
            small_book.recorded("even", True),
            drawn,
            mystnb={"image": {"alt": "dot"}},
        ),
    )
    assert small_book.build().returncode == 0
    soup = BeautifulSoup(small_book.html("notebooks/11-b.html"), "html.parser")
    picture = soup.find("img", alt="dot")
    assert picture.find_parent("details") is None and picture.find_previous(string=re.compile("Between")) is not None
    assert "claims.check" in soup.find(id="claim-even").find("details").text


def test_a_chapter_has_one_switch_and_a_page_has_none(good):
    soup = BeautifulSoup(good.html("notebooks/10-a.html"), "html.parser")
    (button,) = soup.select("p.layers > button")
    assert button.text == "Show all code" and button["aria-pressed"] == "false" and button.has_attr("hidden")
    assert "layers.js" in good.html("notebooks/10-a.html")
    other = good.html("book/claims.html")
    assert "layers.js" not in other and "Show all code" not in other


def test_a_claim_that_is_checked_on_another_page_than_its_box_is_named(small_book):
    small_book.page("book/claims.md", "# Claims\n\n:::{claim} even\nTwo is even.\n:::\n\n```{claims-table}\n```\n")
    small_book.notebook(
        "11-b",
        small_book.markdown("# Second", "title"),
        small_book.code('claims.check("even", True)', "check", small_book.recorded("even", True), tags=["claim"]),
    )
    result = small_book.build()
    assert result.returncode != 0
    assert "claim even is checked here and stated on another page" in result.stderr


@pytest.mark.parametrize("lines", [3, 4])
def test_a_proof_of_more_than_three_lines_is_folded(small_book, lines):
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "sphinx_proof", '))
    proof = "```{prf:proof}\n" + "\n".join(f"Line {k}." for k in range(lines)) + "\n```"
    soup = page(small_book, small_book.markdown(proof, "proof"))
    folds = soup.find_all("details", class_="fold-proof")
    assert len(folds) == (lines > 3)
    if folds:
        assert folds[0].summary.text == "Proof" and folds[0].text.split() == [
            "Proof",
            *soup.find(class_="proof").text.split(),
        ]
        assert not soup.find(class_="proof").text.strip().startswith("Proof")
