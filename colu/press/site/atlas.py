"""The atlas: ``{atlas}``, the page of a unit, and ``{atlas-front}``, all of them, filtered and compared.

The pages hold what the registry cannot know (:mod:`colu.press.atlas`); everything else is made here.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
from collections.abc import Iterable
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.files import write_atomically
from colu.nn import get_entry
from colu.press.atlas import FOLDER, atlas_pages, chapters_by_topic, parse_page
from colu.press.project import BookError

from .atlas_curves import GRID
from .atlas_facts import atlas_index, unit_facts
from .atlas_front import cards, comparison, data_script, filters
from .atlas_page import opening, sections
from .atlas_plots import colours, curves_at, finding, lines, panel, spread
from .words import main_entry

__all__ = ["INDEX", "setup"]

#: For other programs, at the root of the site.
INDEX = "atlas.json"
ASSETS = Path(__file__).with_name("assets")
#: What a page loads, in its order, by what stands on it; the laboratory's mathematics where it is there.
DATA = "atlas-data.js"
SCRIPTS = {"unit": ("lab/mathematics.js", "lab/atlas.js"), "front": (DATA, "lab/atlas.js")}
STYLES = ("figures.css", "lab/lab.css", "lab/atlas.css")


class _Atlas(SphinxDirective):
    """What both directives do."""

    def parse(self, text: str) -> list[nodes.Node]:
        """MyST text as nodes."""
        holder = nodes.container()
        self.state.nested_parse(StringList([*text.splitlines(), ""], self.env.docname), 0, holder)
        return holder.children

    def section(self, title: str, *inside: nodes.Node) -> nodes.section:
        """A section of the page."""
        made = nodes.section("", nodes.title("", title), *inside, names=[nodes.fully_normalize_name(title)])
        self.state.document.note_implicit_target(made, made)
        return made

    def html(self, text: str) -> nodes.raw:
        """HTML; without drawings in an EPUB, whose pages would lose the capital letters in them."""
        if self.in_epub:
            text = re.sub(r"<svg\b.*?</svg>", "", text, flags=re.DOTALL)
        return nodes.raw("", text, format="html")

    @property
    def in_epub(self) -> bool:
        """Whether the pages of an EPUB are made."""
        return self.env.app.builder.name == "epub"

    def wants(self, kind: str) -> None:
        """Note that the page needs scripts."""
        self.env.__dict__.setdefault("colu_atlas_pages", {})[self.env.docname] = kind

    def all_pages(self) -> dict:
        """Titles and fields of all pages, of which this page depends."""
        root = Path(self.env.srcdir)
        try:
            pages = atlas_pages(root)
        except BookError as error:
            raise self.error(str(error)) from error
        for name in pages:
            self.env.note_dependency(str(root / FOLDER / f"{name}.md"))
        return pages


class UnitDirective(_Atlas):
    """The page of a unit, after its title."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build everything below the title."""
        name = self.arguments[0]
        try:
            entry = get_entry(name)
            page = parse_page(name, "\n".join(self.content), page=f"{self.env.docname}.md")
        except (BookError, ValueError) as error:
            raise self.error(str(error)) from error
        titles = {name: title for name, (title, _) in self.all_pages().items()}
        if entry.name != name or self.env.docname != f"{FOLDER}/{name}":
            raise self.error(f"{{atlas}} {name} stands on {self.env.docname}, wanted {FOLDER}/{entry.name}")
        if unknown := [each for each in page.relatives if each not in titles]:
            near = difflib.get_close_matches(unknown[0], titles, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self.error(f"{self.env.docname}: relatives names {unknown[0]!r}, which has no page{hint}")
        facts = unit_facts(titles[name], page)
        if curves_at(name):
            self.wants("unit")
        anchor = f"activation-{name}"
        found: list[nodes.Node] = [main_entry(word, anchor) for word in (name, *entry.aliases)]
        found.append(nodes.target("", "", ids=[anchor]))
        found += self.parse(opening(facts))
        found += [self.html(self.plot(facts)), nodes.paragraph("", finding(name, facts["title"]))]
        for title, text in sections(facts, self.chapter, titles):
            found.append(self.section(title, *self.parse(text)))
        return found

    def chapter(self, topic: str) -> str:
        """The name of the chapter on a topic."""
        known = chapters_by_topic(Path(self.env.srcdir))
        if topic not in known:
            near = difflib.get_close_matches(topic, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self.error(f"{self.env.docname}: chapters names {topic!r}, which is the topic of no chapter{hint}")
        return known[topic]

    def plot(self, facts: dict) -> str:
        """Value and derivative, drawn from values of the package; scripts add what is live."""
        name, title = facts["name"], escape(facts["title"])
        curves = curves_at(name)
        if curves is None:
            return ""
        colour = colours(name, facts["family"])
        if self.in_epub:
            return "".join(
                f'<p><img src="../../_static/atlas/{name}-{kind}.svg" alt="{said} of {title}"/></p>'
                for kind, said in (("value", "Output"), ("slope", "Derivative"))
            )
        figures = "".join(
            f'<figure><svg data-part="{kind}" viewBox="0 0 340 260" role="img" aria-label="The {said} of {title} over '
            f'the first channel.">{panel(kind, lines(curves[kind]), spread(curves[kind]))}</svg>'
            f"<figcaption>{said}</figcaption></figure>"
            for kind, said in (("value", "output"), ("slope", "derivative"))
        )
        parts = escape(json.dumps(facts["parts"]))
        return (
            f'<div class="colu-atlas-unit" data-unit="{name}" data-parts="{parts}" style="{colour}">'
            f'<form class="colu-controls live" id="atlas"></form><div class="colu-panels">{figures}</div>'
            f'<p class="atlas-how" data-part="how">Drawn from {len(GRID)} values that the package computed when the '
            'book was built.</p><p class="live" role="status" data-part="status"></p></div>'
        )


class FrontDirective(_Atlas):
    """All units."""

    def run(self) -> list[nodes.Node]:
        """Cards and comparison."""
        pages = self.all_pages()
        units = {name: unit_facts(*pages[name]) for name in pages}
        self.wants("front")
        count = f"The registry holds {len(units)} entries; each has a page."
        # One form holds both, for one state in the address; in the tree it would have to hold the section.
        top = f'<div class="colu-atlas"><form id="atlas">{filters(list(units.values()))}</form>'
        bar = (
            '<p class="atlas-bar live"><span role="status" data-part="status"></span> '
            '<button type="button" data-part="go">see the comparison</button></p></div>'
        )
        compared = self.section(
            "Compare up to four",
            *self.parse("Choose units by the boxes on their cards; without a choice, ReLU and CoLU are compared."),
            self.html(f'<div class="colu-atlas-compare">{comparison(units)}</div>'),
        )
        first = self.html(top + cards(units.values()) + bar)
        index = self.html(f'<p>All of it for other programs: <a href="../{INDEX}" download>{INDEX}</a>.</p>')
        return [nodes.paragraph("", count), first, compared, index]


def prepare(app: Sphinx, env, docnames: Iterable[str]) -> None:
    """Compute all facts once, before pages are read in several processes."""
    if any(name.startswith(FOLDER) for name in docnames):
        _units(Path(app.srcdir))


def _units(root: Path) -> dict[str, dict]:
    try:
        return {name: unit_facts(*pair) for name, pair in atlas_pages(root).items()}
    except BookError:
        return {}  # the page that is wrong says so when it is read


def forget_page(app: Sphinx, env, docname: str) -> None:
    """Drop what a page said before it is read again."""
    env.__dict__.get("colu_atlas_pages", {}).pop(docname, None)


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    env.__dict__.setdefault("colu_atlas_pages", {}).update(other.__dict__.get("colu_atlas_pages", {}))


def add_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Give a page the scripts that it needs, and no other page."""
    kind = app.env.__dict__.get("colu_atlas_pages", {}).get(pagename)
    if kind:
        for name in _there(STYLES):
            app.add_css_file(name)
        for name in _there(SCRIPTS[kind]):
            app.add_js_file(name, loading_method="defer")


def _there(names: Iterable[str]) -> list[str]:
    return [name for name in names if name == DATA or (ASSETS / name).is_file()]


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Write scripts, data and the index into the site."""
    if error or app.builder.format != "html" or not app.env.__dict__.get("colu_atlas_pages"):
        return
    static, pages = Path(app.outdir, "_static"), atlas_pages(Path(app.srcdir))
    units = {name: unit_facts(*pair) for name, pair in pages.items()}
    for name in _there((*SCRIPTS["unit"], *STYLES)):
        (static / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(ASSETS / name, static / name)
    write_atomically(static / DATA, data_script(units.values()))
    write_atomically(Path(app.outdir, INDEX), json.dumps(atlas_index(pages), indent=1, ensure_ascii=False) + "\n")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("atlas", UnitDirective)
    app.add_directive("atlas-front", FrontDirective)
    app.connect("env-before-read-docs", prepare)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("html-page-context", add_scripts, priority=800)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
