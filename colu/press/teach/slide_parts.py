"""What decks and sheets take from a rendered page: the chapter itself, what a slide shows large, and its exercises."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colu.press.project import BookError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

__all__ = [
    "Shown",
    "cleaned",
    "shown",
    "soup_of",
    "split_exercise",
    "with_code",
    "without_code",
    "without_links",
]


def soup_of(text: str) -> BeautifulSoup:
    """Parse HTML."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(text, "html.parser")


def without_code(page: str) -> tuple[str, list[str]]:
    """A page with highlighted code taken out, and the code: most tags of a page colour a word, and parsing is slow.

    Examples
    --------
    >>> page, code = without_code('<div class="highlight"><pre><span>x</span></pre></div>')
    >>> page
    '<div class="highlight"><pre data-code="0"></pre></div>'
    >>> with_code(page, code)
    '<div class="highlight"><pre><span>x</span></pre></div>'
    """
    code: list[str] = []

    def take(match: re.Match) -> str:
        code.append(match[1])
        return f'<div class="highlight"><pre data-code="{len(code) - 1}"></pre>'

    return re.sub(r'<div class="highlight"><pre>(.*?)</pre>', take, page, flags=re.DOTALL), code


def with_code(html: str, code: list[str]) -> str:
    """Put the code back that :func:`without_code` took out."""
    return re.sub(r'<pre data-code="(\d+)"></pre>', lambda match: f"<pre>{code[int(match[1])]}</pre>", html)


def led_from_elsewhere(part: Tag, name: str) -> None:
    """Make the addresses in a part of a chapter hold from a folder beside ``notebooks/``."""
    for tag in part.find_all(href=True):
        address = tag["href"]
        if address.startswith("#"):
            tag["href"] = f"../notebooks/{name}.html{address}"
        elif not re.match(r"[a-z]+:|\.\./|/", address):
            tag["href"] = f"../notebooks/{address}"


def cleaned(page: str, name: str) -> Tag:
    """The chapter's top section without what only the page needs, its addresses made to hold from ``slides/``."""
    soup = soup_of(page)
    article = soup.find("article")
    top = article.find("section") if article else None
    if top is None:
        raise BookError(f"the page of {name} holds no chapter: run 'colu book render --force'")
    for tag in top.select("a.headerlink, button, span.target, .tag_remove-cell"):
        tag.decompose()
    for tag in top.select("picture > source"):
        tag.decompose()
    for tag in top.select(".figure-scroll, picture"):
        tag.unwrap()
    for tag in top.select("img"):
        # Slides and sheets are as wide as they are, and the next one is wanted at once.
        del tag["style"], tag["loading"]
    led_from_elsewhere(top, name)
    return top


@dataclass(frozen=True)
class Shown:
    """Something of the page that a slide shows: a picture takes what room is left, a box what it needs."""

    html: str
    caption: str
    picture: bool


def _found(top: Tag, name: str) -> Tag | None:
    if counted := re.fullmatch(r"slider-(\d+)", name):
        sliders = top.select(".colu-slider")
        return sliders[int(counted[1]) - 1] if 0 < int(counted[1]) <= len(sliders) else None
    return next(filter(None, (top.find(id=f"{kind}{name}") for kind in ("", "claim-", "drawing-"))), None)


def shown(top: Tag, name: str) -> Shown | None:
    """What a slide shows by a name; None where the chapter has nothing of this name.

    Parameters
    ----------
    top : Tag
        The chapter, by :func:`cleaned`; it is left as it is.
    name : str
        Of a figure or drawing, the label of a theorem or exercise, the id of a claim, or ``slider-2`` for the second
        figure with sliders.
    """
    tag = _found(top, name)
    if tag is None:
        return None
    tag, caption = copy.copy(tag), ""
    for part in tag.select("details, .claim-check, .badge"):
        part.decompose()
    for part in tag.select("figcaption, .drawing-caption"):
        caption += part.decode_contents().strip()
        part.decompose()
    if "exercise" in (tag.get("class") or ()):
        return Shown(split_exercise(tag)[0], split_exercise(tag)[1], picture=False)
    picture = tag.name == "figure" or bool({"drawing", "colu-slider"} & set(tag.get("class") or ()))
    return Shown(str(tag), caption, picture)


def split_exercise(box: Tag) -> tuple[str, str]:
    """An exercise without its expected result, and the result, which goes to the notes; ``box`` stays as it is."""
    box, expected = copy.copy(box), ""
    for emphasis in box.find_all("em"):
        if emphasis.get_text().strip() == "Expected:" and emphasis.parent.name == "p":
            parts = [emphasis.parent, *emphasis.parent.find_next_siblings()]
            expected = "".join(str(part) for part in parts)
            for part in parts:
                part.extract()
            break
    return str(box), expected


def without_links(html: str) -> str:
    """Turn links to pages of the book into plain text, for a deck that is taken out of the site."""
    soup = soup_of(html)
    for link in soup.select('a[href^="../"]'):
        if link.find_parent("nav") is not None:
            link.decompose()
        else:
            link.unwrap()
    return str(soup)
