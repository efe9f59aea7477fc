"""The whole book as one PDF: Chromium prints the pages, pypdf joins them, with bookmarks and links that stay inside."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.project import BookError

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["print_pages"]

MARGIN = dict.fromkeys(("top", "bottom", "left", "right"), "15mm")
#: Formulas are set and pictures loaded when this is done.
READY = """async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  document.querySelectorAll('img[loading]').forEach(image => image.loading = 'eager');
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
  // Nobody can open a solution on paper.
  document.querySelectorAll('.toggle-hidden').forEach(box => box.classList.remove('toggle-hidden'));
}"""
#: How much code is printed: none, what stands open on the page, or that which is folded, too.
CODE = ("none", "teaching", "all")
#: Nobody can open a line on paper: what is asked for is open, and the rest is gone, lines and all.
UNFOLD = """code => {
  for (const fold of document.querySelectorAll('article details.fold')) {
    if (code === 'all' || fold.matches('.fold-proof, .fold-badge, .fold-answers')) fold.open = true; else fold.remove();
  }
  if (code === 'none') document.querySelectorAll('article .cell_input').forEach(cell => cell.remove());
}"""
HEADINGS = """() => [...document.querySelectorAll('article h1, article h2')].map(heading => {
  const copy = heading.cloneNode(true);
  copy.querySelectorAll('.headerlink, mjx-assistive-mml').forEach(part => part.remove());
  return `${heading.dataset.chapter || ''} ${copy.textContent}`.trim().replace(/\\s+/g, ' ');
})"""


def _print(site: Path, pages: list[str], folder: Path, code: str) -> tuple[str, list[Path], list[list[str]]]:
    """Print each page; return the site's address, the files and the headings of each page."""
    program = find_chromium()
    if program is None:
        raise BookError("the PDF needs Chromium: install it (Debian: apt-get install chromium), or use --no-pdf")
    from playwright.sync_api import sync_playwright

    files, headings = [], []
    with served(site) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            tab = chromium.new_page()
            tab.set_default_timeout(TIMEOUT)
            for number, page in enumerate(pages):
                tab.goto(f"{address}/{page}", wait_until="networkidle")
                tab.evaluate(UNFOLD, code)
                tab.evaluate(READY)
                files.append(folder / f"{number:03}.pdf")
                headings.append(tab.evaluate(HEADINGS))
                options = {"format": "A4", "margin": MARGIN, "print_background": True}
                tab.pdf(path=str(files[-1]), outline=True, tagged=True, **options)
        finally:
            chromium.close()
    return address, files, headings


def _explicit(reader: PdfReader) -> None:
    """Turn links to names into links to places: two pages may use the same name."""
    from pypdf.generic import ArrayObject, NameObject

    named = reader.named_destinations
    for page in reader.pages:
        for annotation in page.get("/Annots") or ():
            link = annotation.get_object()
            goal = named.get(str(link.get("/Dest", "")))
            if goal is not None:
                link[NameObject("/Dest")] = ArrayObject(goal.dest_array)


def _inside(address: str, uri: str, starts: dict[str, int]) -> int | None:
    """The sheet on which the page that a link leads to begins; None for a link out of the book."""
    if not uri.startswith(address + "/"):
        return None
    return starts.get(urlsplit(uri).path.lstrip("/"))


def _sections(reader: PdfReader, headings: list[str]) -> list[tuple[str, int]]:
    """The headings of the second level and their sheets; Chromium's own bookmarks repeat words and lose spaces."""
    squashed = {re.sub(r"\W", "", heading): heading for heading in headings[1:]}
    found, todo = {}, list(reader.outline)
    while todo:
        entry = todo.pop(0)
        if isinstance(entry, list):
            todo = entry + todo
            continue
        title = re.sub(r"\W", "", entry.title)
        half = title[: len(title) // 2]
        heading = squashed.get(title) or (squashed.get(half) if title == 2 * half else None)
        if heading and heading not in found:
            found[heading] = reader.get_destination_page_number(entry)
    return list(found.items())


def _join(address: str, files: list[Path], headings: list[list[str]], pages: list[str], target: Path) -> None:
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import ArrayObject, NameObject, NullObject

    writer, starts = PdfWriter(), {}
    for page, file, titles in zip(pages, files, headings, strict=True):
        reader = PdfReader(file)
        _explicit(reader)
        start = starts[page] = len(writer.pages)
        writer.append(reader, import_outline=False)
        parent = writer.add_outline_item(title=titles[0] if titles else page, page_number=start)
        for heading, sheet in _sections(reader, titles):
            writer.add_outline_item(title=heading, page_number=start + sheet, parent=parent)
    for sheet in writer.pages:
        for annotation in sheet.get("/Annots") or ():
            link = annotation.get_object()
            action = link.get("/A")
            uri = str(action.get_object().get("/URI", "")) if action is not None else ""
            start = _inside(address, uri, starts)
            if start is not None:
                place = [writer.pages[start].indirect_reference, NameObject("/XYZ"), *[NullObject()] * 3]
                del link["/A"]
                link[NameObject("/Dest")] = ArrayObject(place)
            elif uri.startswith(address):
                # A file of the site that is no page of the book, such as a notebook to download.
                del link["/A"]
    writer.compress_identical_objects()
    writer.add_metadata({"/Title": "colu: conic activations and their design", "/Author": "The colu authors"})
    writer.write(target)


def print_pages(site: Path, pages: list[str], target: Path, *, code: str = "teaching") -> Path:
    """Print the pages and join them; a link from one to another leads to its place in the PDF.

    Parameters
    ----------
    site : Path
        The folder of the built HTML.
    pages : list of str
        Addresses below it, in the order of the book.
    target : Path
        The PDF; written beside and renamed when whole.
    code : {"none", "teaching", "all"}
        How much code is printed: ``teaching`` is what stands open on the page. Proofs are printed in any case.

    Returns
    -------
    Path
        ``target``.

    Raises
    ------
    BookError
        For another ``code``, or without Chromium.
    """
    if code not in CODE:
        raise BookError(f"code is {code!r}, choose one of {', '.join(CODE)}")
    with tempfile.TemporaryDirectory(prefix="colu-") as folder:
        printed = _print(site, pages, Path(folder), code)
        partial = target.with_name(f".partial-{target.name}")
        _join(*printed, pages, partial)
        os.replace(partial, target)
    return target
