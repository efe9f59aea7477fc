"""The deck of a chapter whose notebook has slides: no script but our own, no request to another host.

Title and objectives come first, then the slides as the notebook has them, then the exercises that none of them shows.
What a slide shows large is taken from the rendered page, and its numbers are those of the run that made the page.
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
    led_from_elsewhere,
    shown,
    soup_of,
    split_exercise,
    with_code,
    without_code,
    without_links,
)

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["KINDS", "Slide", "chapter_slides", "copy_decks", "deck_html", "write_decks"]

ASSETS = Path(__file__).parents[1] / "site" / "assets"
#: Where each kind of page goes.
KINDS = ("slides", "sheets", "solutions")
#: Characters of exercises on one slide, and what the title of one takes.
ROOM, TITLE = 900, 80
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


def _opening(top: Tag, name: str) -> list[Slide]:
    """The title with the question, and the objectives."""
    question, objectives, needs = "", "", []
    for paragraph in top.find_all("p", recursive=False):
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
    heading = top.find("h1", recursive=False)
    title = (
        f'<p class="chapter-number">Chapter {name.split("-")[0]}</p><h1>{_inner(heading) if heading else name}</h1>'
        f'<p class="question">{question}</p><p class="help">{HELP}</p>'
    )
    slides = [Slide("", title, "title", needs)]
    return slides + ([Slide("You will be able to", objectives, "objectives")] if objectives else [])


def _written(top: Tag, section: Tag, name: str) -> Slide:
    """A slide of the notebook, with what it shows."""
    led_from_elsewhere(section, name)
    heading = re.sub(r"</?p>", "", _inner(section.header.div)).strip()
    text, said = (_inner(section.select_one(f"div.{part} > div")) for part in ("text", "said"))
    wanted = section["data-show"]
    if not wanted:
        return Slide(heading, f'<div class="text">{text}</div>', "written", [said])
    found = shown(top, wanted)
    if found is None:
        raise BookError(
            f"the slide {soup_of(heading).get_text()!r} of {name} shows {wanted!r}, which is no figure, drawing, "
            "theorem, claim or exercise of this chapter: mend its ':show:'"
        )
    kind = "picture" if found.picture else "boxed"
    body = (f'<div class="text">{text}</div>' if text else "") + f'<div class="shown">{found.html}</div>'
    caption = f'<div class="caption">{found.caption}</div>' if found.caption else ""
    return Slide(heading, body, f"written {kind}", [said, caption])


def _exercises(boxes: list[Tag]) -> list[Slide]:
    """The exercises, as many on a slide as are read from the last row; the results are for the teacher."""
    slides, taken = [], ROOM
    for box in boxes:
        body, expected = split_exercise(box)
        length = TITLE + len(box.get_text())
        if taken + length > ROOM:
            slides.append(Slide("Exercises", "", "exercises"))
            taken = 0
        taken += length
        slides[-1].body += body
        slides[-1].notes.append(expected)
    return slides


def chapter_slides(top: Tag, name: str, written: str) -> list[Slide]:
    """Return the slides of a chapter.

    Parameters
    ----------
    top : Tag
        The chapter, by :func:`colu.press.teach.slide_parts.cleaned`; its opening is used up.
    name : str
        The chapter, such as ``"12-symmetry"``.
    written : str
        The slides of its notebook, as :mod:`colu.press.site.slides` leaves them.

    Returns
    -------
    list of Slide
        Title, objectives, the slides of the notebook, and those exercises that none of them shows.

    Raises
    ------
    BookError
        If a slide shows what the chapter does not have; it names both.
    """
    sections = soup_of(written).find_all("section", recursive=False)
    slides = [_written(top, section, name) for section in sections]
    there = {section["data-show"] for section in sections}
    rest = [tag for tag in top.select("div.exercise") if tag.get("id") not in there]
    return _opening(top, name) + slides + _exercises(rest)


def _slide_html(slide: Slide, number: int, total: int) -> str:
    heading = f"<h2>{slide.heading}</h2>" if slide.heading else ""
    # Identifiers stay on the page; twice in a deck they would be wrong.
    body, aside = (re.sub(r'\s(id|name)="[^"]*"', "", part) for part in (slide.body, "".join(slide.notes)))
    return (
        f'<section class="slide {slide.kind}" id="slide-{number}" aria-roledescription="slide" '
        f'aria-label="{number} of {total}">\n<div class="body">{heading}{body}</div>\n'
        + (f'<aside class="notes" aria-label="Notes">{aside}</aside>\n' if aside else "")
        + "</section>"
    )


def deck_html(top: Tag, name: str, written: str) -> str:
    """Return the deck of a chapter as a whole HTML page that stands in ``slides/`` beside ``notebooks/``."""
    slides = chapter_slides(top, name, written)
    title = escape(soup_of(slides[0].body).find("h1").get_text())
    deck = "\n".join(_slide_html(slide, number, len(slides)) for number, slide in enumerate(slides, 1))
    scripts = ['<script defer src="../_static/mathjax/tex-chtml.js"></script>']
    if "colu-slider" in deck:
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
{deck}
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


def write_decks(site: Path, chapters: dict[str, str]) -> None:
    """Write the exercise sheets and the solutions of chapters into their site, and the decks of those with slides.

    Parameters
    ----------
    site : Path
        The rendered site.
    chapters : dict
        Chapter -> the slides of its notebook, as :mod:`colu.press.site.slides` leaves them; empty where it has none.
    """
    for name, written in chapters.items():
        text, code = without_code((site / "notebooks" / f"{name}.html").read_text(encoding="utf8"))
        top = cleaned(text, name)
        pages = {"solutions": solutions_html(top, name), "sheets": sheet_html(top, name)}
        if written:
            pages["slides"] = deck_html(top, name, written)
        for kind, made in pages.items():
            (site / kind).mkdir(exist_ok=True)
            write_atomically(site / kind / f"{name}.html", with_code(made, code))
    (site / KINDS[0]).mkdir(exist_ok=True)
    for asset in ("slides.css", "slides.js"):
        shutil.copyfile(ASSETS / asset, site / KINDS[0] / asset)


def _take_along(site: Path, folder: Path, text: str) -> None:
    """Copy what a page outside of the site loads."""
    for address in sorted(set(re.findall(r'src="\.\./([^"]+)"|href="\.\./(_static/[^"]+)"', text))):
        name = next(filter(None, address))
        source, target = site / name, folder / name
        if name.endswith("tex-chtml.js"):
            shutil.copytree(source.parent, target.parent, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def copy_decks(site: Path, names: Sequence[str], folder: Path) -> list[Path]:
    """Copy slides, sheets and solutions out of a site, with all that they load; links to the book become plain text.

    Parameters
    ----------
    site : Path
        The rendered site.
    names : sequence of str
        Chapters; those whose sheet is absent are an error.
    folder : Path
        Where ``slides/``, ``sheets/`` and ``solutions/`` go.

    Returns
    -------
    list of Path
        The pages.

    Raises
    ------
    BookError
        If the site lacks a chapter.
    """
    written = []
    for name in names:
        pages = [site / kind / f"{name}.html" for kind in KINDS]
        if not pages[1].is_file():
            raise BookError(f"{pages[1]} is missing: run 'colu book build' first")
        for page in filter(Path.is_file, pages):
            text = without_links(page.read_text(encoding="utf8"))
            _take_along(site, folder, text)
            target = folder / page.relative_to(site)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, text)
            written.append(target)
            if page.parent.name == KINDS[0]:
                for asset in ("slides.css", "slides.js"):
                    shutil.copyfile(page.parent / asset, target.parent / asset)
    return written


def slides_command(project: Project, names: Sequence[str], folder: Path) -> list[Path]:
    """Copy what a standing site has for teaching; of all its chapters where none is named."""
    if not (project.site / "index.html").is_file():
        raise BookError(f"there is no site at {project.site}: run 'colu book build' first")
    return copy_decks(project.site, [path.stem for path in select(project, names)], folder)
