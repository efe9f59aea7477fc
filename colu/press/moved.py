"""Where a chapter or a page went whose number or name changed: ``book/moved.yml``, old name to topic or page.

A page has its folder in its name, ``book/explorer: book/atlas``.
The topic of a chapter is the name without its number, ``fair-comparisons`` of ``09-fair-comparisons``: it stays when
chapters are put in another order, so an address of years ago still leads to the page, whatever number that has today.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from .project import BookError, Project
from .toc import toc_pages, toc_parts

__all__ = ["MOVED", "lint_moved", "moved_chapters", "moved_pages", "topic"]

MOVED = "moved.yml"


def topic(name: str) -> str:
    """The name of a chapter without its number.

    Examples
    --------
    >>> topic("09-fair-comparisons")
    'fair-comparisons'
    """
    return re.sub(r"^\d+-", "", name)


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf8")) or {}
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} is no YAML: {error}") from error
    if not isinstance(entries, dict) or not all(isinstance(part, str) for pair in entries.items() for part in pair):
        raise BookError(f"{path.name} maps the old names of chapters to topics, such as '32-fair-tests: fair-tests'")
    return entries


def moved_chapters(project: Project) -> dict[str, str]:
    """The old names of chapters, each with the name that the chapter has now.

    Raises
    ------
    BookError
        If the file is no mapping of names, or an entry leads to no chapter or from one that is there.
    """
    entries = {old: new for old, new in _read(project.pages / MOVED).items() if "/" not in old}
    names = [name for _, inside in toc_parts(project.root) for name in inside]
    here = {topic(name): name for name in names}
    for old, wanted in entries.items():
        if old in names:
            raise BookError(f"{MOVED}: {old} is a chapter and has not moved: take the line out")
        if wanted not in here:
            near = difflib.get_close_matches(wanted, here, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BookError(f"{MOVED}: {old} leads to {wanted!r}, which is the topic of no chapter{hint}")
    return {old: here[wanted] for old, wanted in entries.items()}


def moved_pages(project: Project) -> dict[str, str]:
    """The old names of pages, each with the page that has what it had.

    Raises
    ------
    BookError
        If an entry leads to no page or from one that is there.
    """
    entries = {old: new for old, new in _read(project.pages / MOVED).items() if "/" in old}
    if not entries:
        return {}
    pages = toc_pages(project.root)
    for old, new in entries.items():
        if old in pages:
            raise BookError(f"{MOVED}: {old} is a page and has not moved: take the line out")
        if new not in pages:
            near = difflib.get_close_matches(new, pages, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BookError(f"{MOVED}: {old} leads to {new!r}, which is no page{hint}")
    return entries


def lint_moved(project: Project, names: Iterable[str]) -> list[str]:
    """What is wrong with the topics of the chapters and with the list of those that moved."""
    names = list(names)
    topics = [topic(name) for name in names]
    doubled = sorted({name for name in names if topics.count(topic(name)) > 1})
    found = [f"{', '.join(doubled)} have one topic: addresses hang on it, so give each its own"] if doubled else []
    try:
        moved_chapters(project)
        moved_pages(project)
    except BookError as error:
        found.append(str(error))
    return found
