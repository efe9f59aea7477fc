"""``colu book student``, ``colu book slides`` and ``colu book archive``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from colu.press.project import BookError, find_project

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Names = Annotated[list[str] | None, typer.Argument(help="Chapters by name; all where none is given.")]
Folder = Annotated[Path | None, typer.Option("--to", help="Folder to write into.")]


def _fail(error: BookError) -> typer.Exit:
    errors.print(str(error), markup=False)
    return typer.Exit(1)


def student(names: Names = None, to: Folder = None) -> None:
    """Write student's notebooks without solutions, and teacher's notebooks with them."""
    from colu.press.teach.student import write_teaching_notebooks

    try:
        project = find_project()
        folder = to or project.root / "dist" / "teaching"
        written = write_teaching_notebooks(project, folder, names or ())
    except BookError as error:
        raise _fail(error) from None
    console.print(f"{len(written)} files: {folder}")


def slides(names: Names = None, to: Folder = None) -> None:
    """Write slides, sheets and solutions of rendered chapters, into the site or a folder that holds all they load."""
    from colu.press.teach.slides import slides_command

    try:
        written = slides_command(find_project(), names or (), to)
    except BookError as error:
        raise _fail(error) from None
    console.print(f"{len(written)} decks, and as many sheets and solutions: {written[0].parent.parent}")


def archive(
    to: Folder = None,
    pdf: Annotated[bool, typer.Option(help="Also make the PDF and the EPUB; needs Chromium.")] = True,
) -> None:
    """Make the offline HTML archive, the PDF and the EPUB of the built site, with checksums."""
    from colu.press.offline.archive import make_archive

    try:
        project = find_project()
        written = make_archive(project, to or project.root / "dist" / "book", pdf=pdf)
    except BookError as error:
        raise _fail(error) from None
    for path in written:
        console.print(f"{path}: {path.stat().st_size / 2**20:.1f} MB")
