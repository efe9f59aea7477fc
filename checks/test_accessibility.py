"""axe-core on the built pages: no finding that it calls serious or critical, in either mode.

Every page that somebody wrote; of those that are made from one pattern every fourth, and so in the other mode.
"""

from importlib.resources import files
from pathlib import Path

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served, standing

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
#: Each folder apart: one may be examined alone, and a failure says where.
WRITTEN = ("", "book", "book/laboratory", "notebooks")
MADE = ("book/api", "book/atlas", "slides", "sheets", "solutions")
EACH = 4
#: Formulas are MathJax's own.
RUN = """async rules => (await axe.run(
  {exclude: [["mjx-container"]]}, {resultTypes: ["violations"], ...rules})).violations
  .filter(found => ['serious', 'critical'].includes(found.impact))
  .map(found => found.id + ': ' + found.nodes.slice(0, 3).map(node => node.target.join(' ')).join(', '))"""
#: Of the rules only that on colours can find another thing in the other mode.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")
@pytest.mark.parametrize("folder", [*WRITTEN, *MADE])
def test_no_serious_finding_of_axe(folder):
    from playwright.sync_api import sync_playwright

    axe = str(files("axe_playwright_python") / "axe.min.js")
    found = standing((SITE / folder).glob("*.html"))
    pages = [path.relative_to(SITE).as_posix() for path in found][:: 1 if folder in WRITTEN else EACH]
    assert pages, f"no page in {folder}"
    found = []
    with served(SITE) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = chromium.new_page()
        tab.set_default_timeout(TIMEOUT)
        for number, page in enumerate(pages):
            tab.goto(f"{address}/{page}", wait_until="load")
            tab.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => true)")
            # A colour on its way from one mode to the other is neither.
            tab.add_style_tag(content="*, *::before, *::after { transition: none !important; }")
            tab.add_script_tag(path=axe)
            for mode, rules in list(RULES.items())[: 1 if number % EACH else 2]:
                tab.evaluate("mode => Object.assign(document.documentElement.dataset, {theme: mode, mode: mode})", mode)
                tab.wait_for_timeout(200)
                found += [f"{page}, {mode}: {finding}" for finding in tab.evaluate(RUN, rules)]
        chromium.close()
    assert not found, "\n".join(found)
