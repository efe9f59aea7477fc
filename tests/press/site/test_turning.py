"""The rose turns as the package's maps turn it; a printer and a reader without scripts get a picture."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from colu.functional import colu
from colu.press.check import browser as browsercheck
from colu.press.check import site as sitecheck
from colu.press.site.turning import rose

CONF = """
html_theme = "sphinx_book_theme"
html_favicon = "icon.svg"
html_context = {"default_mode": "auto"}
extensions = ["myst_parser", "colu.press.site.turning"]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("turning")
    (root / "conf.py").write_text(CONF)
    (root / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    (root / "index.md").write_text("# First\n\nA cone.\n\n```{turning-figure}\n```\n\n```{toctree}\nother\n```\n")
    (root / "other.md").write_text("# Other\n\nNo figure.\n")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "out"


@pytest.fixture
def tab(site):
    if browsercheck.find_chromium() is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with browsercheck.served(site) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browsercheck.find_chromium(), args=browsercheck.ARGUMENTS
        )
        page = chromium.new_page()
        page.set_default_timeout(browsercheck.TIMEOUT)
        page.address = address
        page.goto(f"{address}/index.html", wait_until="networkidle")
        yield page
        chromium.close()


def test_only_the_page_with_the_figure_gets_its_script(site):
    assert "turn.js" in (site / "index.html").read_text()
    assert "turn.js" not in (site / "other.html").read_text()


@pytest.mark.long
def test_maps_of_the_first_page_equal_the_package(tab):
    grid = [[x / 4, y / 4] for x in range(-10, 11) for y in range(-10, 11)]
    got = tab.evaluate("g => ['relu', 'colu'].map(name => g.map(coluTurn.maps[name]))", grid)
    points = torch.tensor(grid, dtype=torch.float64)
    whole = torch.cat([torch.ones(len(points), 1, dtype=torch.float64), points], dim=1)
    assert (torch.tensor(got[0], dtype=torch.float64) - points.relu()).abs().max() < 1e-5
    assert (torch.tensor(got[1], dtype=torch.float64) - colu(whole, dim=3)[:, 1:]).abs().max() < 1e-5
    assert torch.allclose(torch.tensor(tab.evaluate("() => coluTurn.rose")), torch.tensor(rose()), atol=1e-6)
    gaps = tab.locator("[data-part=gap]").all_text_contents()
    assert gaps[1] == "0" and float(gaps[0]) > 0.1
    tab.locator(".colu-turn input").focus()
    tab.keyboard.press("Home")
    assert tab.locator("[data-part=gap]").all_text_contents() == ["0", "0"]


@pytest.mark.long
def test_static_twin_for_print_and_without_scripts(tab, site):
    twin = tab.locator(".colu-turn > .twin img")
    assert not twin.is_visible()
    tab.emulate_media(media="print")
    assert twin.is_visible() and len(twin.get_attribute("alt")) > 60
    assert "<path" in (site / "_static" / "turn-twin.svg").read_text()
    bare = tab.context.browser.new_context(java_script_enabled=False).new_page()
    bare.goto(f"{tab.address}/index.html")
    assert bare.locator(".colu-turn > .twin img").is_visible()


@pytest.mark.long
def test_site_passes_the_checks(site):
    assert sitecheck.main(site, browser=browsercheck.find_chromium() is not None) == []
