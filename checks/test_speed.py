"""What a page weighs, when it first shows something, and whether it jumps afterwards; one page at a time, no cache.

The weight is what a host sends that compresses text, as all public ones do; MathJax does not count, as a browser keeps
it from page to page.
"""

import gzip
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served, standing

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
#: Bytes (a page without photographs stays below 600,000), milliseconds, and the sum of layout shifts that counts as
#: good (web.dev, "Cumulative Layout Shift").
WEIGHT, FIRST, SHIFT = 750_000, 2_000, 0.1
#: The best of these loads is the page's own.
LOADS = 3
WATCH = """window.shifts = 0; window.first = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifts += entry.value; })
  .observe({type: 'layout-shift', buffered: true});
new PerformanceObserver(list => { for (const entry of list.getEntries())
  if (entry.name === 'first-contentful-paint') window.first = entry.startTime; })
  .observe({type: 'paint', buffered: true});
"""
SETTLED = """async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  await document.fonts.ready;
  for (let wait = 0; wait < 20 && !window.first; wait++) await new Promise(done => setTimeout(done, 100));
  await new Promise(done => setTimeout(done, 200));
  const loads = ['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind)).map(e => e.name);
  return [window.shifts, window.first, loads];
}"""


def _pages():
    found = [*SITE.glob("notebooks/*.html"), *SITE.glob("book/*.html"), *SITE.glob("book/api/*.html")]
    return [path.relative_to(SITE).as_posix() for path in standing(found)]


def _busy():
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def _weight(loads, sizes):
    total = 0
    for address in set(loads):
        path = SITE / unquote(urlsplit(address).path).lstrip("/")
        if not path.is_file() or "mathjax" in path.parts:
            continue
        if path not in sizes:
            data = path.read_bytes()
            text = path.suffix in (".html", ".css", ".js", ".svg", ".json")
            sizes[path] = len(gzip.compress(data, 6)) if text else len(data)
        total += sizes[path]
    return total


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")
def test_pages_are_light_quick_and_steady():
    from playwright.sync_api import sync_playwright

    found, late, sizes = [], [], {}
    with served(SITE) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        for page in _pages():
            first, shifts = [], []
            # A page that comes late shifts by what came before: the least of several loads is that of the page.
            while len(first) < LOADS and (not first or min(shifts) > SHIFT or min(first) > FIRST and not _busy()):
                context = chromium.new_context(viewport={"width": 1300, "height": 900})
                tab = context.new_page()
                tab.set_default_timeout(TIMEOUT)
                tab.add_init_script(WATCH)
                tab.goto(f"{address}/{page}", wait_until="load")
                shift, shown, loads = tab.evaluate(SETTLED)
                context.close()
                # Nought: nothing was shown while we looked.
                first.append(shown or float("inf"))
                shifts.append(shift)
            weight, shift = _weight(loads, sizes), min(shifts)
            print(f"{page}: {weight / 1e3:.0f} kB, first view {min(first):.0f} ms, shift {shift:.3f}")
            if weight > WEIGHT:
                found.append(f"{page}: {weight / 1e6:.2f} MB")
            if min(first) > FIRST:
                late.append(f"{page}: first view after {min(first):.0f} ms")
            if shift > SHIFT:
                found.append(f"{page}: shifts by {shift:.3f}")
        chromium.close()
    assert not found, "\n".join(found)
    if late and _busy():
        pytest.skip(f"more processes than cores: {len(late)} first views above {FIRST} ms say nothing of the pages")
    assert not late, "\n".join(late)
