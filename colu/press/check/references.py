"""Rules for the bibliography: each entry is complete and cited, and each citation has an entry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from colu.press.notebook import Notebook
from colu.press.project import Project

__all__ = ["keys_cited", "lint_references"]

#: One of these says where a source appeared.
PLACES = ("journal", "booktitle", "publisher", "institution", "howpublished", "eprint")
_ROLE = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
#: Names that stand for authors who are not named.
_NOBODY = re.compile(r"\bothers\b|\bet al\b|\bauthors of\b|\banonymous\b|\bunknown\b", re.IGNORECASE)


def keys_cited(text: str) -> list[str]:
    """The keys of the citations in a Markdown text.

    Examples
    --------
    >>> keys_cited("By {cite:t}`moreau1962`, and by others {cite:p}`li2023mpu,fu2024conic`.")
    ['moreau1962', 'li2023mpu', 'fu2024conic']
    """
    return [key.strip() for keys in _ROLE.findall(text) for key in keys.split(",")]


def _lint_entry(entry) -> list[str]:
    found = [f"it has no {name}" for name in ("title", "year") if not entry.fields.get(name)]
    names = [str(person) for person in entry.persons.get("author", [])]
    if not names:
        found.append("it has no author")
    found += [f"{name!r} is no author: name all of them" for name in names if _NOBODY.search(name)]
    if not any(entry.fields.get(place) for place in PLACES):
        found.append(f"it does not say where it appeared: give one of {', '.join(PLACES)}")
    return found


def _texts(paths: Iterable[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf8") for path in sorted(paths))


def lint_references(notebooks: list[Notebook], project: Project) -> list[str]:
    """What is wrong with the bibliography, each a line that says where.

    An entry counts as cited if a chapter or a page cites it, or if the package names its key or, in a docstring, its
    number on arXiv, from which the reference makes a citation.

    Parameters
    ----------
    notebooks : list of Notebook
    project : Project

    Returns
    -------
    list of str
        Empty if all rules hold, or if the book has no bibliography.
    """
    from pybtex.database import parse_file

    path = project.pages / "references.bib"
    if not path.is_file():
        return []
    entries = parse_file(str(path)).entries
    found = [f"{path.name}: {key}: {problem}" for key, entry in entries.items() for problem in _lint_entry(entry)]
    texts = {f"{notebook.name}.ipynb": notebook.prose for notebook in notebooks}
    for page in sorted(project.pages.rglob("*.md")):
        texts[page.relative_to(project.root).as_posix()] = page.read_text(encoding="utf8")
    cited = set()
    for name, text in texts.items():
        keys = keys_cited(text)
        cited.update(keys)
        found += [f"{name}: cites {key!r}, which {path.name} does not have" for key in keys if key not in entries]
    package = _texts([*project.package.rglob("*.py"), *project.package.rglob("*.yml")])
    named = set(re.findall(r"[\w.]+\w", package))
    for key, entry in entries.items():
        if key not in cited | named and entry.fields.get("eprint") not in named:
            found.append(f"{path.name}: {key}: nothing cites it")
    return found
