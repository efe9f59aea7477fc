"""What only a browser shows: a right site passes, and each planted fault is seen."""

from __future__ import annotations

import shutil

import pytest

from colu.press.check import browser as browsercheck
from colu.press.check import site as sitecheck

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        browsercheck.find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)"
    ),
]

PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">{}</head>'
    "<body><h1>P</h1>{}</body></html>"
)
NO_MATHJAX = r'<span class="math">\(x\)</span>'
FAKE_MATHJAX = "<script>window.MathJax = {startup: {promise: Promise.resolve()}}</script>"
FAULTS = {
    "console.html": (PAGE.format("<script>console.error('planted')</script>", ""), "console: planted"),
    "exception.html": (
        PAGE.format("<script>throw new Error('planted')</script>", ""),
        "script error: planted",
    ),
    "request.html": (PAGE.format("<script>fetch('https://example.org/x')</script>", ""), "request failed"),
    "missing.html": (PAGE.format("<script>fetch('gone.json')</script>", ""), "request answered 404"),
    "telephone.html": (
        PAGE.format("", '<picture><source media="(width < 640px)" srcset="gone.svg"><img src="data:,"></picture>'),
        "request answered 404",
    ),
    "maths.html": (PAGE.format(FAKE_MATHJAX, NO_MATHJAX), "formulas were not set"),
    "raw.html": (PAGE.format(FAKE_MATHJAX, NO_MATHJAX), "formula left raw"),
    "formula.html": (
        PAGE.format(
            "",
            '<details><summary>S</summary><mjx-container display="true" style="display: block; overflow: auto">'
            '<div style="width: 600px">x = y</div></mjx-container></details>',
        ),
        "formula wider than a telephone's window: break x = y",
    ),
    "wide.html": (PAGE.format("", '<div style="width:4000px">x</div>'), "wider than the window"),
    "narrow.html": (PAGE.format("", '<div style="width:800px">x</div>'), "wider than a telephone's window"),
    "slider.html": (
        PAGE.format("", '<div class="colu-slider"><svg height="200"></svg><input type="range" max="1"></div>'),
        "figure 1 with sliders does not show, or a slider changes nothing",
    ),
}


@pytest.mark.long
def test_right_site_passes_and_is_photographed(good, tmp_path):
    assert sitecheck.main(good.out, browser=True, screenshots=tmp_path) == []
    names = {path.name for path in tmp_path.iterdir()}
    assert {"notebooks-10-a-light-1.png", "notebooks-10-a-dark-1.png", "book-claims-dark-1.png"} <= names


@pytest.mark.long
def test_frames_of_a_figure_can_be_chosen_by_keyboard(good):
    from playwright.sync_api import sync_playwright

    with browsercheck.served(good.out) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browsercheck.find_chromium(), args=browsercheck.ARGUMENTS
        )
        tab = chromium.new_page()
        tab.set_default_timeout(browsercheck.TIMEOUT)
        tab.goto(f"{address}/notebooks/10-a.html", wait_until="networkidle")
        slider = tab.locator(".colu-slider input")
        drawn = tab.locator(".colu-slider [data-trace]")
        before = drawn.get_attribute("d")
        slider.focus()
        tab.keyboard.press("ArrowRight")
        assert drawn.get_attribute("d") != before
        assert slider.get_attribute("aria-valuetext") == tab.locator(".colu-slider output").inner_text() == "1"
        chromium.close()


@pytest.mark.long
def test_each_planted_fault_is_seen(tmp_path):
    for name, (html, _) in FAULTS.items():
        (tmp_path / name).write_text(html)
    # A deck is no page for a telephone.
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "formula.html").write_text(FAULTS["formula.html"][0])
    problems = browsercheck.check_in_browser(tmp_path, sitecheck.read_pages(tmp_path))
    assert not any("slides" in problem for problem in problems)
    for name, (_, complaint) in FAULTS.items():
        assert any(problem.startswith(f"{name}: ") and complaint in problem for problem in problems), name


def test_search_that_finds_nothing_is_seen(good, tmp_path, monkeypatch):
    monkeypatch.setattr(browsercheck, "SEARCH_TIMEOUT", 1_000)
    site = shutil.copytree(good.out, tmp_path / "site")
    (site / "searchindex.js").write_text("")
    searched = {path: page for path, page in sitecheck.read_pages(site).items() if path.name == "search.html"}
    problems = browsercheck.check_in_browser(site, searched)
    assert any("found no page" in problem for problem in problems)
