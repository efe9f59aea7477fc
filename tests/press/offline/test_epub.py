"""The EPUB is whole: every file listed, every link inside found, formulas as MathML, nothing by script."""

import base64
import json
import posixpath
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
import yaml

from colu.press.offline.epub import write_epub
from colu.press.project import BookError, Project

ROOT = Path(__file__).parents[3]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HTML = "{http://www.w3.org/1999/xhtml}"
MATH = "{http://www.w3.org/1998/Math/MathML}math"
CONF = """
project = html_title = "toy"
author = copyright = "The colu authors"
root_doc = "book/index"
extensions = ["myst_nb", "sphinx_book_theme", "sphinx_proof", "colu.press.site.offline",
              "sphinx.ext.autodoc", "sphinx_codeautolink", "colu.press.site.apilinks", "colu.press.site.layers",
              "colu.press.site.sliders", "colu.press.offline.epub"]
bibtex_bibfiles = []
html_theme_options = {
    "repository_url": "https://github.com/colu-book/colu", "use_download_button": True,
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
}
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
exclude_patterns = ["out"]
epub_tocscope, epub_tocdepth, epub_show_urls = "includehidden", 2, "no"
epub_identifier, epub_uid, epub_scheme = "https://example.org/", "toy", "URL"
epub_description = epub_contributor = "toy"
epub_basename = "toy"
"""
PROOF = "```{prf:theorem}\n:label: one\nIt holds.\n```\n"
PAGES = {
    "book/index.md": """# Root

```{toctree}
:hidden:
../notebooks/10-a
../notebooks/11-b
api/11-b
../genindex
```

[in](#low), <a href="../notebooks/10-a.html#low-far">by hand</a>,
[out](https://example.org/?a=1), <a href="../slides/10-a.html">slides</a>,
<a href="../notebooks/10-a.html#gone">an absent anchor</a>, {index}`word`
""",
    "notebooks/11-b.md": "# Second\n\n```{index} word\n```\n<p id='low'>a<br>name</p><p id='low'>twice</p>\n",
    "book/api/11-b.md": f"# Below\n\n{PROOF}",
    "genindex.md": "# Index\n",
}
BLOCK = """$$
a &= \\mathbb{R} \\\\
b &= 2 < 3
$$ (eq)

{eq}`eq`

\\begin{align}
a &= b \\\\ c &= d
\\end{align}
"""
RAW = (
    "<details class='hide'><summary>Show</summary><p style='color:red' onclick='x()'>Shown.</p></details>"
    "<details class='fold fold-figure'><summary>The code of this figure</summary><pre>drawn = 1</pre></details>"
    "<details class='fold fold-answers'><summary>The answers</summary><p>B is right.</p></details>"
    "<button>b</button><script>1 < 2</script><style>p {}</style><table><tr><td nowrap>&nbsp;cell<br></table>"
)
FIGURE = (
    '<div class="colu-slider" role="figure" aria-label="a figure that turns">\n'
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>\n<input type="range"></div>'
)

NARROW = base64.b64encode(zlib.compress(b"<svg/>")).decode()
TWO_FORMS = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 8"><metadata id="narrow">{NARROW}</metadata></svg>'


def _notebook():
    def markdown(number, text):
        return {"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": text}

    def output(**data):
        return {"output_type": "display_data", "metadata": {}, "data": data}

    outputs = [output(**{"text/html": RAW}), output(**{"text/html": FIGURE}), output(**{"image/png": PNG})]
    outputs.append(output(**{"image/svg+xml": TWO_FORMS}))
    outputs.append({"output_type": "stream", "name": "stdout", "text": "1 < 2 & \x0c3\n"})
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": 1, "source": "1", "outputs": outputs}
    texts = ["# First", BLOCK + "\nOf $\\mathbb 1_{x}$", "(low)=\n## Low & far"]
    cells = [*(markdown(number, text) for number, text in enumerate(texts)), cell]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": cells}


def _sphinx(folder, out):
    options = ["-b", "epub", "-W", "--keep-going", "-q", "-d", str(out.with_name("doctrees"))]
    command = [sys.executable, "-m", "sphinx", *options, str(folder), str(out)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "conf.py").write_text(CONF)
    (folder / "notebooks" / "10-a.ipynb").write_text(json.dumps(_notebook()))
    return folder


@pytest.fixture(scope="module")
def epub(sources, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    done = _sphinx(sources, out)
    assert done.returncode == 0, done.stderr
    return out / "toy.epub"


@pytest.fixture(scope="module")
def texts(epub):
    with zipfile.ZipFile(epub) as book:
        return {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xhtml")}


def test_epub_lists_all_its_files_in_the_order_of_the_book(epub):
    with zipfile.ZipFile(epub) as book:
        names = book.namelist()
        assert names[0] == "mimetype" and book.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        assert book.read("mimetype") == b"application/epub+zip"
        container = ElementTree.fromstring(book.read("META-INF/container.xml"))
        (root,) = container.iter("{urn:oasis:names:tc:opendocument:xmlns:container}rootfile")
        package = ElementTree.fromstring(book.read(root.get("full-path")))
        assert {information.date_time for information in book.infolist()} == {(2026, 1, 1, 0, 0, 0)}
    opf = "{http://www.idpf.org/2007/opf}"
    items = {item.get("id"): item for item in package.iter(f"{opf}item")}
    listed = [item.get("href") for item in items.values()]
    assert sorted(listed) == sorted(set(names) - {"mimetype", "META-INF/container.xml", "content.opf"})
    spine = [items[entry.get("idref")].get("href") for entry in package.iter(f"{opf}itemref")]
    chapters = ["book/index.xhtml", "notebooks/10-a.xhtml", "notebooks/11-b.xhtml", "book/api/11-b.xhtml"]
    assert [name for name in spine if name != "nav.xhtml"] == [*chapters, "genindex.xhtml"]
    with_formulas = {item.get("href") for item in items.values() if "mathml" in item.get("properties", "")}
    assert with_formulas == {"notebooks/10-a.xhtml"}


def test_contents_give_chapters_with_their_numbers_and_their_sections(texts):
    nav = ElementTree.fromstring(texts["nav.xhtml"])
    entries = [(link.get("href"), link.text) for link in nav.iter(f"{HTML}a")]
    assert entries == [
        ("book/index.xhtml", "Root"),
        ("notebooks/10-a.xhtml", "10 First"),
        ("notebooks/10-a.xhtml#low-far", "Low & far"),
        ("notebooks/11-b.xhtml", "11 Second"),
        ("book/api/11-b.xhtml", "Below"),
        ("genindex.xhtml", "Index"),
    ]


@pytest.mark.long
def test_every_link_and_picture_is_found_inside(epub, texts):
    with zipfile.ZipFile(epub) as book:
        names = set(book.namelist())
    pages = {name: ElementTree.fromstring(text) for name, text in texts.items()}
    anchors = {name: {part.get("id") for part in page.iter()} for name, page in pages.items()}
    count = 0
    for name, page in pages.items():
        for part in page.iter():
            address = part.get("href") or part.get("src")
            if not address or urlsplit(address).scheme:
                continue
            path, _, fragment = unquote(address).partition("#")
            goal = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            assert goal in names, (name, address)
            assert not fragment or fragment in anchors[goal], (name, address)
            count += 1
    assert count > 12
    root = texts["book/index.xhtml"]
    assert 'href="../notebooks/10-a.xhtml#low"' in root and 'href="../notebooks/10-a.xhtml#low-far"' in root
    assert 'href="../notebooks/10-a.xhtml">an absent anchor' in root, "an absent anchor leads to the page"
    assert 'href="https://example.org/?a=1"' in root and "<a>slides</a>" in root
    assert texts["notebooks/11-b.xhtml"].count('id="low"') == 1
    assert ">11</a>" in texts["genindex.xhtml"], "the index names the chapter"


def test_pages_hold_formulas_as_mathml_and_nothing_by_script(texts):
    first = texts["notebooks/10-a.xhtml"]
    page = ElementTree.fromstring(first)
    assert len(list(page.iter(MATH))) == 3 and "ℝ" in first and "𝟙" in first and "mathvariant" not in first
    assert '<span class="eqno">(1)</span>' in first and "(2)" not in first
    assert "drawn = 1" not in first, "code that the page folds stays out"
    assert "B is right." in first, "answers stand below their questions"
    assert ">10 First" in first and "Shown." in first and "1 &lt; 2 &amp; 3" in first
    for text in texts.values():
        marks = ("<button", "<script", "<style", "<summary", "headerlink", " style=", "onclick", "http-equiv", "\x0c")
        assert not [mark for mark in marks if mark in text]
    alts = [image.get("alt") for image in page.iter(f"{HTML}img") if image.get("src").endswith(".svg")]
    assert alts[0] == "a figure that turns" and len(alts) == 2


def test_a_figure_has_one_form(epub):
    with zipfile.ZipFile(epub) as book:
        figures = [book.read(name).decode() for name in book.namelist() if name.endswith(".svg")]
    assert any('viewBox="0 0 9 8"' in figure for figure in figures)
    assert not any('id="narrow"' in figure for figure in figures)


def test_without_a_site_the_message_says_what_to_do(tmp_path):
    with pytest.raises(BookError, match="run 'colu book build' first"):
        write_epub(Project(tmp_path), tmp_path / "book.epub")


def test_the_book_names_its_epub():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
    options = config["sphinx"]["config"]
    assert options["epub_title"] == config["title"], "Sphinx would call it after a project that has no name"
    assert options["html_math_renderer"] == "mathjax", "beside mathml, Sphinx would take the one that is not its own"
    assert options["epub_tocscope"] == "includehidden", "the book's first page hides its list of pages"
