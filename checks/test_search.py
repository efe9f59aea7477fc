"""The search of the built site shows the right page first."""

from pathlib import Path

import pytest

from colu.nn import list_activations
from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.site.words import search_words

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
FIRST = """async words => {
  const found = {};
  for (const word of words) {
    const [query, terms, excluded, highlighted, objects] = Search._parseQuery(word);
    const results = Search._performSearch(query, terms, excluded, highlighted, objects);
    const [name, , anchor] = results.at(-1) ?? [""];
    found[word] = name + (anchor ?? "");
  }
  return found;
}"""

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def first():
    """What the search shows first, by word."""
    from playwright.sync_api import sync_playwright

    with served(SITE) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = chromium.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(f"{address}/search.html", wait_until="load")
        page.wait_for_function("() => typeof Search !== 'undefined' && Search.hasIndex && Search.hasIndex()")
        yield lambda words: page.evaluate(FIRST, list(words))
        chromium.close()


def test_words_of_the_list_find_the_page_that_it_names(first):
    wanted = {word: place for place, words in search_words(ROOT).items() for word in words}
    assert {"install", "gpu", "git rebasin", "hue"} <= set(wanted)
    found = first(wanted)
    assert {word: found[word] for word in wanted if not found[word].startswith(wanted[word])} == {}


def test_case_does_not_matter(first):
    assert set(first(["GPU", "gpu", "Gpu"]).values()) == {"book/use#run-on-a-gpu"}


def test_the_name_of_an_activation_finds_its_page(first):
    listed = {word for words in search_words(ROOT).values() for word in words}
    names = {name: entry for entry in list_activations() for name in (entry.name, *entry.aliases)}
    found = first(name for name in names if name not in listed)
    page = {name: place.partition("#")[0] for name, place in found.items()}
    wrong = {name: page[name] for name in found if page[name] != f"book/atlas/{names[name].name}"}
    assert wrong == {}
