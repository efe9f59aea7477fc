"""Load every page of the built site in headless Chromium that can reach nothing but the site.

The Chromium of the system is used; nothing is downloaded.
"""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_in_browser", "find_chromium", "served", "standing"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # No name resolves: a page that needs another host fails here as it would without a network.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
#: Milliseconds: guards against hanging, which a busy machine does not reach.
TIMEOUT = 300_000
SEARCH_TIMEOUT = 300_000
#: Pixels: a window's width and height, a telephone's width, and the height of one picture.
WIDTH, HEIGHT, NARROW, PART = 1366, 900, 390, 2400

COUNT_MATHS = "() => document.querySelectorAll('mjx-container').length"
BROKEN_MATHS = "() => [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.textContent)"
RAW_MATHS = r"""() => [...document.querySelectorAll('.math')]
  .filter(e => !e.querySelector('mjx-container') && /\\[(\[]/.test(e.textContent))
  .map(e => e.textContent.slice(0, 60))"""
MOVED = """() => [...document.querySelectorAll('.colu-slider')].map(figure =>
  [...figure.querySelectorAll('input')].every(input => {
    const drawing = figure.querySelector('svg'), before = drawing.innerHTML, value = input.value;
    const set = to => { input.value = to; input.dispatchEvent(new Event('input')); };
    set(value === input.max ? input.min : input.max);
    const moved = drawing.innerHTML !== before;
    set(value);
    return moved && input.getBoundingClientRect().height > 10 && drawing.getBoundingClientRect().height > 100;
  }))"""
#: Twice, as what a page asks for in another width is asked for when it is drawn.
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
#: Displayed formulas that scroll, in closed parts of the page too.
LONG_MATHS = """() => {
  const shut = [...document.querySelectorAll('details:not([open])')];
  shut.forEach(each => each.open = true);
  const set = [...(window.MathJax?.startup?.document?.math ?? [])];
  const found = [...document.querySelectorAll('mjx-container[display="true"]')]
    .filter(each => each.scrollWidth > each.clientWidth + 1)
    .map(each => (set.find(item => item.typesetRoot === each)?.math ?? each.textContent).trim().slice(0, 80));
  shut.forEach(each => each.open = false);
  return found;
}"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def find_chromium() -> str | None:
    """Return the path of the system's Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def standing(pages: Iterable[Path]) -> list[Path]:
    """Those of the pages that stay: the others send on to where a chapter has moved."""
    return [path for path in sorted(pages) if 'http-equiv="Refresh"' not in path.read_text("utf8")]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    #: Path under which the site is published: one of its pages names it, and it is served there as well.
    under = "/"

    def translate_path(self, path):
        return super().translate_path("/" + path.removeprefix(self.under).lstrip("/"))

    def log_message(self, *_):
        pass


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder on a free local port, under the path of its published site too; yield its address."""
    missing = Path(site, "404.html")
    root = re.search(r'data-content_root="(/[^"]*)"', missing.read_text("utf8")) if missing.is_file() else None
    kind = type("Quiet", (_Quiet,), {"under": root[1]}) if root else _Quiet
    handler = functools.partial(kind, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def check_in_browser(site: Path, pages: dict, screenshots: Path | None = None) -> list[str]:
    """Return what is wrong with the pages when a browser shows them.

    Parameters
    ----------
    site : Path
        The folder of the built HTML.
    pages : dict of Path to Page
        What :func:`colu.press.check.site.read_pages` found, or some of it.
    screenshots : Path, optional
        Where to write a picture of every page, light and dark.
    """
    program = find_chromium()
    if program is None:
        return [
            "the checks in a browser need Chromium, which is absent: install it "
            "(Debian: apt-get install chromium), or check the files only"
        ]
    from playwright.sync_api import sync_playwright

    site = site.resolve()
    problems = []
    with served(site) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            tab = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            tab.set_default_timeout(TIMEOUT)
            for path, page in pages.items():
                if page.redirect:
                    continue
                name = path.relative_to(site).as_posix()
                found = _check_page(tab, f"{address}/{name}", page)
                problems += [f"{name}: {problem}" for problem in found]
                if screenshots is not None:
                    _photograph(tab, screenshots, name)
            if site / "search.html" in pages:
                problems += _check_search(tab, address, site)
        finally:
            chromium.close()
    return problems


@contextmanager
def _watched(tab) -> Iterator[list[str]]:
    """Collect console errors, exceptions and requests that failed."""
    seen: list[str] = []

    def on_console(message):
        if message.type == "error":
            seen.append(f"console: {message.text[:200]}")

    def on_exception(error):
        seen.append(f"script error: {str(error)[:200]}")

    def on_failed(request):
        seen.append(f"request failed: {request.url[:200]}")

    def on_response(response):
        if response.status >= 400:
            seen.append(f"request answered {response.status}: {response.url[:200]}")

    events = {
        "console": on_console,
        "pageerror": on_exception,
        "requestfailed": on_failed,
        "response": on_response,
    }
    for event, handler in events.items():
        tab.on(event, handler)
    try:
        yield seen
    finally:
        for event, handler in events.items():
            tab.remove_listener(event, handler)


@contextmanager
def _finished(tab) -> Iterator[None]:
    """Wait for what the page begins to load meanwhile: another width asks for other pictures, on this page."""
    begun = set()

    def on_begin(request):
        begun.add(request)

    def on_end(request):
        begun.discard(request)

    events = {"request": on_begin, "requestfinished": on_end, "requestfailed": on_end}
    for event, handler in events.items():
        tab.on(event, handler)
    try:
        yield
        tab.evaluate(DRAWN)
        for _ in range(TIMEOUT // 20):
            if not begun:
                break
            tab.wait_for_timeout(20)
    finally:
        for event, handler in events.items():
            tab.remove_listener(event, handler)


def _check_page(tab, address: str, page) -> list[str]:
    from playwright.sync_api import Error

    with _watched(tab) as problems:
        try:
            # Idle, not merely loaded: a request that a script sends later must fail on its own page.
            tab.goto(address, wait_until="networkidle")
            if page.has_maths:
                tab.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
                tab.evaluate("() => MathJax.startup.promise.then(() => true)")
                if not tab.evaluate(COUNT_MATHS):
                    problems.append("formulas were not set: the page has no MathJax node")
                problems += [f"formula left raw: {text}" for text in tab.evaluate(RAW_MATHS)]
                problems += [f"formula with an error: {text}" for text in tab.evaluate(BROKEN_MATHS)]
            if page.figures:
                for number, moved in enumerate(tab.evaluate(MOVED), 1):
                    if not moved:
                        problems.append(f"figure {number} with sliders does not show, or a slider changes nothing")
            for width, kind in ((NARROW, "a telephone's window"), (WIDTH, "the window")):
                with _finished(tab):
                    tab.set_viewport_size({"width": width, "height": HEIGHT})
                if tab.evaluate(WIDE) > 1:
                    problems.append(f"the page is wider than {kind}")
                # A deck has the form of a screen before a class; its slides have a check of their own.
                if width == NARROW and "/slides/" not in address:
                    problems += [f"formula wider than {kind}: break {text}" for text in tab.evaluate(LONG_MATHS)]
        except Error as error:
            problems.append(f"did not become ready: {str(error).splitlines()[0]}")
    return list(dict.fromkeys(problems))


def _check_search(tab, address: str, site: Path) -> list[str]:
    """Search for a word that the book's first page uses, and expect a result."""
    word = "cone"
    with _watched(tab) as problems:
        tab.goto(f"{address}/search.html?q={word}", wait_until="load")
        try:
            tab.wait_for_selector("#search-results li a", timeout=SEARCH_TIMEOUT)
        except Exception:
            problems.append(f'the search for "{word}" found no page')
    return [f"search.html: {problem}" for problem in dict.fromkeys(problems)]


def _photograph(tab, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for mode in ("light", "dark"):
        tab.evaluate(
            "mode => { document.documentElement.dataset.theme = mode; document.documentElement.dataset.mode = mode; }",
            mode,
        )
        tab.wait_for_timeout(300)
        name = name.removesuffix(".html").replace("/", "-")
        height = tab.evaluate("() => document.documentElement.scrollHeight")
        # One picture of a very tall page would be cut off by the browser and too small to read.
        for part, top in enumerate(range(0, height, PART), 1):
            tab.screenshot(
                path=str(folder / f"{name}-{mode}-{part}.png"),
                full_page=True,
                clip={"x": 0, "y": top, "width": WIDTH, "height": min(PART, height - top)},
            )
