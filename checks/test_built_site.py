"""The site that `make book` left in _build/html: run by `make check`, after the build."""

from pathlib import Path

import pytest

from colu.press.check.browser import check_in_browser
from colu.press.check.site import check_files, read_pages

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"


@pytest.fixture(scope="module", autouse=True)
def built_site():
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site at {SITE}: run 'make book' first")


def test_links_anchors_alt_texts_and_tracebacks():
    problems = check_files(SITE)
    assert not problems, "\n".join(problems)


def test_every_page_works_in_a_browser_without_a_network():
    problems = check_in_browser(SITE, read_pages(SITE))
    assert not problems, "\n".join(problems)
