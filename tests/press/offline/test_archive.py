"""The offline archive opens, gives the same bytes twice, and its checksums hold."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from colu.press.offline.archive import make_archive, page_order
from colu.press.project import BookError, Project


@pytest.fixture
def project(tmp_path):
    site = tmp_path / "_build" / "html"
    (site / "book" / "api").mkdir(parents=True)
    (site / "notebooks").mkdir()
    for name, text in {
        "index": "I",
        "book/index": "Root page",
        "notebooks/10-a": "Chapter page",
        "book/api/nn": "Below",
    }.items():
        icon = '<link rel="icon" href="data:,">'
        page = f"<!doctype html><html lang='en'><head>{icon}</head><body>{text}</body></html>"
        (site / f"{name}.html").write_text(page)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n- chapters:\n"
        "  - file: notebooks/10-a\n    sections:\n    - file: book/api/nn\n"
        "  - file: notebooks/11-not-built\n"
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
    assert page_order(project) == ["book/index.html", "notebooks/10-a.html", "book/api/nn.html"]


def test_without_a_site_the_message_says_what_to_do(tmp_path):
    with pytest.raises(BookError, match="run 'colu book build' first"):
        make_archive(Project(tmp_path), tmp_path / "out", pdf=False)
