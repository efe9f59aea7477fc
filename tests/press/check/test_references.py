"""An entry of the bibliography is complete and cited, and a citation has its entry."""

import nbformat
import pytest

from colu.press.check.references import keys_cited, lint_references
from colu.press.notebook import Notebook
from colu.press.project import Project

ENTRY = "@misc{%s,\n  author = {%s},\n  title = {A},\n  year = {2020},\n  eprint = {%s},\n}\n"
GOOD = ENTRY % ("ma2020", "Ma, Ann and Li, Bo", "2001.00001")


@pytest.fixture
def book(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "colu").mkdir()

    def make(bibliography, page="See {cite:p}`ma2020`.", package="", chapter=""):
        (tmp_path / "book" / "references.bib").write_text(bibliography, encoding="utf8")
        (tmp_path / "book" / "page.md").write_text(page, encoding="utf8")
        (tmp_path / "colu" / "one.py").write_text(package, encoding="utf8")
        node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(chapter, id="a")])
        return lint_references([Notebook("10-a", node)], Project(tmp_path))

    return make


def test_a_complete_entry_that_is_cited_passes(book):
    assert book(GOOD) == []
    assert book(GOOD, page="", chapter="See {cite:t}`ma2020`.") == []


@pytest.mark.parametrize("package", ['citation="ma2020"', "source: ma2020\n", "See arXiv 2001.00001."])
def test_the_package_cites_by_key_or_by_number(book, package):
    assert book(GOOD, page="", package=package) == []


def test_an_entry_that_nothing_cites_is_named(book):
    assert book(GOOD, page="") == ["references.bib: ma2020: nothing cites it"]
    # A longer key or number is another one.
    other = 'citation="ma2020b", arXiv 12001.00001'
    assert book(GOOD, page="", package=other) == ["references.bib: ma2020: nothing cites it"]


def test_a_citation_without_an_entry_is_named_where_it_stands(book):
    missing = "cites 'li2021', which references.bib does not have"
    assert book(GOOD, page="{cite:p}`ma2020,li2021`") == [f"book/page.md: {missing}"]
    assert book(GOOD, chapter="{cite:t}`li2021`") == [f"10-a.ipynb: {missing}"]


@pytest.mark.parametrize("author", ["Ma, Ann and others", "{Authors of arXiv:2001.00001}"])
def test_all_authors_are_named(book, author):
    (problem,) = book(ENTRY % ("ma2020", author, "2001.00001"))
    assert problem.startswith("references.bib: ma2020: ") and problem.endswith("name all of them")


@pytest.mark.parametrize("field", ["author", "title", "year", "eprint"])
def test_what_an_entry_lacks_is_named(book, field):
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"  {field} ")]
    (problem,) = book("\n".join(lines))
    assert ("where it appeared" if field == "eprint" else f"no {field}") in problem


def test_a_book_without_a_bibliography_passes(tmp_path):
    (tmp_path / "book").mkdir()
    assert lint_references([], Project(tmp_path)) == []


def test_keys_are_read_from_every_form_of_the_role():
    assert keys_cited("{cite}`a` {cite:ps}`b, c` {doc}`d`") == ["a", "b", "c"]
