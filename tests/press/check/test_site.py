"""Each kind of fault is found, and a site without fault passes."""

from __future__ import annotations

import pytest

from colu.press.check import browser as browsercheck
from colu.press.check import site as sitecheck

HEAD = '<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="i.svg"></head><body>'
GOOD = f'{HEAD}<h1 id="top">A page</h1><a href="#top">up</a><img src="i.svg" alt="a cone"></body></html>'


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "i.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    return tmp_path


def spoil(site, extra: str, name: str = "index.html") -> list[str]:
    path = site / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(GOOD.replace("i.svg", "../i.svg" if "/" in name else "i.svg").replace("</body>", extra + "</body>"))
    return sitecheck.main(site, browser=False)


def test_site_without_fault_passes(site):
    assert sitecheck.main(site, browser=False) == []


def test_built_book_passes(good):
    assert [p for p in sitecheck.check_files(good.out) if "/_modules/" not in p] == []


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ('<a href="gone.html">x</a>', "link to gone.html: there is no such file"),
        ('<a href="index.html#gone">x</a>', "link to index.html#gone: the page has no such anchor"),
        ('<a href="#gone">x</a>', "link to #gone: the page has no such anchor"),
        ('<script src="gone.js"></script>', "link to gone.js: there is no such file"),
        ('<script src="https://cdn.example/x.js"></script>', "loads from another host"),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', "loads from another host"),
        ('<img src="https://example.org/x.png" alt="x">', "loads from another host"),
        ('<style>@import url("https://example.org/x.css")</style>', "loads from another host"),
        ('<img src="i.svg">', "image without alternative text"),
        ('<img src="i.svg" alt=" ">', "image without alternative text"),
        ('<img src="i.svg" alt="../_images/figure.png">', "image without alternative text"),
        ('<div class="colu-slider"></div>', "figure with sliders without role and aria-label"),
        ('<div class="colu-slider" role="figure" aria-label=""></div>', "figure with sliders without role"),
        (
            "<p><code>{glue:text}</code>loss``</p>",
            "a role was not understood and stands in the text: {glue:text}",
        ),
        ("<h1>Another</h1>", "2 headings of the first level"),
        (
            '<div class="cell_output"><pre>Traceback (most recent call last)</pre></div>',
            "a cell's output shows an error: Traceback",
        ),
        (
            '<div class="output traceback"><pre><span>ValueError: </span>bad</pre></div>',
            "a cell's output shows an error: ValueError",
        ),
        ("<td>below 1e-12</td>", "set so that it breaks, or fails where it is copied: 1e-12"),
        ("<p>run it with –preset full</p>", "fails where it is copied: –preset"),
        (
            '<dt class="sig sig-object py" id="colu.f">f(<em>x=&lt;function g&gt;</em>)</dt>',
            "the signature of colu.f shows <",
        ),
        (
            '<dt class="sig sig-object py" id="colu.f">f(<em>x=lambda a: a</em>)</dt>',
            "the signature of colu.f shows lambda",
        ),
    ],
)
def test_fault_is_found(site, extra, complaint):
    (problem,) = spoil(site, extra)
    assert problem.startswith("index.html: ") and complaint in problem


@pytest.mark.parametrize(
    "extra",
    [
        '<a href="https://example.org/">a link out is no load</a>',
        '<img src="data:image/png;base64,x" alt="a line">',
        "<p><code>{glue:text}`loss`</code> in an explanation</p>",
        "<p>The words Traceback (most recent call last) in prose</p>",
        '<div id="jb-print-docs-body"><h1>for the printer</h1></div>',
        "<p><code>1e-12</code>, 3 – 5, 10⁻¹² and a word – with a dash</p>",
        '<dt class="sig sig-object py" id="colu.f">f(<em>lambdas=25</em>)</dt>',
    ],
)
def test_what_is_no_fault_passes(site, extra):
    assert spoil(site, extra) == []


def test_launch_buttons_of_a_notebook_page_lead_to_notebooks(site):
    colab = "https://colab.research.google.com/github/colu-book/colu/blob/gh-pages/plain/a"
    binder = "https://mybinder.org/v2/gh/colu-book/colu/gh-pages?urlpath=lab/tree/plain/a"
    (site / "plain").mkdir()
    (site / "plain/a.ipynb").write_text("{}")
    (site / "binder").mkdir()
    for name in ("requirements.txt", "runtime.txt"):
        (site / "binder" / name).touch()
    download = '<a class="btn-download-source-button" href="../plain/a.ipynb">d</a>'
    right = f'<a href="{colab}.ipynb">c</a><a href="{binder}.ipynb">b</a>{download}'
    assert spoil(site, right, "notebooks/a.html") == []
    (problem,) = spoil(site, right.replace(f"{colab}.ipynb", f"{colab}.md"), "notebooks/a.html")
    assert "Colab button does not lead to a plain notebook" in problem
    (problem,) = spoil(site, right.replace(f"{binder}.ipynb", f"{binder}.md"), "notebooks/a.html")
    assert "Binder button does not lead to a plain notebook" in problem
    (problem,) = spoil(site, download, "notebooks/a.html")
    assert "are not all there" in problem
    (site / "binder/runtime.txt").unlink()
    (problem,) = spoil(site, right, "notebooks/a.html")
    assert "Binder button: binder/runtime.txt is missing" in problem


def test_absent_site_says_to_build(tmp_path):
    assert "build the book first" in sitecheck.main(tmp_path, browser=False)[0]


def test_absent_chromium_says_how_to_install_it(site, monkeypatch):
    monkeypatch.setattr(browsercheck.shutil, "which", lambda name: None)
    (problem,) = sitecheck.main(site, browser=True)
    assert "apt-get install chromium" in problem


def test_links_of_a_page_for_any_address_begin_at_the_published_root(site):
    page = (site / "index.html").read_text()
    grounded = page.replace("<html", '<html data-content_root="/colu/"').replace(
        "</body>", '<a href="/colu/{}">x</a></body>'
    )
    (site / "404.html").write_text(grounded.format("index.html"))
    assert sitecheck.check_files(site) == []
    (site / "404.html").write_text(grounded.format("gone.html"))
    assert "link to /colu/gone.html: there is no such file" in sitecheck.check_files(site)[0]
