"""axe-core on the built pages; skipped where it is absent (`npm pack axe-core`, and AXE_CORE=.../axe.min.js)."""

import os
from pathlib import Path

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
AXE = os.environ.get("AXE_CORE", "")
RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', '))"""


def _pages():
    folders = ("book", "book/api", "notebooks", "slides", "sheets", "solutions")
    found = [path for folder in folders for path in SITE.glob(f"{folder}/*.html")]
    return sorted(path.relative_to(SITE).as_posix() for path in [*found, SITE / "genindex.html", SITE / "search.html"])


@pytest.mark.skipif(not Path(AXE).is_file(), reason="axe-core is absent: set AXE_CORE to its axe.min.js")
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_serious_finding_of_axe(mode):
    from playwright.sync_api import sync_playwright

    found = []
    with served(SITE) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = chromium.new_page()
        tab.set_default_timeout(TIMEOUT)
        for page in _pages():
            tab.goto(f"{address}/{page}", wait_until="load")
            tab.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => true)")
            # A colour on its way from one mode to the other is neither.
            tab.add_style_tag(content="*, *::before, *::after { transition: none !important; }")
            tab.evaluate("mode => Object.assign(document.documentElement.dataset, {theme: mode, mode: mode})", mode)
            tab.wait_for_timeout(300)
            tab.add_script_tag(path=AXE)
            found += [f"{page}: {finding}" for finding in tab.evaluate(RUN)]
        chromium.close()
    assert not found, "\n".join(found)
