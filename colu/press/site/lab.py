"""Interactive figures: ``{interactive} NAME``, and links to their states, ``{state}`words <NAME?key=value>` ``.

Each has a page of its own, below ``book/laboratory``, and stands in the chapters that explain it. Its script is
``assets/lab/NAME.js``, its static twin and its data come from ``interactives/NAME.py``: a picture that matplotlib draws
from the package's numbers, for print and for readers without scripts, and what the package computes for the figure.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from colu.files import write_atomically
from colu.press.interactive import FOLDER, Interactive, read_interactive
from colu.press.project import BookError

from .interactives import module_of

__all__ = ["data_script", "figures_of", "markup", "picture", "served", "setup", "twin"]

ASSETS = Path(__file__).parent / "assets" / "lab"
#: Scripts that every figure needs, in this order, and the style.
SHARED = ("mathematics.js", "core.js")
STYLE = "lab.css"
_KEPT, _LOOSE = re.compile("[\"'`/]|--"), re.compile(r" ?([=*<>?:;,{}()\[\]&|]+) ?")
_STATE = re.compile(r"^(.*?)\s*<([a-z]+)\?([^<>]*)>$", re.DOTALL)

BOX = """
<div class="colu-lab" id="lab-{name}" data-figure="{name}" data-start="{start}" role="group" aria-label="{title}">
<p class="lab-question">{question}</p>
<div class="twin"><img src="{static}{picture}" alt="{alt}" width="736" height="380" loading="lazy">
<p>{finding}</p></div>
<div class="live">
<p class="lab-states">Begin with {states}.{own}</p>
</div>
</div>
"""


def figures_of(env) -> list[str]:
    """The figures that some page of an environment shows."""
    return sorted({name for names in env.__dict__.get("colu_lab_pages", {}).values() for name in names})


def picture(name: str) -> str:
    """The file, in ``_static``, of the static picture of a figure."""
    return f"lab-{name}.svg"


def twin(name: str) -> str:
    """The SVG of the static picture of a figure."""
    return module_of(name).twin()


def data_script(name: str) -> str | None:
    """The script that hands a figure what the package computed for it, or None if it needs nothing."""
    compute = getattr(module_of(name), "data", None)
    if compute is None:
        return None
    return f"coluLab.data.{name} = {json.dumps(compute(), separators=(',', ':'))};\n"


def markup(figure: Interactive, static: str, start: str = "", own: str = "") -> str:
    """The HTML of a figure.

    Parameters
    ----------
    figure : Interactive
    static : str
        Where the page finds the folder ``_static``.
    start : str
        The state in which it begins.
    own : str
        Address of its own page; empty there.
    """
    escaped = {key: html.escape(getattr(figure, key)) for key in ("name", "title", "question", "alt", "finding")}
    links = [
        f'<a href="#lab-{figure.name}?{html.escape(each.address)}" data-says="{html.escape(each.says)}">'
        f"{html.escape(each.label)}</a>"
        for each in figure.states
    ]
    leads = f' It has <a href="{html.escape(own)}">a page of its own</a>.' if own else ""
    said = ", ".join(links[:-1]) + (" or " if links[1:] else "") + links[-1]
    shown = {"picture": picture(figure.name), "static": static, "states": said, "own": leads}
    return BOX.format(**escaped, **shown, start=html.escape(start))


def served(script: str) -> str:
    """A script as the site has it: without indentation and without the lines that only comment.

    Signs stand close, but in lines that hold a text, an expression, a division or a decrement.

    Examples
    --------
    >>> served("/* A\\n   B. */\\nif (x) {\\n  // Why.\\n  y(1, 'a, b');\\n}\\n")
    "if(x){\\ny(1, 'a, b');\\n}\\n"
    """
    script = re.sub(r"^ */\*.*?\*/ *\n", "", script, flags=re.DOTALL | re.MULTILINE)
    lines = re.sub(r"^ *(//.*\n|\n)?", "", script, flags=re.MULTILINE).splitlines(keepends=True)
    return "".join(line if _KEPT.search(line) else _LOOSE.sub(r"\1", line) for line in lines)


def _page(name: str) -> str:
    return f"book/{FOLDER}/{name}"


def _pages(env) -> Path:
    return Path(env.app.srcdir, "book")


class InteractiveDirective(SphinxDirective):
    """``{interactive} NAME``; ``:start: key=value&...`` is the state in which it begins."""

    required_arguments = 1
    option_spec = {"start": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Build the figure, and remember that the page needs its scripts."""
        name, here = self.arguments[0], self.env.docname
        try:
            figure = read_interactive(_pages(self.env), name)
        except BookError as error:
            raise self.error(str(error)) from None
        self.env.note_dependency(str(_pages(self.env) / FOLDER / f"{name}.yml"))
        self.env.__dict__.setdefault("colu_lab_pages", {}).setdefault(here, []).append(name)
        up = "../" * here.count("/")
        own = "" if here == _page(name) else f"{up}{_page(name)}.html"
        text = markup(figure, f"{up}_static/", self.options.get("start", ""), own)
        return [nodes.raw("", text, format="html")]


class InteractiveListDirective(SphinxDirective):
    """``{interactive-list}``: the figures that its lines name, each with its question and a link to its own page."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the list."""
        lines = []
        for name in filter(None, map(str.strip, self.content)):
            try:
                figure = read_interactive(_pages(self.env), name)
            except BookError as error:
                raise self.error(str(error)) from None
            lines.append(f"- {{doc}}`{figure.title} </{_page(name)}>`: {figure.question}")
        holder = nodes.Element()
        self.state.nested_parse(StringList([*lines, ""], self.env.docname), self.content_offset, holder)
        return holder.children


class StateRole(SphinxRole):
    """``{state}`words <NAME?key=value>` ``: a link to a state of a figure, on this page if it is there."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Build the link; where it leads is known when all pages were read."""
        match = _STATE.match(self.text)
        try:
            if match is None:
                raise BookError(f"a state is 'words <figure?key=value>', and not {self.text!r}")
            words, name, query = match.groups()
            read_interactive(_pages(self.env), name)
        except BookError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        link = nodes.reference(self.rawtext, words, internal=True, classes=["lab-state"])
        link["state"] = (name, query)
        link["refuri"] = "#"
        return [link], []


def resolve_states(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Send the links to the figure on the page, or else to its own page."""
    here = app.env.__dict__.get("colu_lab_pages", {}).get(docname, ())
    for link in doctree.findall(nodes.reference):
        if "state" in link:
            name, query = link["state"]
            page = "" if name in here else app.builder.get_relative_uri(docname, _page(name))
            # Only a browser knows what stands behind the question mark.
            link["refuri"] = f"{page}#lab-{name}" + (f"?{query}" if app.builder.name == "html" else "")


def forget_page(app: Sphinx, env, docname: str) -> None:
    """Drop what a page said before it is read again."""
    env.__dict__.get("colu_lab_pages", {}).pop(docname, None)


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    found = other.__dict__.get("colu_lab_pages", {})
    env.__dict__.setdefault("colu_lab_pages", {}).update({name: found[name] for name in docnames if name in found})


def add_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Give a page the scripts of its figures, and no other page."""
    wanted = dict.fromkeys(app.env.__dict__.get("colu_lab_pages", {}).get(pagename, ()))
    if wanted:
        app.add_css_file(STYLE)
        for script in SHARED:
            app.add_js_file(script, loading_method="defer")
    for name in wanted:
        if hasattr(module_of(name), "data"):
            app.add_js_file(f"lab-{name}-data.js", loading_method="defer")
        app.add_js_file(f"lab-{name}.js", loading_method="defer")


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Write scripts, data and twins into the site."""
    if error or app.builder.name != "html" or not (wanted := figures_of(app.env)):
        return
    static = Path(app.outdir, "_static")
    write_atomically(static / STYLE, (ASSETS / STYLE).read_text(encoding="utf8"))
    for name in SHARED:
        write_atomically(static / name, served((ASSETS / name).read_text(encoding="utf8")))
    for name in wanted:
        write_atomically(static / f"lab-{name}.js", served((ASSETS / f"{name}.js").read_text(encoding="utf8")))
        write_atomically(static / picture(name), twin(name))
        if script := data_script(name):
            write_atomically(static / f"lab-{name}-data.js", script)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("interactive", InteractiveDirective)
    app.add_directive("interactive-list", InteractiveListDirective)
    app.add_role("state", StateRole())
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("doctree-resolved", resolve_states)
    app.connect("html-page-context", add_scripts, priority=800)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
