"""The PDF: bookmarks and links lead to its sheets."""

from __future__ import annotations

import pytest

from colu.press.check.browser import find_chromium
from colu.press.offline.pdf import print_pages
from colu.press.project import BookError

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


def test_missing_chromium_is_named(linked, tmp_path, monkeypatch):
    monkeypatch.setattr("colu.press.offline.pdf.find_chromium", lambda: None)
    with pytest.raises(BookError, match="needs Chromium: install it"):
        print_pages(linked, PAGES, tmp_path / "book.pdf")


FOLDS = """<div class='cell_input'>Taught.</div>
<details class='fold fold-figure'><summary>The code of this figure</summary>
<div class='cell_input'>Plotted.</div></details>
<details class='fold fold-proof'><summary>Proof</summary><p>Proved.</p></details>
<details class='fold fold-badge'><summary>Claim 1</summary><p>Stated.</p>
<details class='fold fold-check'><summary>The check</summary><div class='cell_input'>Checked.</div></details></details>
<details class='fold fold-hint'><summary>Hint 1 of 2</summary><p>Hinted.</p></details>
<details class='fold fold-answers'><summary>The answers</summary><p>Answered.</p></details>
"""


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("none", {"Proved.", "Stated.", "Answered."}),
        ("teaching", {"Proved.", "Stated.", "Answered.", "Taught."}),
        ("all", {"Proved.", "Stated.", "Answered.", "Taught.", "Plotted.", "Checked.", "Hinted."}),
    ],
)
def test_so_much_code_is_printed_as_was_asked_for_and_no_line_that_nobody_can_open(linked, tmp_path, code, words):
    from pypdf import PdfReader

    page = linked / PAGES[0]
    page.write_text(page.read_text().replace("</article>", f"{FOLDS}</article>"))
    reader = PdfReader(print_pages(linked, PAGES[:1], tmp_path / "book.pdf", code=code))
    text = "\n".join(sheet.extract_text() for sheet in reader.pages)
    every = ("Taught.", "Plotted.", "Proved.", "Stated.", "Checked.", "Hinted.", "Answered.")
    assert {word for word in every if word in text} == words
    assert ("The code of this" in text) == (code == "all")


def test_another_amount_of_code_is_refused(linked, tmp_path):
    with pytest.raises(BookError, match="code is 'some', choose one of none, teaching, all"):
        print_pages(linked, PAGES, tmp_path / "book.pdf", code="some")
