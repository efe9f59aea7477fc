"""The book for reading without a network: a zip of the site, a PDF and an EPUB, with checksums."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from colu.files import file_digest, write_atomically
from colu.press.project import BookError, Project
from colu.press.toc import toc_pages

from .epub import write_epub
from .pdf import print_pages

__all__ = ["make_archive", "page_order", "zip_site"]

#: A fixed date, so that the same site gives the same bytes.
DATE = (2020, 1, 1, 0, 0, 0)
SUMS = "SHA256SUMS"


def zip_site(site: Path, target: Path) -> Path:
    """Put the site into a zip whose bytes depend on the pages alone; written beside and renamed when whole.

    Raises
    ------
    BookError
        If there is no built site.
    """
    if not (site / "index.html").is_file():
        raise BookError(f"there is no site at {site}: run 'colu book build' first")
    partial = target.with_name(f".partial-{target.name}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            name = f"colu/{path.relative_to(site).as_posix()}"
            information = zipfile.ZipInfo(name, DATE)
            information.compress_type = zipfile.ZIP_DEFLATED
            information.external_attr = 0o644 << 16
            archive.writestr(information, path.read_bytes())
    os.replace(partial, target)
    return target


def page_order(project: Project) -> list[str]:
    """The rendered pages in the order of the book, as addresses below the site."""
    return [f"{name}.html" for name in toc_pages(project.root) if (project.site / f"{name}.html").is_file()]


def write_sums(folder: Path) -> Path:
    """Write the checksums of all files of a folder, as ``sha256sum --check`` reads them."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != SUMS and not path.name.startswith("."):
            lines.append(f"{file_digest(path)}  {path.name}\n")
    write_atomically(folder / SUMS, "".join(lines))
    return folder / SUMS


def make_archive(project: Project, folder: Path, *, pdf: bool = True, code: str = "teaching") -> list[Path]:
    """Write ``colu-book.zip``, ``colu-book.pdf``, ``colu-book.epub`` and their checksums.

    Parameters
    ----------
    project : Project
        With a built site.
    folder : Path
        Made where it does not exist.
    pdf : bool
        Also print the PDF, which needs Chromium, and make the EPUB.
    code : {"none", "teaching", "all"}
        How much code the PDF has, as of :func:`colu.press.offline.pdf.print_pages`.

    Returns
    -------
    list of Path
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [zip_site(project.site, folder / "colu-book.zip")]
    if pdf:
        written.append(print_pages(project.site, page_order(project), folder / "colu-book.pdf", code=code))
        written.append(write_epub(project, folder / "colu-book.epub"))
    return [*written, write_sums(folder)]
