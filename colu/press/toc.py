"""The one reader of ``_toc.yml``: by the package that Jupyter Book reads it with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .notebook import Notebook
from .project import BookError

if TYPE_CHECKING:
    from sphinx_external_toc.api import SiteMap

__all__ = ["TOC", "toc_chapters", "toc_pages", "toc_parts"]

TOC = "_toc.yml"
_NOTEBOOKS = "notebooks/"


def _site_map(root: Path) -> SiteMap:
    from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

    try:
        return parse_toc_yaml(root / TOC)
    except MalformedError as error:
        raise BookError(f"{root / TOC} cannot be read: {error}") from error


def toc_pages(root: Path) -> list[str]:
    """The pages in the order of the book, the root first: names below ``root`` without suffix."""
    site_map, names = _site_map(root), []

    def add(name: str) -> None:
        names.append(name)
        for tree in site_map[name].subtrees if name in site_map else ():
            for item in tree.files():
                add(str(item).removesuffix(".ipynb").removesuffix(".md"))

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


def toc_chapters(root: Path) -> list[Notebook]:
    """Every chapter in the order of the book."""
    names = [name for _, names in toc_parts(root) for name in names]
    return [Notebook.read(root / _NOTEBOOKS / f"{name}.ipynb") for name in names]
