"""The offline archive opens, gives the same bytes twice, and its checksums hold."""

from __future__ import annotations

import hashlib
import shutil
import zipfile

import pytest

from colu.book.archive import make_archive, page_order, print_pages
from colu.book.browsercheck import find_chromium
from colu.book.project import BookError, Project


@pytest.fixture
def project(tmp_path):
    site = tmp_path / "_build" / "html"
    (site / "book").mkdir(parents=True)
    (site / "notebooks").mkdir()
    for name, text in {"index": "I", "book/index": "Root page", "notebooks/10-a": "Chapter page"}.items():
        icon = '<link rel="icon" href="data:,">'
        page = f"<!doctype html><html lang='en'><head>{icon}</head><body>{text}</body></html>"
        (site / f"{name}.html").write_text(page)
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nparts:\n- chapters:\n  - file: notebooks/10-a\n  - file: notebooks/11-not-built\n"
    )
    return Project(tmp_path)


def test_zip_holds_the_site_and_is_the_same_twice(project, tmp_path):
    for name in ("one", "two"):
        make_archive(project, tmp_path / name, pdf=False)
    one, two = (tmp_path / name / "colu-book.zip" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.testzip() is None
        assert b"Chapter page" in archive.read("colu/notebooks/10-a.html")
    digest, name = (tmp_path / "one" / "SHA256SUMS").read_text().split()
    assert (digest, name) == (hashlib.sha256(one.read_bytes()).hexdigest(), one.name)


def test_pages_come_in_the_order_of_the_book(project):
    assert page_order(project) == ["book/index.html", "notebooks/10-a.html"]


def test_without_a_site_the_message_says_what_to_do(tmp_path):
    with pytest.raises(BookError, match="run 'colu book build' first"):
        make_archive(Project(tmp_path), tmp_path / "out", pdf=False)


@pytest.mark.slow
@pytest.mark.skipif(not (find_chromium() and shutil.which("pdfunite")), reason="needs Chromium and pdfunite")
def test_pdf_has_a_page_for_each(project, tmp_path):
    made = print_pages(project.site, page_order(project), tmp_path / "book.pdf")
    assert made.read_bytes().startswith(b"%PDF")


def test_missing_pdfunite_is_named(project, tmp_path, monkeypatch):
    monkeypatch.setattr("colu.book.archive.find_chromium", lambda: "chromium")
    monkeypatch.setattr("colu.book.archive.shutil.which", lambda name: None)
    with pytest.raises(BookError, match="poppler-utils"):
        print_pages(project.site, ["book/index.html"], tmp_path / "book.pdf")
