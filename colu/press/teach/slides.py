"""Slides of a chapter, from its rendered page: no script but our own, no request to another host.

The page already holds the numbers, boxes and figures of the executed copy, so the deck cannot say anything else.
Each section gives an opening slide with its first sentences and its first formula,
then theorems, claims and errata as they fit, and each figure and table on a slide of its own.
What the section says in between becomes the notes of the slide before it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from colu.files import write_atomically
from colu.press.project import BookError, Project
from colu.press.toc import select

from .sheets import sheet_html, solutions_html
from .slide_parts import (
    cleaned,
    lead,
    moments,
    soup_of,
    split_exercise,
    split_list,
    with_code,
    without_code,
    without_links,
)

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["Slide", "chapter_slides", "deck_html", "write_decks"]

ASSETS = Path(__file__).parents[1] / "site" / "assets"
#: Where each kind of page goes.
KINDS = ("slides", "sheets", "solutions")
#: What may share a slide, up to this many characters and what its boxes take.
JOINED = {"section", "theorem", "claim", "erratum", "table"}
ROOM = 900
HELP = (
    "Arrow keys, Page keys and Space turn the slides; N shows the notes, D the dark colours, F fills the screen. "
    "Print for a handout."
)


@dataclass
class Slide:
    """One slide: heading, the HTML below it, and what the speaker may want to say."""

    heading: str
    body: str
    kind: str
    notes: list[str] = field(default_factory=list)


def _inner(tag: Tag) -> str:
    return tag.decode_contents().strip()


def _heading(section: Tag) -> str:
    """The inner HTML of a section's own heading."""
    heading = section.find(re.compile("^h[1-6]$"), recursive=False)
    return _inner(heading) if heading else ""


def _opening(top: Tag, name: str) -> list[Slide]:
    """The title with the question, and the objectives."""
    question, objectives, needs = "", "", []
    paragraphs = top.find_all("p", recursive=False)
    for paragraph in paragraphs:
        bold = paragraph.find("strong")
        said = bold.get_text().strip() if bold else ""
        if said == "Question.":
            bold.decompose()
            question = _inner(paragraph)
        elif said.startswith("You will be able to"):
            following = paragraph.find_next_sibling()
            objectives = str(following) if following is not None and following.name == "ul" else ""
        elif said in ("Before you start.", "Cost."):
            needs.append(str(paragraph))
    number = name.split("-")[0]
    title = (
        f'<p class="chapter-number">Chapter {number}</p><h1>{_heading(top)}</h1>'
        f'<p class="question">{question}</p><p class="help">{HELP}</p>'
    )
    return [
        Slide("", title, "title", needs),
        Slide("You will be able to", objectives, "objectives"),
    ]


def _section(section: Tag) -> list[Slide]:
    """The slides of one section of the second level; a section that is a list becomes its bullets."""
    heading = _heading(section)
    if section.get("id") == "summary" or not section.find("p", recursive=False) and section.find("ul", recursive=False):
        return [Slide(heading, part, "list") for part in split_list(section)]
    slides = [Slide(heading, lead(section), "section")]
    formula = False
    for moment in moments(section):
        body, last = moment.html(), slides[-1]
        if moment.kind == "prose":
            last.notes.append(body)
        elif moment.kind == "formula":
            if not formula and len(slides) == 1:
                last.body += f'<div class="formula">{body}</div>'
            formula = True
        elif moment.kind in JOINED and last.kind in JOINED and _size(last.body) + _size(body) < ROOM:
            last.body += body
        else:
            slides.append(Slide(heading, body, moment.kind))
    return slides


def _size(html: str) -> int:
    """About how many characters a slide shows."""
    shown = " ".join(re.sub("<[^>]+>", "", html).split())
    return len(shown) + 120 * html.count("admonition-title") + 60 * html.count("<tr")


def chapter_slides(top: Tag, name: str) -> list[Slide]:
    """Return the slides of a chapter.

    Parameters
    ----------
    top : Tag
        The chapter, by :func:`colu.press.teach.slide_parts.cleaned`; it is used up.
    name : str
        The chapter, such as ``"12-symmetry"``.

    Returns
    -------
    list of Slide
        Title, objectives, the sections in their order, exercises; no solutions and no code.
    """
    for tag in top.select(".solution, .cell_input, .fold, .layers"):
        tag.decompose()
    exercises = [split_exercise(tag.extract()) for tag in top.select("div.exercise")]
    slides = _opening(top, name)
    for section in top.find_all("section", recursive=False):
        if section.get("id") not in ("exercises", "references"):
            slides += _section(section)
    slides += [Slide("Exercises", body, "exercise", [expected]) for body, expected in exercises]
    return [slide for slide in slides if slide.body.strip() or slide.kind == "section"]


def _slide_html(slide: Slide, number: int, total: int) -> str:
    heading = f"<h2>{slide.heading}</h2>" if slide.heading else ""
    notes = "".join(note for note in slide.notes if note)
    # Identifiers stay on the page; twice in a deck they would be wrong.
    body = re.sub(r'\s(id|name)="[^"]*"', "", slide.body)
    aside = re.sub(r'\s(id|name)="[^"]*"', "", notes)
    return (
        f'<section class="slide {slide.kind}" id="slide-{number}" aria-roledescription="slide" '
        f'aria-label="{number} of {total}">\n<div class="body">{heading}{body}</div>\n'
        + (f'<aside class="notes" aria-label="Notes">{aside}</aside>\n' if aside else "")
        + "</section>"
    )


def deck_html(top: Tag, name: str) -> str:
    """Return the deck of a chapter as a whole HTML page that stands in ``slides/`` beside ``notebooks/``."""
    slides = chapter_slides(top, name)
    title = escape(soup_of(slides[0].body).find("h1").get_text())
    shown = "\n".join(_slide_html(slide, number, len(slides)) for number, slide in enumerate(slides, 1))
    scripts = ['<script defer src="../_static/mathjax/tex-chtml.js"></script>']
    if "colu-slider" in shown:
        scripts += ['<link rel="stylesheet" href="../_static/slider.css">']
        scripts += ['<script defer src="../_static/slider.js"></script>']
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Slides: {title}</title>
<link rel="icon" href="../_static/favicon.svg">
<link rel="stylesheet" href="slides.css">
<script defer src="slides.js"></script>
{chr(10).join(scripts)}
</head>
<body>
<main id="deck">
{shown}
</main>
<nav class="bar" aria-label="Slides">
<button type="button" data-go="previous" aria-label="previous slide">‹</button>
<output aria-live="polite">1 / {len(slides)}</output>
<button type="button" data-go="next" aria-label="next slide">›</button>
<button type="button" data-go="notes" aria-pressed="false">notes</button>
<a href="../notebooks/{name}.html">the chapter</a>
</nav>
</body>
</html>
"""


def _take_along(site: Path, folder: Path, text: str) -> None:
    """Copy what a deck outside of the site loads."""
    for address in sorted(set(re.findall(r'src="\.\./([^"]+)"|href="\.\./(_static/[^"]+)"', text))):
        name = next(filter(None, address))
        source, target = site / name, folder / name
        if name.endswith("tex-chtml.js"):
            shutil.copytree(source.parent, target.parent, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def write_decks(site: Path, names: list[str], folder: Path | None = None) -> list[Path]:
    """Write the slides, the exercise sheets and the solutions of the chapters named.

    Parameters
    ----------
    site : Path
        The rendered site.
    names : list of str
        Chapters; those whose page is absent are an error.
    folder : Path, optional
        Where ``slides/``, ``sheets/`` and ``solutions/`` go; the site itself where left out.
        Elsewhere the images and scripts come along, and links to pages of the book become plain text.

    Returns
    -------
    list of Path
        The decks.

    Raises
    ------
    BookError
        If a chapter has no rendered page.
    """
    away, root = folder is not None and folder.resolve() != site.resolve(), folder or site
    written = []
    for name in names:
        page = site / "notebooks" / f"{name}.html"
        if not page.is_file():
            raise BookError(f"{page} is missing: run 'colu book build' first")
        text, code = without_code(page.read_text(encoding="utf8"))
        top = cleaned(text, name)
        pages = {
            "solutions": solutions_html(top, name),
            "sheets": sheet_html(top, name),
            "slides": deck_html(top, name),
        }
        for kind, made in pages.items():
            made = with_code(made, code)
            if away:
                made = without_links(made)
                _take_along(site, root, made)
            target = root / kind / f"{name}.html"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, made)
        written.append(root / KINDS[0] / f"{name}.html")
    for asset in ("slides.css", "slides.js"):
        shutil.copyfile(ASSETS / asset, root / KINDS[0] / asset)
    return written


def slides_command(project: Project, names: Sequence[str], folder: Path | None) -> list[Path]:
    """Write the decks of a standing site; all chapters of it where none is named."""
    if not (project.site / "index.html").is_file():
        raise BookError(f"there is no site at {project.site}: run 'colu book build' first")
    return write_decks(project.site, [path.stem for path in select(project, names)], folder)
