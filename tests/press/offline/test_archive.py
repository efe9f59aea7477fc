"""The offline archive opens, gives the same bytes twice, and its checksums hold."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from colu.press.build.project import BookError, Project
from colu.press.check.browser import find_chromium
from colu.press.offline.archive import make_archive, page_order
from colu.press.offline.epub import write_epub
from colu.press.offline.pdf import READY, print_pages


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
        "root: book/index\nparts:\n- chapters:\n  - file: notebooks/10-a\n    sections:\n    - file: book/api/nn\n"
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


PAGES = ["book/index.html", "notebooks/10-a.html", "notebooks/11-b.html"]
ARTICLE = (
    "<!doctype html><html lang='en'><head><link rel='icon' href='data:,'><title>T</title></head><body>"
    "<article><h1>{0}<a class='headerlink'>#</a></h1>{1}</article></body></html>"
)


@pytest.fixture
def linked(tmp_path):
    """Three pages: links within, across and out of the book, a formula, a picture, a script."""
    site = tmp_path / "site"
    for folder in ("book", "notebooks", "_images"):
        (site / folder).mkdir(parents=True)
    maths = "<mjx-container><mjx-math>f</mjx-math><mjx-assistive-mml><math><mi>f</mi></math></mjx-assistive-mml>"
    bodies = {
        "book/index": (
            "Root",
            "<p><a href='../notebooks/10-a.html#low'>in</a> <a href='https://example.org/'>out</a> "
            "<a href='../notebooks/10-a.ipynb'>file</a></p>",
        ),
        "notebooks/10-a": (
            "First",
            f"<p>{maths}</mjx-container></p><p><a href='#low'>same page</a></p><button>b</button><script>1</script>"
            "<h2 style='margin-top:4000px' id='low'>Low &amp; far</h2><img alt='dot' src='../_images/dot.svg'>"
            "<details class='hide'><summary>Show</summary><p>Shown.</p></details>",
        ),
        "notebooks/11-b": ("Second", "<p><a href='10-a.html#gone'>back</a></p><p id='low'>a name twice</p>"),
    }
    for name, body in bodies.items():
        (site / f"{name}.html").write_text(ARTICLE.format(*body))
    dot = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><circle r='4'/></svg>"
    (site / "_images/dot.svg").write_text(dot)
    (site / "notebooks/10-a.ipynb").write_text("{}")
    return site


needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="no Chromium")


@pytest.mark.slow
@needs_chromium
def test_links_and_bookmarks_of_the_pdf_lead_to_its_sheets(linked, tmp_path):
    from pypdf import PdfReader

    reader = PdfReader(print_pages(linked, PAGES, tmp_path / "book.pdf"))
    sheets = {sheet.indirect_reference.idnum: number for number, sheet in enumerate(reader.pages)}
    parts = [entry for entry in reader.outline if not isinstance(entry, list)]
    _, first, second = (reader.get_destination_page_number(entry) for entry in parts)
    assert [entry.title for entry in parts] == ["Root", "First", "Second"]
    (nested,) = [entry for entry in reader.outline if isinstance(entry, list)]
    assert nested[0].title == "Low & far" and first < reader.get_destination_page_number(nested[0]) < second
    goals, addresses = [], []
    for sheet in reader.pages:
        for annotation in sheet.get("/Annots") or ():
            link = annotation.get_object()
            if "/Dest" in link:
                goals.append(sheets[link["/Dest"][0].indirect_reference.idnum])
            elif "/A" in link:
                addresses.append(link["/A"]["/URI"])
    assert goals == [first, second - 1, first]
    assert addresses == ["https://example.org/"]


@pytest.mark.slow
@needs_chromium
def test_epub_is_whole(linked, tmp_path):
    from xml.etree import ElementTree

    with zipfile.ZipFile(write_epub(linked, PAGES, tmp_path / "book.epub")) as book:
        names = book.namelist()
        assert names[0] == "mimetype" and book.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        package = ElementTree.fromstring(book.read("book/content.opf"))
        listed = {f"book/{item.get('href')}" for item in package.iter("{http://www.idpf.org/2007/opf}item")}
        assert listed == {name for name in names if name.startswith("book/")} - {"book/content.opf"}
        texts = {name: book.read(name).decode() for name in names if name.endswith(".xhtml")}
        for text in texts.values():
            ElementTree.fromstring(text)
    first = texts["book/notebooks-10-a.xhtml"]
    assert "<math" in first and "mjx" not in first and "Shown." in first
    assert not any(mark in first for mark in ("<button", "<script", "<summary", "headerlink"))
    assert 'src="images/dot.svg"' in first and "book/images/dot.svg" in names
    assert 'href="notebooks-10-a.xhtml#low"' in texts["book/book-index.xhtml"]
    assert 'href="notebooks-10-a.xhtml"' in texts["book/notebooks-11-b.xhtml"], "an absent anchor leads to the page"
    assert ".ipynb" not in texts["book/book-index.xhtml"]


@pytest.mark.parametrize("write", [print_pages, write_epub])
def test_missing_chromium_is_named(project, tmp_path, monkeypatch, write):
    monkeypatch.setattr(f"{write.__module__}.find_chromium", lambda: None)
    with pytest.raises(BookError, match="needs Chromium: install it"):
        write(project.site, ["book/index.html"], tmp_path / "book.out")


@pytest.mark.slow
@needs_chromium
def test_a_figure_that_is_not_drawn_stops_the_print(project, tmp_path, monkeypatch):
    page = project.site / "book/index.html"
    page.write_text(page.read_text().replace("Root page", '<div class="plotly-figure"></div>'))
    monkeypatch.setattr("colu.press.offline.pdf.READY", READY.replace("wait < 100", "wait < 1"))
    with pytest.raises(BookError, match="would be blank"):
        print_pages(project.site, ["book/index.html"], tmp_path / "book.pdf")


def test_pages_of_one_name_in_two_folders_are_two_files(tmp_path):
    from colu.press.offline.epub import _Pages

    names = _Pages(tmp_path, ["book/claims.html", "book/api/claims.html", "index.html"]).names
    assert len(set(names.values())) == 3
