"""Check the built site: what can be read from its files, and what only a browser shows.

``main`` returns the problems; an empty list means that none was found.
From the command line: ``python -m colu.press.check.site _build/html [--no-browser] [--screenshots FOLDER]``.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Page", "check_files", "main", "read_pages"]

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
IMAGE_NAME = re.compile(r"\.(png|jpe?g|svg|gif|webp)$", re.IGNORECASE)
#: What an output shows when a cell raised; the words alone may stand in prose.
ERRORS = re.compile(r"Traceback \(most recent call last\)|^\w*(Error|Exception): ", re.MULTILINE)
#: A role that Markdown did not parse, shown as code.
RAW_ROLE = re.compile(r"\{(glue|glue:\w+|claim|cite|cite:\w+|numref|eq|ref|doc|prf:ref)\}")
#: A number with an exponent, which breaks at its hyphen; an option whose two hyphens became a dash.
EXPONENT = re.compile(r"(?<![\w.])\d+(?:\.\d+)?e[+-]?\d+\b")
DASHED = re.compile(r"(?:^|[\s(])[–—][a-z][\w-]*")
NOT_PAGES = {"_static", "_sources", "_modules", "_images", "_downloads"}


#: What stands in these is what a program reads or wrote.
KEPT = {"pre", "code", "script", "style", "title", "svg", "textarea", "option"}


@dataclass
class Page:
    """What the checks need to know of one page."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    headings: int = 0
    redirect: bool = False
    has_maths: bool = False
    outputs: str = ""
    launches: list[tuple[str, str]] = field(default_factory=list)
    raw_roles: list[str] = field(default_factory=list)
    signatures: dict[str, str] = field(default_factory=dict)
    misset: list[str] = field(default_factory=list)
    #: Where its links begin, on a page that is shown at any address; else empty.
    root: str = ""


class _Reader(HTMLParser):
    """Fill a :class:`Page` from HTML."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.open: list[tuple[str, str, str]] = []  # tag, classes, id

    def handle_starttag(self, tag: str, attributes) -> None:
        values = {name: value or "" for name, value in attributes}
        classes = values.get("class", "")
        page = self.page
        if tag not in VOID:
            self.open.append((tag, classes, values.get("id", "")))
        for name in ("id", "name"):
            if values.get(name) and (name == "id" or tag == "a"):
                page.ids.add(values[name])
        if tag == "html" and values.get("data-content_root", "").startswith("/"):
            page.root = values["data-content_root"]
        if tag == "a" and values.get("href"):
            page.links.append(values["href"])
            self._launch(values, classes)
        if values.get("src"):
            page.loads.append(values["src"])
        if tag == "source" and values.get("srcset"):
            page.loads.append(values["srcset"])
        if tag == "link" and values.get("href") and values.get("rel") not in ("canonical", "search", "index"):
            (page.links if values.get("rel") in ("next", "prev") else page.loads).append(values["href"])
        if tag == "img":
            page.images.append((values.get("src", ""), dict(attributes).get("alt")))
        if "colu-slider" in classes.split():
            page.figures.append(values.get("aria-label", "") if values.get("role") == "figure" else "")
        if "math" in classes.split():
            page.has_maths = True
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            page.redirect = True
            page.links.append(values.get("content", "").partition("url=")[2])
        # The theme repeats the title in a part that only a printer shows.
        page.headings += tag == "h1" and "jb-print-docs-body" not in {identifier for _, _, identifier in self.open}

    def _launch(self, values: dict[str, str], classes: str) -> None:
        for kind, mark in (("Colab", "colab.research.google.com"), ("Binder", "mybinder.org/v2/")):
            if mark in values["href"]:
                self.page.launches.append((kind, values["href"]))
        if "btn-download-source-button" in classes:
            self.page.launches.append(("download", values["href"]))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self.open) - 1, -1, -1):
            if self.open[place][0] == tag:
                del self.open[place:]
                return

    def handle_data(self, data: str) -> None:
        classes = " ".join(classes for _, classes, _ in self.open).split()
        if "sig-object" in classes:
            name = next(name for _, kinds, name in self.open if "sig-object" in kinds.split())
            self.page.signatures[name] = self.page.signatures.get(name, "") + data
        if not KEPT & {tag for tag, _, _ in self.open} and not {"math", "sig-object"} & set(classes):
            self.page.misset += [found.group().strip() for kind in (EXPONENT, DASHED) for found in kind.finditer(data)]
        if "output" in classes or "cell_output" in classes or "traceback" in classes:
            self.page.outputs += data
        if RAW_ROLE.fullmatch(data.strip()) and not {"pre", "script", "title"} & {tag for tag, _, _ in self.open}:
            self.page.raw_roles.append(data.strip())
        if self.open and self.open[-1][0] == "style" and re.search(r"@import|url\(['\"]?(https?:)?//", data):
            self.page.loads.append(re.search(r"(https?:)?//[^'\")\s]+", data).group())


def read_pages(site: Path) -> dict[Path, Page]:
    """Read every page of the site, keyed by its resolved path."""
    pages = {}
    for path in sorted(site.resolve().rglob("*.html")):
        if not NOT_PAGES & set(path.relative_to(site.resolve()).parts[:-1]):
            page = pages[path] = Page(path)
            _Reader(page).feed(path.read_text(encoding="utf-8"))
    return pages


def _is_external(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def _link_problems(site: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    problems = []
    for address in dict.fromkeys(page.links + page.loads):
        parts = urlsplit(address)
        if _is_external(address) or parts.scheme in ("mailto", "data", "javascript"):
            continue
        target = page.path.parent / unquote(parts.path) if parts.path else page.path
        if parts.path.startswith("/"):
            target = site / unquote(parts.path).removeprefix(page.root).lstrip("/")
        target = target.resolve()
        if target.is_dir():
            target = target / "index.html"
        # Behind a question mark stands the state of an interactive figure.
        fragment = unquote(parts.fragment).partition("?")[0]
        if not target.exists():
            problems.append(f"link to {address}: there is no such file")
        elif fragment and target in pages and fragment not in pages[target].ids:
            problems.append(f"link to {address}: the page has no such anchor")
    return problems


def _page_problems(page: Page, notebook: bool) -> list[str]:
    problems = [f"loads from another host: {load}" for load in page.loads if _is_external(load)]
    for source, alt in page.images:
        # docutils writes the file's name where the author gave no description.
        if alt is None or not alt.strip() or alt == source or IMAGE_NAME.search(alt.strip()):
            problems.append(f"image without alternative text: {source[:80]}")
    problems += ["figure with sliders without role and aria-label" for label in page.figures if not label.strip()]
    problems += [f"a role was not understood and stands in the text: {role}" for role in page.raw_roles]
    problems += [f"set so that it breaks, or fails where it is copied: {text}" for text in dict.fromkeys(page.misset)]
    for name, text in page.signatures.items():
        if found := re.search(r"<[^>]*>|\blambda\b(?=[^,]*:)", text):
            problems.append(f"the signature of {name} shows {found[0]}: give the default a name")
    error = ERRORS.search(page.outputs)
    if error:
        problems.append(f"a cell's output shows an error: {error.group().strip()}")
    for kind, address in page.launches if notebook else ():
        path = unquote(urlsplit(address).path if kind != "Binder" else address.partition("urlpath=")[2])
        if not re.search(r"/plain/[\w-]+\.ipynb$", path):
            problems.append(f"{kind} button does not lead to a plain notebook: {address}")
    if page.headings != 1 and not page.redirect:
        problems.append(f"{page.headings} headings of the first level, wanted 1")
    return problems


def check_files(site: Path) -> list[str]:
    """Return what is wrong with the site as far as its files show.

    Parameters
    ----------
    site : Path
        The folder of the built HTML.

    Returns
    -------
    list of str
        One line a problem, each beginning with its page.
    """
    site = site.resolve()
    pages = read_pages(site)
    if not pages:
        return [f"{site}: no page at all; build the book first"]
    problems = []
    for page in pages.values():
        name = page.path.relative_to(site).as_posix()
        notebook = name.startswith("notebooks/")
        found = _page_problems(page, notebook)
        # Sphinx's search page fills its heading by script.
        if name == "search.html":
            found = [problem for problem in found if "headings" not in problem]
        if notebook and not page.redirect and {kind for kind, _ in page.launches} != {"Colab", "Binder", "download"}:
            found.append("buttons for Colab, Binder and download are not all there")
        problems += [f"{name}: {problem}" for problem in found + _link_problems(site, page, pages)]
    if any(kind == "Binder" for page in pages.values() for kind, _ in page.launches):
        wanted = ("binder/requirements.txt", "binder/runtime.txt")
        absent = [name for name in wanted if not (site / name).is_file()]
        problems += [f"Binder button: {name} is missing, by which Binder installs" for name in absent]
    return problems


def main(site: Path, browser: bool = True, screenshots: Path | None = None) -> list[str]:
    """Check a built site.

    Parameters
    ----------
    site : Path
        The folder of the built HTML.
    browser : bool
        Also load every page in headless Chromium with name resolution blocked.
    screenshots : Path, optional
        Where to write a picture of every page, light and dark; needs ``browser``.

    Returns
    -------
    list of str
        The problems; empty when there are none.
    """
    site = Path(site)
    if not (site / "index.html").is_file():
        return [f"{site}: there is no index.html; build the book first"]
    problems = check_files(site)
    if browser:
        from .browser import check_in_browser

        problems += check_in_browser(site, read_pages(site), screenshots)
    return problems


def _command_line() -> int:
    parser = argparse.ArgumentParser(description="Check the built site.")
    parser.add_argument("site", type=Path)
    parser.add_argument("--no-browser", action="store_true", help="read the files only")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="write a picture of every page here")
    options = parser.parse_args()
    problems = main(options.site, browser=not options.no_browser, screenshots=options.screenshots)
    print("\n".join(problems) or f"{options.site}: no problem found")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(_command_line())
