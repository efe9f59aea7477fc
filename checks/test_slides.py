"""Every chapter has a sheet and solutions, those whose notebooks have slides a deck, and each slide fits its frame."""

from pathlib import Path

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served, standing
from colu.press.notebook import Notebook
from colu.press.teach.blocks import slide_blocks

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
OVER = """() => [...document.querySelectorAll('.slide')].filter(slide => {
  const body = slide.querySelector('.body');
  return body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1;
}).map(slide => slide.id)"""


def _chapters():
    return [path.stem for path in standing((SITE / "notebooks").glob("*.html"))]


@pytest.mark.parametrize("kind", ["sheets", "solutions"])
def test_every_chapter_has_one(kind):
    assert _chapters() and _chapters() == [path.stem for path in standing((SITE / kind).glob("*.html"))]


def _decks():
    return [path.stem for path in standing((SITE / "slides").glob("*.html"))]


def test_every_chapter_with_slides_has_a_deck_and_no_other():
    written = [name for name in _chapters() if slide_blocks(Notebook.read(ROOT / "notebooks" / f"{name}.ipynb"))]
    assert written and written == _decks()


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")
def test_every_slide_fits():
    from playwright.sync_api import sync_playwright

    found = []
    with served(SITE) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = chromium.new_page(viewport={"width": 1280, "height": 754})
        tab.set_default_timeout(TIMEOUT)
        for name in _decks():
            tab.goto(f"{address}/slides/{name}.html", wait_until="load")
            tab.wait_for_selector("html[data-ready]", state="attached")
            found += [f"{name}: {slide}" for slide in tab.evaluate(OVER)]
        chromium.close()
    assert not found, "\n".join(found)
