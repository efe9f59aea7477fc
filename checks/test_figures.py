"""Figures can be read on a telephone, most without scrolling, and have the colours of the page's mode."""

import re
from pathlib import Path

import pytest

from colu.lab.plot import letter_size
from colu.press.check.browser import ARGUMENTS, NARROW, TIMEOUT, find_chromium, served, standing

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
#: Pixels; and how many figures may be wider than a telephone's column.
LETTERS, SCROLLING = 8, 3
SHOWN = """async () => {
  document.querySelectorAll('details').forEach(each => each.open = true);
  const found = [...document.querySelectorAll('article img.on-light')];
  for (const each of found) { each.loading = 'eager'; await each.decode(); }
  return found.map(each => [
    each.currentSrc.split('/').pop(), each.getBoundingClientRect().width,
    each.closest('.figure-scroll')?.scrollWidth > each.closest('.figure-scroll')?.clientWidth,
  ]);
}"""

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")


def test_the_smallest_letters_of_each_figure_have_eight_pixels_on_a_telephone_and_few_figures_scroll():
    from playwright.sync_api import sync_playwright

    small, scroll, count = [], [], 0
    with served(SITE) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = chromium.new_page(viewport={"width": NARROW, "height": 900})
        tab.set_default_timeout(TIMEOUT)
        for page in standing(SITE.glob("notebooks/*.html")):
            tab.goto(f"{address}/notebooks/{page.name}", wait_until="load")
            for name, width, wider in tab.evaluate(SHOWN):
                letters = letter_size((SITE / "_images" / name).read_text(encoding="utf8")) * width
                count += 1
                scroll += [f"{page.name}: {name}"] * wider
                if 0 < letters < LETTERS - 0.05:
                    small.append(f"{page.name}: {name}: {letters:.1f} px")
        chromium.close()
    assert count and not small, "\n".join(small)
    assert len(scroll) <= SCROLLING, "\n".join(scroll)


def test_every_figure_has_a_dark_file_beside_the_light_one_in_each_form():
    files = {name for page in SITE.glob("notebooks/*.html") for name in _dark(page.read_text(encoding="utf8"))}
    assert any("-narrow" in name for name in files)
    assert [name for name in files if not (SITE / "_images" / name).is_file()] == []


def _dark(page):
    return re.findall(r'(?:class="on-dark[^>]*|srcset="[^"]*)_images/([^"]+-dark\.svg)"', page)
