"""The book as EPUB 3 by Sphinx's builder: formulas as MathML, interactive figures as pictures, nothing by script.

The builder is a Sphinx extension; :func:`write_epub` runs it.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Comment
from sphinx.application import Sphinx
from sphinx.builders.epub3 import Epub3Builder

from colu.files import read_json
from colu.lab.plot import parted
from colu.press.atlas import FOLDER
from colu.press.build.render import run_jupyter_book
from colu.press.project import BookError, Project
from colu.press.site.atlas_plots import write_pictures
from colu.press.site.turning import TWIN, turn_twin
from colu.press.site.typography import kept_together

__all__ = ["EpubBuilder", "setup", "tidy", "write_epub"]

#: A fixed date, so that the same book gives the same bytes.
DATE, SECONDS = "2026-01-01T00:00:00Z", 1767225600
STYLE = """body { line-height: 1.4; }
pre { white-space: pre-wrap; font-size: 0.8em; background: #f3f4f5; padding: 0.5em; }
img { max-width: 100%; }
.admonition { border-left: 4px solid #0b6fa4; padding-left: 0.8em; margin: 0.8em 0; }
.admonition-title { font-weight: bold; }
.warning { border-left-color: #d55e00; }
table { border-collapse: collapse; font-size: 0.85em; }
td, th { border-bottom: 1px solid #999; padding: 0.2em 0.5em; text-align: left; }
figcaption { font-size: 0.9em; }
.eqno { float: right; }
math[display="block"] { margin: 0.6em 0; }
"""
#: What works by script only, or is said elsewhere.
GONE = "head link, script, style, button, .headerlink, .live, form, input, noscript, object, summary"
#: Code that the page folds: few readers of EPUB can, so it stays out, as from a printed page.
FOLDED = "details.fold:not(.fold-proof, .fold-badge, .fold-answers)"
_SCRIPTED = re.compile(r"(data-|on|aria-(?!label$)|style$|tabindex$|loading$)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def chapter_number(address: str) -> str:
    """The number of a chapter by the name of its page, and a space; nothing for another page.

    Examples
    --------
    >>> chapter_number("notebooks/12-symmetry.xhtml#a-group"), chapter_number("book/index.xhtml")
    ('12 ', '')
    """
    found = re.match(r"(?:.*/)?notebooks/(\d\d)-", address)
    return f"{found[1]} " if found else ""


def _clean(page: BeautifulSoup, name: str) -> None:
    """Leave what a reader of EPUB shows, in well-formed elements with one id each."""
    up = "../" * name.count("/")
    page.html["lang"] = page.html["xml:lang"] = "en"
    for part in page.select(f"{GONE}, {FOLDED}"):
        part.decompose()
    for comment in page.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for part in page.select("details"):
        part.unwrap()
    page.head.append(page.new_tag("link", rel="stylesheet", href=f"{up}book.css"))
    if page.h1 and chapter_number(name):
        page.h1.insert(0, chapter_number(name))
    seen = set()
    for part in page.find_all(True):
        part.attrs = {key: value for key, value in part.attrs.items() if not _SCRIPTED.match(key)}
        if "id" in part.attrs:
            if part["id"] in seen or not re.fullmatch(r"[A-Za-z_][\w.-]*", part["id"]):
                del part["id"]
            else:
                seen.add(part["id"])


def _link(name: str, address: str, anchors: dict[str, set[str]]) -> str | None:
    """The address inside the EPUB; None for a file that is not part of it."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    path, fragment = re.sub(r"\.html$", ".xhtml", unquote(parts.path)), unquote(parts.fragment)
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
    if goal not in anchors:
        return None
    # An absent anchor leads to the page.
    found = f"#{fragment}" if fragment in anchors[goal] else ""
    return posixpath.relpath(goal, posixpath.dirname(name) or ".") + found


def tidy(folder: Path) -> set[str]:
    """Rewrite the pages below a folder as XHTML whose links stay inside.

    Parameters
    ----------
    folder : Path
        With ``.xhtml`` pages.

    Returns
    -------
    set of str
        The pages with formulas.
    """
    pages = {}
    for path in sorted(folder.rglob("*.xhtml")):
        name = path.relative_to(folder).as_posix()
        page = kept_together(_CONTROL.sub("", path.read_text(encoding="utf8")))
        pages[name] = BeautifulSoup(page, "html.parser")
        _clean(pages[name], name)
    anchors = {name: {part["id"] for part in page.select("[id]")} for name, page in pages.items()}
    for name, page in pages.items():
        for link in page.select("body [href]"):
            address = _link(name, link["href"], anchors)
            if address is None:
                del link["href"]
                continue
            link["href"] = address
            if re.fullmatch(r"\[\d+\]", link.get_text()) and (number := chapter_number(f"/{address}")):
                link.string = number.strip()  # in the index, where Sphinx only counts
        (folder / name).write_text(page.decode(formatter="minimal"), encoding="utf8")
    return {name for name, page in pages.items() if page.find("math")}


class EpubBuilder(Epub3Builder):
    """Sphinx's builder for a book whose first page lies in a folder and whose outputs were made for browsers."""

    math_renderer_name = "mathml"

    def init(self) -> None:
        """Begin without the site's buttons and lists of modules and theorems, and with a version."""
        self.config.html_theme_options, self.config.html_domain_indices = {}, False
        super().init()
        self.config.version = metadata.version("colu")

    def copy_static_files(self) -> None:
        """Write one style sheet and the twins of the figures drawn by script; nothing of the theme."""
        static = Path(self.outdir, "_static")
        static.mkdir(parents=True, exist_ok=True)
        Path(self.outdir, "book.css").write_text(STYLE, encoding="utf8")
        (static / TWIN).write_text(turn_twin(), encoding="utf8")
        write_pictures(static, [Path(name).name for name in self.env.found_docs if name.startswith(f"{FOLDER}/")])

    def handle_finish(self) -> None:
        """Rewrite the pages and leave each figure one form, then list and pack them."""
        self.with_formulas = tidy(Path(self.outdir))
        for path in Path(self.outdir, "_images").glob("*.svg"):
            path.write_text(parted(path.read_text(encoding="utf8"))[0], encoding="utf8")
        super().handle_finish()

    def get_toc(self) -> None:
        """Gather the contents, with addresses from the root and the numbers of the chapters."""
        super().get_toc()
        for node in self.refnodes:
            node["refuri"] = posixpath.normpath(node["refuri"])
            if "#" not in node["refuri"]:
                node["text"] = chapter_number(node["refuri"]) + node["text"]

    def content_metadata(self) -> dict[str, Any]:
        """The description of the book, with the fixed date."""
        return super().content_metadata() | {"date": DATE}

    def build_content(self) -> None:
        """Write the list of files; pages with formulas say so, and the index, which Sphinx adds, comes once."""
        index = [node for node in self.refnodes if node["refuri"] == f"genindex{self.out_suffix}"]
        self.refnodes = [node for node in self.refnodes if node not in index]
        super().build_content()
        self.refnodes += index

        def say(item: re.Match) -> str:
            return item[1] + ' properties="mathml" />' if item[2] in self.with_formulas else item[0]

        path = Path(self.outdir, "content.opf")
        text = path.read_text(encoding="utf8")
        path.write_text(re.sub(r'(<item [^>]*?href="([^"]+)"[^>]*?)\s*/>', say, text), encoding="utf8")

    def build_epub(self) -> None:
        """Pack the files, all of the fixed date."""
        for path in Path(self.outdir).rglob("*"):
            os.utime(path, (SECONDS, SECONDS))
        super().build_epub()


def write_epub(project: Project, target: Path) -> Path:
    """Make the EPUB from the executed copies of the site that stands.

    Parameters
    ----------
    project : Project
        With a built site.
    target : Path
        The EPUB; replaced when the new one is whole.

    Returns
    -------
    Path
        ``target``.

    Raises
    ------
    BookError
        With Sphinx's warnings and errors.
    """
    preset = (read_json(project.build / "site.json") or {}).get("preset")
    if preset is None:
        raise BookError(f"there is no site at {project.site}: run 'colu book build' first")
    with tempfile.TemporaryDirectory(prefix="colu-") as folder:
        run_jupyter_book(project, preset, Path(folder), "--builder", "custom", "--custom-builder", "epub")
        partial = target.with_name(f".partial-{target.name}")
        shutil.copy(next(Path(folder, "_build", "epub").glob("*.epub")), partial)
        os.replace(partial, target)
    return target


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("colu.press.offline.mathml")
    app.add_builder(EpubBuilder, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
