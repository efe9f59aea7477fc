"""The book as EPUB 3: the rendered pages with their formulas as MathML and their interactive figures as pictures.

Chromium sets the formulas and draws the figures, so a reader's device needs neither MathJax nor plotly.
"""

from __future__ import annotations

import os
import re
import unicodedata
import uuid
import zipfile
from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from colu.press.build.project import BookError
from colu.press.check.browser import ARGUMENTS, find_chromium, served

from .pdf import HEADINGS, READY

__all__ = ["write_epub"]

TITLE = "colu: conic activations and their design"
DATE = (2020, 1, 1, 0, 0, 0)
TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
#: A page as XHTML: formulas become MathML, interactive figures pictures, what works by script only goes.
EXTRACT = """async () => {
  for (const figure of document.querySelectorAll('.plotly-figure')) {
    const image = document.createElement('img');
    image.alt = figure.getAttribute('aria-label') || 'an interactive figure of the web page';
    image.src = await Plotly.toImage(figure, {format: 'png', width: 900, height: figure.clientHeight || 480});
    figure.replaceWith(image);
  }
  const article = document.querySelector('article').cloneNode(true);
  for (const formula of article.querySelectorAll('mjx-container')) {
    const math = formula.querySelector('mjx-assistive-mml math');
    if (math) formula.replaceWith(math);
  }
  const gone = 'script, style, button, .headerlink, .live, .copybtn, .toggle-button, form, input, noscript, object';
  article.querySelectorAll(gone).forEach(part => part.remove());
  for (const part of article.querySelectorAll('details')) {
    part.querySelector('summary')?.remove();
    part.replaceWith(...part.childNodes);
  }
  for (const title of article.querySelectorAll('h1[data-chapter]')) title.prepend(`${title.dataset.chapter} `);
  const seen = new Set();
  for (const part of article.querySelectorAll('*')) {
    const plain = part.id && /^[A-Za-z_][\\w.-]*$/.test(part.id) && !seen.has(part.id);
    if (part.id && !plain) part.removeAttribute('id');
    seen.add(part.id);
    for (const {name} of [...part.attributes]) {
      if (/^(data-|on|aria-|style$|tabindex$|loading$)/.test(name) && name !== 'aria-label') part.removeAttribute(name);
    }
  }
  return [new XMLSerializer().serializeToString(article), [...seen]];
}"""
STYLE = """body { line-height: 1.4; }
pre { white-space: pre-wrap; font-size: 0.8em; background: #f3f4f5; padding: 0.5em; }
img { max-width: 100%; }
.admonition { border-left: 4px solid #0b6fa4; padding-left: 0.8em; margin: 0.8em 0; }
.admonition-title { font-weight: bold; }
.warning { border-left-color: #d55e00; }
table { border-collapse: collapse; font-size: 0.85em; }
td, th { border-bottom: 1px solid #999; padding: 0.2em 0.5em; text-align: left; }
figcaption { font-size: 0.9em; }
math[display="block"] { margin: 0.6em 0; }
"""


_LETTER = re.compile(r'(<m[in]\b[^>]*?) mathvariant="(double-struck|script|bold)"([^>]*>)([A-Za-z0-9])(?=<)')


def plain_letters(text: str) -> str:
    """Write letters of a special face as characters of their own: readers of EPUB pass over ``mathvariant``.

    Examples
    --------
    >>> plain_letters('<mi mathvariant="double-struck">R</mi><mn mathvariant="bold">1</mn>')
    '<mi>ℝ</mi><mn>𝟏</mn>'
    """

    def letter(match: re.Match) -> str:
        face = match[2].upper()
        name = unicodedata.name(match[4]).replace("LATIN ", "").replace("LETTER ", "")
        for whole in (f"{face} {name}", f"MATHEMATICAL {face} {name}"):
            try:
                return f"{match[1]}{match[3]}{unicodedata.lookup(whole)}"
            except KeyError:
                continue
        return match[0]

    return _LETTER.sub(letter, text)


class _Pages:
    """The extracted pages, with links and pictures rewritten to their places in the EPUB."""

    def __init__(self, site: Path, pages: list[str]) -> None:
        self.site, self.pages = site, pages
        # The whole address, because two folders may have a page of one name.
        self.names = {page: "-".join(PurePosixPath(page).with_suffix(".xhtml").parts) for page in pages}
        self.texts: dict[str, str] = {}
        self.anchors: dict[str, set[str]] = {}
        self.titles: dict[str, str] = {}
        self.images: dict[str, bytes] = {}

    def add(self, page: str, text: str, anchors: list[str], title: str) -> None:
        self.texts[page], self.anchors[page], self.titles[page] = text, set(anchors), title

    def _link(self, page: str, address: str) -> str | None:
        """The address inside the EPUB; None for a file that is not part of it."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return address
        path = unquote(parts.path)
        goal = os.path.normpath(f"{PurePosixPath(page).parent}/{path}") if path else page
        if goal not in self.names:
            return None
        found = parts.fragment and unquote(parts.fragment) in self.anchors[goal]
        return self.names[goal] + (f"#{unquote(parts.fragment)}" if found else "")

    def _image(self, page: str, address: str) -> str:
        import base64

        if address.startswith("data:"):
            name = f"drawn-{len(self.images)}.png"
            self.images[name] = base64.b64decode(address.partition(",")[2])
        else:
            name = PurePosixPath(unquote(urlsplit(address).path)).name
            self.images[name] = (self.site / PurePosixPath(page).parent / unquote(urlsplit(address).path)).read_bytes()
        return f"images/{name}"

    def xhtml(self, page: str) -> str:
        """One page as a file of the EPUB."""

        def link(match: re.Match) -> str:
            address = self._link(page, match[1].replace("&amp;", "&"))
            return "" if address is None else f' href="{escape(address)}"'

        def image(match: re.Match) -> str:
            return f'{match[1]} src="{self._image(page, match[2])}"'

        text = re.sub(r'\shref="([^"]*)"', link, plain_letters(self.texts[page]))
        text = re.sub(r'(<img\b[^>]*?)\ssrc="([^"]*)"', image, text)
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
            '<html xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">'
            f'<head><title>{escape(self.titles[page])}</title><link rel="stylesheet" href="book.css"/></head>'
            f"<body>{text}</body></html>\n"
        )


def _package(pages: _Pages, texts: dict[str, str]) -> str:
    """The list of all files, and their order."""
    items = ['<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>']
    items.append('<item id="css" href="book.css" media-type="text/css"/>')
    for number, (page, text) in enumerate(texts.items()):
        maths = [name for name, mark in (("mathml", "<math"), ("svg", "<svg")) if mark in text]
        extra = f' properties="{" ".join(maths)}"' if maths else ""
        name = pages.names[page]
        items.append(f'<item id="page-{number}" href="{name}" media-type="application/xhtml+xml"{extra}/>')
    for number, name in enumerate(pages.images):
        kind = TYPES[PurePosixPath(name).suffix.lower()]
        items.append(f'<item id="image-{number}" href="images/{name}" media-type="{kind}"/>')
    spine = "".join(f'<itemref idref="page-{number}"/>' for number in range(len(texts)))
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/colu-book/colu")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="id" xml:lang="en"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier><dc:title>{TITLE}</dc:title>'
        "<dc:language>en</dc:language><dc:creator>The colu authors</dc:creator>"
        '<meta property="dcterms:modified">2026-01-01T00:00:00Z</meta></metadata>'
        f"<manifest>{''.join(items)}</manifest><spine>{spine}</spine></package>\n"
    )


def _navigation(pages: _Pages) -> str:
    entries = "".join(
        f'<li><a href="{pages.names[page]}">{escape(pages.titles[page])}</a></li>' for page in pages.texts
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        'xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en"><head><title>Contents</title></head>'
        f'<body><nav epub:type="toc"><h1>Contents</h1><ol>{entries}</ol></nav></body></html>\n'
    )


CONTAINER = (
    '<?xml version="1.0"?>\n<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="book/content.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>\n"
)


def _zip(pages: _Pages, target: Path) -> None:
    texts = {page: pages.xhtml(page) for page in pages.texts}
    files: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
    files |= {"book/content.opf": _package(pages, texts), "book/nav.xhtml": _navigation(pages), "book/book.css": STYLE}
    files |= {f"book/{pages.names[page]}": text for page, text in texts.items()}
    files |= {f"book/images/{name}": data for name, data in pages.images.items()}
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            information = zipfile.ZipInfo(name, DATE)
            # The first file must stand uncompressed, so that the kind of the whole can be read from it.
            information.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(information, data)


def write_epub(site: Path, pages: list[str], target: Path) -> Path:
    """Write the pages as EPUB 3.

    Parameters
    ----------
    site : Path
        The folder of the built HTML.
    pages : list of str
        Addresses below it, in the order of the book.
    target : Path
        The EPUB; written beside and renamed when whole.

    Returns
    -------
    Path
        ``target``.

    Raises
    ------
    BookError
        Without Chromium, or where an interactive figure was not drawn.
    """
    program = find_chromium()
    if program is None:
        raise BookError("the EPUB needs Chromium: install it (Debian: apt-get install chromium), or use --no-pdf")
    from playwright.sync_api import sync_playwright

    book = _Pages(site, pages)
    with served(site) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            tab = chromium.new_page(viewport={"width": 1000, "height": 900})
            for page in pages:
                tab.goto(f"{address}/{page}", wait_until="networkidle", timeout=60_000)
                if not tab.evaluate(READY):
                    raise BookError(f"{page}: an interactive figure was not drawn, so its place would be blank")
                titles = tab.evaluate(HEADINGS)
                text, anchors = tab.evaluate(EXTRACT)
                book.add(page, text, anchors, titles[0] if titles else page)
        finally:
            chromium.close()
    partial = target.with_name(f".partial-{target.name}")
    _zip(book, partial)
    os.replace(partial, target)
    return target
