"""The atlas: pages with all their facts, a front that filters, sorts and compares, and its state in the address."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from colu.nn import list_activations
from colu.press.check import browser as browsercheck

ROOT = Path(__file__).resolve().parents[3]
CONF = """
html_theme = "sphinx_book_theme"
html_favicon = "icon.svg"
html_context = {"default_mode": "auto"}
extensions = ["myst_parser", "sphinxcontrib.bibtex", "sphinx_external_toc", "colu.press.site.atlas",
              "colu.press.site.names", "colu.press.site.offline", "colu.press.site.finish"]
bibtex_bibfiles = ["references.bib"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
suppress_warnings = ["bibtex.duplicate_citation"]
"""
TOC = """format: jb-book
root: index
parts:
- caption: One
  chapters:
  - file: notebooks/03-a-short-history
- caption: Two
  chapters:
  - file: book/atlas
    sections:
    - glob: book/atlas/*
  - file: book/other
"""
PAGE = """# {title}

```{{atlas}} {name}
year: {year}
purpose: |
  What {title} is for.
  What it costs.
smoothness: {smoothness}
monotone: {monotone}
bounded: {bounded}
gated: false
parts: {{}}
wrong: {wrong}
torch: "torch.relu(x)"
own: true
chapters: [a-short-history]
relatives: {relatives}
```
"""
UNITS = {
    "relu": dict(title="ReLU", year=2010, relatives="{leaky-relu: a slope below 0}", bounded="below"),
    "leaky-relu": dict(title="Leaky ReLU", year=2013, wrong="\n- text: It is wrong in *one* place."),
    "tanh": dict(title="tanh", year="null", smoothness="smooth", bounded="both"),
    "swish": dict(title="Swish", year=2017, smoothness="smooth", monotone="false", bounded="below"),
    "colu": dict(title="CoLU", year=2024, monotone="null"),
    "mpu": dict(title="MPU", year=2019, monotone="null"),
    "rational-a": dict(title="Padé A", year=2020, smoothness="C1"),
    "hopfield": dict(title="Hopfield layer", year=2021, monotone="null", smoothness="smooth"),
}
PLAIN = {"smoothness": "kink", "monotone": "true", "bounded": "none", "wrong": "[]", "relatives": "{}"}


def _project(root: Path, **changed: str) -> subprocess.CompletedProcess:
    """A book with a chapter, the front and eight pages, built; ``changed`` are texts of pages."""
    (root / "conf.py").write_text(CONF)
    (root / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    (root / "_toc.yml").write_text(TOC)
    shutil.copy(ROOT / "book" / "references.bib", root)
    (root / "book" / "atlas").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "index.md").write_text("# First\n\nHere.\n")
    chapter = "# A short history\n\nFirst ReLU, then leaky ReLU, GELU and ReLU.\n\n```{bibliography}\n```\n"
    (root / "notebooks" / "03-a-short-history.md").write_text(chapter)
    (root / "book" / "other.md").write_text("# Other\n\n`colu`, and\n\n| unit |\n|---|\n| Leaky ReLU |\n")
    (root / "book" / "atlas.md").write_text("# All units\n\nLook.\n\n```{atlas-front}\n```\n\n## Which one?\n\nReLU.\n")
    for name, facts in UNITS.items():
        text = changed.get(name) or PAGE.format(name=name, **PLAIN | facts)
        (root / "book" / "atlas" / f"{name}.md").write_text(text)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(root), str(root / "out")]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("atlas")
    done = _project(root)
    assert done.returncode == 0, done.stderr
    return root / "out"


@pytest.fixture(scope="module")
def chromium():
    if browsercheck.find_chromium() is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browsercheck.find_chromium(), args=browsercheck.ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(site, chromium):
    """Opens a page of the site; an error of a script fails the test."""
    errors = []
    with browsercheck.served(site) as address:
        context = chromium.new_context()

        def go(page: str, **options):
            tab = (chromium.new_context(**options) if options else context).new_page()
            tab.set_default_timeout(browsercheck.TIMEOUT)
            tab.on("pageerror", lambda error: errors.append(str(error)))
            tab.goto(f"{address}/{page}", wait_until="load")
            return tab

        yield go
    assert errors == []


def _shown(tab) -> list[str]:
    return tab.eval_on_selector_all(
        ".atlas-cards li:not([hidden])", "all => all.map(card => card.id.replace('activation-', ''))"
    )


def _status(tab) -> str:
    return tab.locator("[data-part=status]").text_content()


def _state(tab) -> str:
    return tab.evaluate("() => decodeURIComponent(location.hash)")


def test_a_page_has_formula_plot_and_every_section(site):
    html = (site / "book" / "atlas" / "leaky-relu.html").read_text()
    for title in ("Properties", "Signal and gradient", "Cost", "Results", "Wrong in print or in code", "Code"):
        assert f"<h2>{title}<" in html
    assert html.count('<svg data-part="') == 2 and "that the package computed" in html
    assert "From −4 to 4 the output of Leaky ReLU goes from −0.04 to 4" in html
    assert "<em>one</em>" in html and "torch.relu" in re.sub("<[^>]+>", "", html) and "No recorded comparison" in html
    assert 'content="What Leaky ReLU is for.' not in html  # the heads are not registered here
    assert 'href="../../notebooks/03-a-short-history.html"' in html
    relu = (site / "book" / "atlas" / "relu.html").read_text()
    assert 'href="leaky-relu.html"' in relu and "slope below 0" in relu and "Nothing is recorded as wrong" in relu
    layer = (site / "book" / "atlas" / "hopfield.html").read_text()
    assert "<polyline" not in layer and "it is not drawn" in layer and "atlas.js" not in layer


def test_every_name_leads_to_its_page(site):
    other = (site / "book" / "other.html").read_text()
    assert re.search(r'href="atlas/colu\.html"><code', other) and re.search(r'href="atlas/leaky-relu\.html">', other)
    chapter = (site / "notebooks" / "03-a-short-history.html").read_text()
    assert re.findall(r'named[^>]*href="\.\./book/atlas/([\w-]+)\.html"', chapter)[:2] == ["relu", "leaky-relu"]
    # What leads to the rows of the former table finds the card.
    front = (site / "book" / "atlas.html").read_text()
    assert all(f'id="activation-{name}"' in front for name in UNITS)


def test_the_side_bar_leaves_the_pages_out(site):
    for page in ("index", "book/atlas", "book/atlas/relu", "book/other"):
        bar = re.search(r'<nav class="bd-links.*?</nav>', (site / f"{page}.html").read_text(), re.DOTALL)[0]
        assert "Leaky ReLU" not in bar and "All units" in bar and "Other" in bar, page
    # They follow each other all the same.
    assert 'title="next page"' in (site / "book" / "atlas" / "relu.html").read_text()


def test_thumbnails_and_the_comparison_stand_in_the_page_itself(site):
    front = (site / "book" / "atlas.html").read_text()
    cards = re.findall(r'<li id="activation-([\w-]+)".*?</li>', front, re.DOTALL)
    assert sorted(cards) == sorted(UNITS)
    for name in UNITS:
        card = re.search(rf'<li id="activation-{name}".*?</li>', front, re.DOTALL)[0]
        assert f'href="atlas/{name}.html"' in card and '<svg class="thumb"' in card
        assert ("<polyline" in card) == ("checkbox" in card) == (name != "hopfield")
    assert front.count("on eight rings</figcaption>") == 2 and "the first output of CoLU" in front
    assert "Lipschitz bound at the start" in front


def test_the_index_and_the_data_are_in_the_site(site):
    index = json.loads((site / "atlas.json").read_text())
    assert [unit["name"] for unit in index["units"]] == sorted(UNITS)
    assert 'href="../atlas.json"' in (site / "book" / "atlas.html").read_text()
    text = (site / "_static" / "atlas-data.js").read_text()
    data = json.loads(re.fullmatch(r"window\.coluAtlas = (.*);\n", text, re.DOTALL)[1])
    assert set(data["units"]) == set(UNITS) - {"hopfield"} and data["start"] == ["relu", "colu"]
    assert len(data["units"]["colu"]["value"]) == 4 and len(data["units"]["relu"]["value"]) == 1


def test_filters_and_order_by_keyboard(visit):
    tab = visit("book/atlas.html")
    assert len(_shown(tab)) == len(UNITS)
    tab.locator("select[name=smoothness]").focus()
    tab.keyboard.type("smooth")
    assert _shown(tab) == ["hopfield", "swish", "tanh"] and "3 of 8 shown" in _status(tab)
    tab.locator("select[name=bounded]").focus()
    tab.keyboard.press("ArrowDown")
    assert _state(tab) == "#atlas?smoothness=smooth&bounded=none" and _shown(tab) == ["hopfield"]
    tab.get_by_role("link", name="clear all").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("() => document.querySelectorAll('.atlas-cards li:not([hidden])').length === 8")
    tab.locator("select[name=sort]").focus()
    tab.keyboard.type("year")
    assert _shown(tab)[:3] == ["relu", "leaky-relu", "swish"] and _shown(tab)[-1] == "tanh"


@pytest.mark.long
def test_every_filter_shows_what_has_the_value(visit, site):
    tab = visit("book/atlas.html")
    for name in ("symmetry", "smoothness", "monotone", "bounded", "learnable", "gated", "cost", "year"):
        values = tab.eval_on_selector_all(f"select[name={name}] option", "all => all.map(one => one.value)")
        seen = []
        for value in values[1:]:
            tab.select_option(f"select[name={name}]", value)
            seen += _shown(tab)
        assert sorted(seen) == sorted(UNITS), name
        tab.select_option(f"select[name={name}]", "")


def test_up_to_four_are_compared(visit):
    tab = visit("book/atlas.html")
    key = tab.locator("[data-part=key] li")
    assert key.all_text_contents() == ["ReLU", "CoLU"]
    tab.locator("input[value=tanh]").click()
    tab.locator("input[value=mpu]").focus()
    tab.keyboard.press("Space")
    assert key.all_text_contents() == ["tanh", "MPU"] and _state(tab) == "#atlas?units=tanh+mpu"
    assert tab.locator("[data-part=value] g g polyline").count() == 3
    assert tab.locator("[data-part=rings] figure").count() == 2
    assert tab.locator("[data-part=facts] tr").first.locator("th").all_text_contents() == ["tanh", "MPU"]
    before = tab.locator("[data-part=value]").inner_html()
    tab.select_option("select[name=level]", "2")
    assert tab.locator("[data-part=value]").inner_html() != before and _state(tab).endswith("&level=2")
    for name in ("relu", "swish"):
        tab.locator(f"input[value={name}]").click()
    assert tab.locator("input[value=colu]").is_disabled() and key.count() == 4
    looks = tab.eval_on_selector_all(
        "[data-part=value] g g polyline.output-0", "all => all.map(e => getComputedStyle(e).strokeDasharray)"
    )
    assert len(set(looks)) == 4
    tab.locator("input[value=tanh]").click()
    assert tab.locator("input[value=colu]").is_enabled() and key.all_text_contents() == ["MPU", "ReLU", "Swish"]
    tab.get_by_role("button", name="see the comparison").click()
    assert tab.evaluate("() => document.activeElement.name") == "level"


def test_the_state_goes_by_the_address(visit):
    state = "#atlas?units=swish+colu&bounded=below&sort=year&level=0.5"
    tab = visit(f"book/atlas.html{state}")
    assert sorted(_state(tab).partition("?")[2].split("&")) == sorted(state.partition("?")[2].split("&"))
    assert _shown(tab) == ["relu", "swish"] and tab.locator("input[value=colu]").is_checked()
    assert tab.locator("select[name=level]").input_value() == "0.5"
    tab.evaluate("() => { location.hash = '#atlas?units=tanh'; }")
    tab.wait_for_function("() => document.querySelector('[data-part=key]').textContent === 'tanh'")
    assert len(_shown(tab)) == len(UNITS)


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        ("units=swich", "units=swish", "There is no swich to choose: swish is shown."),
        ("units=hopfield+relu", "relu", "There is no hopfield to choose"),
        ("units=relu&level=1.4", "units=relu", "There is no 1.4 to choose: 1 is shown."),
        ("units=relu&level=99", "level=2", "There is no 99 to choose: 2 is shown."),
        ("smoothness=smoth", "smoothness=smooth", "There is no smoth to choose: smooth is shown."),
        ("units=relu+colu+tanh+mpu+swish", "units=relu+colu+tanh+mpu", "four at most"),
        ("units=<b>", "units=", "There is no <b> to choose"),
        ("units=&level=", "#atlas?", "8 of 8 shown"),
    ],
)
def test_a_wrong_address_gives_the_nearest_state_and_says_so(visit, asked, found, said):
    tab = visit(f"book/atlas.html#atlas?{asked}")
    assert found in _state(tab) and said in _status(tab)


def test_a_unit_of_the_laboratory_is_live(visit):
    tab = visit("book/atlas/swish.html")
    slider, curve = tab.locator(".live input"), tab.locator(".live path.curve")
    assert not tab.locator(".twin").is_visible() and "Computed in this page" in tab.locator(".live").inner_text()
    before = curve.last.get_attribute("d")
    slider.focus()
    tab.keyboard.press("Home")
    tab.wait_for_function("() => location.hash === '#lab-unit?beta=0'")
    assert curve.last.get_attribute("d") != before
    # At beta = 0 it is x / 2, and its derivative 1/2 throughout.
    assert "The output lies between −2 and 2. The derivative lies between 0.5 and 0.5." in tab.inner_text(".live")
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert float(slider.input_value()) > 9
    tab = visit("book/atlas/swish.html#lab-unit?beta=90")
    assert "10 is shown in place of 90" in tab.locator(".lab-note").text_content()
    cone = visit("book/atlas/colu.html#lab-unit?second=-2")
    assert cone.locator(".live path.curve").count() == 4
    assert cone.locator(".live input").last.input_value() == "-2"


def test_live_and_sampled_curves_agree(visit):
    for name in sorted(set(UNITS) - {"hopfield"}):
        tab = visit(f"book/atlas/{name}.html")
        tab.wait_for_function("() => document.querySelector('.lab-said')?.textContent")
        ranges = tab.locator(".lab-said").inner_text()
        sampled = tab.locator("#lab-unit + p").text_content()
        # Both say between which numbers the first output lies, or where it begins and ends.
        low, high = re.search(r"output lies between (\S+) and (\S+)\. The", ranges).groups()
        assert low in sampled and high in sampled, (name, ranges, sampled)


def test_without_scripts_and_in_print_what_is_static_stands(visit):
    bare = visit("book/atlas.html", java_script_enabled=False)
    assert bare.locator(".atlas-cards svg").count() == len(UNITS)
    assert not bare.locator("select").first.is_visible() and not bare.locator("input[value=relu]").is_visible()
    assert bare.locator("[data-part=value] polyline").first.is_visible()
    assert bare.locator("[data-part=said]").is_visible()
    unit = visit("book/atlas/swish.html", java_script_enabled=False)
    assert unit.locator("[data-part=value] polyline").is_visible() and not unit.locator(".live").is_visible()
    tab = visit("book/atlas.html")
    tab.emulate_media(media="print")
    assert not tab.locator("select").first.is_visible() and tab.locator(".atlas-cards svg").first.is_visible()


@pytest.mark.parametrize("page", ["book/atlas", "book/atlas/swish", "book/atlas/colu", "book/atlas/hopfield"])
def test_a_telephone_does_not_scroll_sideways(visit, page):
    tab = visit(f"{page}.html", viewport={"width": 390, "height": 800})
    tab.wait_for_timeout(300)
    assert tab.evaluate(browsercheck.WIDE) <= 0


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_serious_finding_of_axe(visit, mode):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for page in ("book/atlas.html#atlas?units=relu+colu+tanh+mpu", "book/atlas/swish.html"):
        tab = visit(page)
        tab.evaluate("m => Object.assign(document.documentElement.dataset, {theme: m, mode: m})", mode)
        found = axe.run(tab, context=".bd-article").response["violations"]
        grave = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"]) for each in grave] == []


@pytest.mark.long
def test_site_passes_the_checks(site):
    # In a process of its own, since one cannot drive two browsers.
    bare = [] if browsercheck.find_chromium() else ["--no-browser"]
    command = [sys.executable, "-m", "colu.press.check.site", str(site), *bare]
    done = subprocess.run(command, capture_output=True, text=True)
    # The chapter is no notebook here, and so has no buttons.
    found = [line for line in done.stdout.splitlines() if not line.startswith("notebooks/")]
    assert done.returncode == 0 or found == [], done.stdout + done.stderr
    assert done.stderr == ""


def test_colours_follow_the_mode(visit):
    tab = visit("book/atlas.html")
    colour = "() => getComputedStyle(document.querySelector('#activation-relu polyline')).stroke"
    seen = set()
    for mode in ("light", "dark"):
        tab.evaluate("m => Object.assign(document.documentElement.dataset, {theme: m, mode: m})", mode)
        seen.add(tab.evaluate(colour))
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("chapters: [a-short-history]", "chapters: [a-history]", "which is the topic of no chapter; did you mean"),
        ("{leaky-relu: a slope below 0}", "{leaky-rely: a}", "has no page; did you mean leaky-relu"),
        ("year: 2010", "yeer: 2010", "the field 'yeer' is unknown; did you mean year"),
        ("{atlas} relu", "{atlas} rely", "has the block of 'rely', wanted 'relu'"),
    ],
)  # fmt: skip
@pytest.mark.long
def test_a_page_that_is_wrong_stops_the_build(tmp_path, old, new, said):
    text = PAGE.format(name="relu", **PLAIN | UNITS["relu"])
    assert old in text
    done = _project(tmp_path, relu=text.replace(old, new))
    assert done.returncode != 0 and said in done.stderr.replace("\n", " ")


def test_scripts_of_the_atlas_keep_to_their_size():
    assert (ROOT / "colu/press/site/assets/lab/atlas.js").stat().st_size <= 5300


def test_names_here_are_units():
    assert set(UNITS) <= {entry.name for entry in list_activations()}
