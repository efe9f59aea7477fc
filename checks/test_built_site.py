"""The site that `make book` left in _build/html: run by `make check`, after the build."""

from pathlib import Path

import pytest

from colu.press.check.browser import check_in_browser
from colu.press.check.site import check_files, read_pages

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
FOLDERS = ("", "book", "book/api", "book/atlas", "book/laboratory", "notebooks", "slides", "sheets", "solutions")


@pytest.fixture(scope="module", autouse=True)
def built_site():
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site at {SITE}: run 'make book' first")


def test_links_anchors_alt_texts_and_tracebacks():
    problems = check_files(SITE)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_page_works_in_a_browser_without_a_network(folder):
    pages = {path: page for path, page in read_pages(SITE).items() if path.parent == SITE / folder}
    assert pages, f"no page in {folder}"
    problems = check_in_browser(SITE, pages)
    assert not problems, "\n".join(problems)


def test_no_folder_is_left_out():
    assert {path.parent for path in read_pages(SITE)} == {SITE / folder for folder in FOLDERS}
