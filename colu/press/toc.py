"""The one reader of ``_toc.yml``: by the package that Jupyter Book reads it with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .notebook import Notebook
from .project import BookError, Project, UnknownName

if TYPE_CHECKING:
    from sphinx_external_toc.api import SiteMap

__all__ = ["TOC", "outside", "select", "toc_chapters", "toc_pages", "toc_parts"]

TOC = "_toc.yml"
_NOTEBOOKS = "notebooks/"


def _site_map(root: Path) -> SiteMap:
    from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

    try:
        return parse_toc_yaml(root / TOC)
    except MalformedError as error:
        raise BookError(f"{root / TOC} cannot be read: {error}") from error


def toc_pages(root: Path) -> list[str]:
    """The pages in the order of the book, the root first: names below ``root`` without suffix.

    Where the table has a pattern (``glob:``), the files that it names, by name.
    """
    from sphinx_external_toc.api import FileItem, GlobItem

    site_map, names = _site_map(root), []

    def files(item: str) -> list[str]:
        found = [str(item)]
        if isinstance(item, GlobItem):
            found = sorted(path.relative_to(root).as_posix() for path in root.glob(f"{item}.*"))
        return [name.removesuffix(".ipynb").removesuffix(".md") for name in found]

    def add(name: str) -> None:
        names.append(name)
        for tree in site_map[name].subtrees if name in site_map else ():
            for item in tree.items:
                for below in files(item) if isinstance(item, FileItem | GlobItem) else ():
                    add(below)

    add(site_map.root.docname)
    return names


def toc_parts(root: Path) -> list[tuple[str, list[str]]]:
    """The parts that hold chapters: caption, names of notebooks."""
    parts = []
    for tree in _site_map(root).root.subtrees:
        names = [Path(item).name.removesuffix(".ipynb") for item in tree.files() if item.startswith(_NOTEBOOKS)]
        if names:
            parts.append((tree.caption or "", names))
    return parts


def _listed(project: Project) -> list[str]:
    """The chapters in the order of the book, by name."""
    return [name for _, names in toc_parts(project.root) for name in names]


def _there(project: Project) -> dict[str, Path]:
    """The notebooks in their folder, by name."""
    return {path.stem: path for path in sorted(project.notebooks.glob("*.ipynb"))}


def outside(project: Project) -> list[str]:
    """The notebooks that lie among the chapters and are none, for want of a line in the table of contents."""
    listed = set(_listed(project))
    return [name for name in _there(project) if name not in listed]


def select(project: Project, names: Iterable[str] = ()) -> list[Path]:
    """Notebooks by name, such as ``10-cones-and-projections``, with or without suffix, or by number, such as ``10``.

    Where none is named, the chapters of the table of contents; a draft that is not in it is taken by name.

    Raises
    ------
    BookError
        For a name that is no notebook, giving the nearest, and for a chapter without its notebook.
    """
    known = _there(project)
    if not known:
        raise BookError(f"{project.notebooks} holds no notebook: run this in the project's folder")
    chosen = []
    for name in names:
        stem = Path(name).stem if name.endswith(".ipynb") else name
        numbered = [each for each in known if each.split("-")[0] == stem]
        stem = numbered[0] if len(numbered) == 1 else stem
        if stem not in known:
            near = difflib.get_close_matches(stem, known, n=3, cutoff=0.3) or list(known)
            raise UnknownName(f"there is no notebook {name!r}; the nearest are {', '.join(near)}")
        chosen.append(known[stem])
    if chosen:
        return chosen
    if absent := [name for name in _listed(project) if name not in known]:
        raise BookError(f"{TOC} lists {', '.join(absent)}, which {project.notebooks} lacks: add it, or drop its line")
    return [known[name] for name in _listed(project)]


def toc_chapters(root: Path) -> list[Notebook]:
    """Every chapter in the order of the book."""
    return [Notebook.read(root / _NOTEBOOKS / f"{name}.ipynb") for name in _listed(Project(root))]
