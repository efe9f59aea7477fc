"""What of a rendered section goes on a slide: theorems, claims, figures, tables, formulas, and the prose for notes."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colu.press.project import BookError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

__all__ = [
    "Moment",
    "cleaned",
    "lead",
    "moments",
    "soup_of",
    "split_exercise",
    "split_list",
    "with_code",
    "without_code",
    "without_links",
]

#: A lead ends after the sentence that passes this many characters.
LEAD = 260
#: Bullets on one slide.
BULLETS = 6
#: A table beyond this is for the page.
ROWS, COLUMNS = 11, 8


@dataclass(frozen=True)
class Moment:
    """Something worth a slide, or prose between two such things."""

    kind: str
    tag: Tag

    def html(self) -> str:
        """The slide's HTML."""
        if self.kind == "figure" and self.tag.name == "img":
            return f"<figure>{self.tag}</figure>"
        return str(self.tag)


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


def cleaned(page: str, name: str) -> Tag:
    """The chapter's top section without what only the page needs, its addresses made to hold from ``slides/``."""
    soup = soup_of(page)
    article = soup.find("article")
    top = article.find("section") if article else None
    if top is None:
        raise BookError(f"the page of {name} holds no chapter: run 'colu book render --force'")
    for tag in top.select("a.headerlink, details, button, span.target, .tag_remove-cell"):
        tag.decompose()
    for tag in top.find_all(href=True):
        address = tag["href"]
        if address.startswith("#"):
            tag["href"] = f"../notebooks/{name}.html{address}"
        elif not re.match(r"[a-z]+:|\.\./|/", address):
            tag["href"] = f"../notebooks/{address}"
    return top


def _classes(tag: Tag) -> set[str]:
    return set(tag.get("class") or ())


def _small(table: Tag) -> bool:
    rows = table.find_all("tr")
    return 1 < len(rows) <= ROWS and max(len(row.find_all(["td", "th"])) for row in rows) <= COLUMNS


def _kind(tag: Tag) -> str | None:
    """The kind of a tag that is taken whole; None for one to look into."""
    classes = _classes(tag)
    if "proof" in classes and "admonition" in classes:
        return "theorem" if classes - {"proof", "admonition"} else "prose"
    if "claim" in classes and "admonition" in classes:
        return "claim"
    if "colu-slider" in classes:
        return "interactive"
    if tag.name == "figure" or tag.name == "img":
        return "figure"
    if tag.name == "table":
        return "table" if _small(tag) else "skip"
    if tag.name == "div" and "math" in classes:
        return "formula"
    if "admonition" in classes:
        return "erratum" if "warning" in classes else "prose"
    if tag.name in ("p", "ul", "ol", "dl", "blockquote"):
        return "prose"
    if tag.name in ("pre", "script", "style") or {"highlight", "citation-list"} & classes:
        return "skip"
    return None


def moments(section: Tag) -> Iterator[Moment]:
    """Yield the moments of a section in their order; headings and code are passed over."""
    for child in section.find_all(True, recursive=False):
        if re.fullmatch("h[12]", child.name):
            continue
        kind = _kind(child)
        if kind is None:
            yield from moments(child)
        elif kind != "skip":
            yield Moment(kind, child)


def lead(section: Tag) -> str:
    """The first sentences of a section, about ``LEAD`` characters; a line of the source is a sentence."""
    paragraph = next((m.tag for m in moments(section) if m.kind == "prose" and m.tag.name == "p"), None)
    if paragraph is None:
        return ""
    kept, length = "", 0
    for line in paragraph.decode_contents().split("\n"):
        whole = not kept or _balanced(kept)
        if whole and kept and length + len(re.sub("<[^>]+>", "", line)) > LEAD:
            break
        kept += ("\n" if kept else "") + line
        length += len(re.sub("<[^>]+>", "", line))
    return f'<p class="lead">{kept}</p>'


def _balanced(html: str) -> bool:
    """Whether every tag that was opened is closed."""
    opened = len(re.findall(r"<[a-z][^>/]*>", html)) - len(re.findall(r"<(?:img|br|input)\b[^>]*>", html))
    return opened == len(re.findall(r"</[a-z]+>", html))


def split_list(section: Tag) -> list[str]:
    """The bullets of a section, ``BULLETS`` at a time; its paragraphs where it has no list."""
    lists = section.find_all("ul", recursive=False)
    items = [str(item) for found in lists for item in found.find_all("li", recursive=False)]
    if not items:
        return ["".join(str(tag) for tag in section.find_all("p", recursive=False))]
    count = -(-len(items) // BULLETS)
    size = -(-len(items) // count)
    return [f"<ul>{''.join(items[start : start + size])}</ul>" for start in range(0, len(items), size)]


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
