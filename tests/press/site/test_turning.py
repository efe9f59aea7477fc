"""The explorer shows what the package computes; a keyboard, a printer and a reader without scripts get it too."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import torch

from colu.functional import colu
from colu.nn import create, get_entry, list_activations
from colu.press.check import browser as browsercheck
from colu.press.check import site as sitecheck
from colu.press.site import explorer_data as data_module
from colu.press.site.explorer import rose

CONF = """
html_theme = "sphinx_book_theme"
html_favicon = "icon.svg"
html_context = {"default_mode": "auto"}
extensions = ["myst_parser", "colu.press.site.explorer"]
"""
PAGE = "# Explorer\n\n```{activation-explorer}\n:start: relu mpu\n```\n\n```{explorer-left-out}\n```\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("explorer")
    (root / "conf.py").write_text(CONF)
    (root / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    first = "# First\n\nA cone.\n\n```{turning-figure}\n```\n\n"
    (root / "index.md").write_text(first + "```{toctree}\nbook/explorer\n```\n")
    (root / "book").mkdir()
    (root / "book" / "explorer.md").write_text(PAGE)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "out"


@pytest.fixture(scope="module")
def shipped(site):
    """The data as a browser reads them."""
    text = (site / "_static" / "explorer-data.js").read_text()
    return json.loads(re.fullmatch(r"window\.coluExplorerData = (.*);\n", text, re.S)[1])


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
        page.goto(f"{address}/book/explorer.html", wait_until="networkidle")
        yield page
        chromium.close()


@pytest.mark.long
def test_every_activation_is_shown_or_named_with_a_reason(shipped, site):
    names = {entry.name for entry in list_activations() if entry.kind == "activation"}
    assert set(shipped["activations"]) | set(shipped["left_out"]) == names
    assert len(shipped["activations"]) >= 45
    html = (site / "book" / "explorer.html").read_text()
    for name, reason in shipped["left_out"].items():
        assert reason and f">{name}<" in html


def test_values_and_derivatives_equal_the_package(shipped):
    step = 1e-6
    for name, facts in shipped["activations"].items():
        module = data_module.plane_map(get_entry(name))
        for level, curve in zip(data_module.LEVELS, facts["curves"], strict=False):
            points = torch.tensor([[x, level] for x in shipped["grid"]], dtype=torch.float64)
            with torch.no_grad():
                y = module(points)
                shift = torch.tensor([step, 0.0], dtype=torch.float64)
                numeric = (module(points + shift) - module(points - shift)) / (2 * step)
            for output, column in enumerate(curve["value"]):
                if output < y.shape[1]:
                    scale = max(1.0, float(y[:, output].abs().max()))
                    assert (torch.tensor(column) - y[:, output]).abs().max() < 1e-5 * scale, name
                    # Away from kinks, of which a curve has few, the derivative is the difference quotient.
                    slope = torch.tensor(curve["slope"][output], dtype=torch.float64)
                    far = (slope - numeric[:, output]).abs() > 1e-4 * (1 + slope.abs())
                    # The threshold's derivative is zero almost everywhere; training uses a surrogate, which is drawn.
                    assert far.sum() <= 8 or name == "threshold", (name, level, far.sum())


def test_known_values(shipped):
    at = shipped["grid"].index(0.5)
    relu, conic = shipped["activations"]["relu"], shipped["activations"]["colu"]
    assert relu["curves"][0]["value"][0][at] == 0.5
    level = shipped["levels"].index(2.0)
    assert [column[at] for column in conic["curves"][level]["value"]] == [0.5, 0.5]
    cloud = torch.tensor(shipped["input"]).T
    assert torch.allclose(create("colu", dim=2)(cloud), torch.tensor(conic["cloud"]).T, atol=1e-5)


def test_the_page_draws_what_was_chosen(tab, shipped):
    assert tab.locator("[data-part=first]").input_value() == "relu"
    tab.select_option("[data-part=first]", "gelu")
    drawn = tab.evaluate("() => document.querySelector('[data-part=values] .which-0').getAttribute('points')")
    points = [tuple(map(float, pair.split(","))) for pair in drawn.split(" ")]
    values = shipped["activations"]["gelu"]["curves"][0]["value"][0]
    assert len(points) == len(values)
    # Heights in pixels are the values up to one affine map.
    low, high = min(values), max(values)
    top, bottom = points[values.index(high)][1], points[values.index(low)][1]
    for (_, y), value in zip(points, values, strict=True):
        assert abs(y - (bottom + (value - low) / (high - low) * (top - bottom))) < 0.01
    cells = tab.locator("[data-part=table] tr").nth(5).locator("td").all_text_contents()
    assert float(cells[0].replace("−", "-")) == pytest.approx(0.841345, abs=1e-5)
    assert "gelu" in tab.locator("[data-part=values]").get_attribute("aria-label")


@pytest.mark.long
def test_every_pair_of_neighbours_draws_without_an_error(tab, shipped):
    names = list(shipped["activations"])
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    # In one script: a call from here to the page takes longer than the drawing.
    bad = tab.evaluate("""names => {
        const choose = (part, name) => {
            const box = document.querySelector(`[data-part=${part}]`);
            box.value = name;
            for (const type of ["input", "change"]) box.dispatchEvent(new Event(type, {bubbles: true}));
        };
        return names.filter((name, at) => {
            choose("first", name);
            choose("second", names[(at + 1) % names.length]);
            const drawn = document.querySelector(".colu-panels").innerHTML;
            return drawn.includes("NaN") || !drawn.includes("<");
        });
    }""", names)
    assert bad == [] and errors == []


def test_keyboard_alone_reaches_everything(tab):
    tab.locator("[data-part=first]").focus()
    tab.keyboard.type("silu")
    assert tab.locator("[data-part=first]").input_value() == "silu"
    reached = []
    for _ in range(3):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("() => document.activeElement.dataset.part"))
    assert reached == ["second", "level", "swap"]
    tab.keyboard.press("Enter")
    assert tab.locator("[data-part=second]").input_value() == "silu"


@pytest.mark.long
def test_static_twin_for_print_and_without_scripts(tab, site):
    twin = tab.locator(".colu-explorer > .twin img")
    assert not twin.is_visible()
    tab.emulate_media(media="print")
    assert twin.is_visible() and not tab.locator(".colu-explorer .live").is_visible()
    assert len(twin.get_attribute("alt")) > 60
    assert "<path" in (site / "_static" / "explorer-twin.svg").read_text()
    tab.emulate_media(media="screen")
    bare = tab.context.browser.new_context(java_script_enabled=False).new_page()
    bare.goto(f"{tab.address}/book/explorer.html")
    assert bare.locator(".colu-explorer > .twin img").is_visible()


@pytest.mark.long
def test_maps_of_the_first_page_equal_the_package(tab):
    tab.goto(f"{tab.address}/index.html", wait_until="networkidle")
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
def test_site_passes_the_checks(site):
    assert sitecheck.main(site, browser=browsercheck.find_chromium() is not None) == []


def test_unknown_start_stops_the_build(site, tmp_path):
    root = tmp_path
    (root / "conf.py").write_text('extensions = ["myst_parser", "colu.press.site.explorer"]\n')
    (root / "index.md").write_text("# E\n\n```{activation-explorer}\n:start: relu\n```\n")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "wanted two names" in done.stderr
